"""A folder full of modules that others have put there: each leaves a mark when it is imported."""

from __future__ import annotations

from pathlib import Path

NAMES = (
    *("torch", "numpy", "pandas", "ray", "optuna", "psutil", "typer", "rich", "yaml", "setproctitle"),
    *("json", "logging", "typing", "socket", "random", "secrets", "shlex", "tempfile", "sitecustomize"),
    *("tensorboardX", "xgboost", "networks", "ipykernel", "colorama", "aiohttp"),
)
"""Installed packages, modules of Python, and names that some library tries and does without."""
AT_ITS_START = ("tempfile", "sitecustomize")
"""Python itself imports these from `PYTHONPATH` before any program begins."""
_CODE = """\
with open({mark!r}, "a") as file:
    print(__file__, __name__, file=file)
raise ImportError("imported from where one stands")
"""


def set_trap(folder: Path, mark: Path, *, without: tuple[str, ...] = ()) -> Path:
    """Put the modules into a folder; `mark` comes to be when one of them is imported."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if name not in without:
            (folder / f"{name}.py").write_text(_CODE.format(mark=str(mark)))
    for name in ("scipy", "sqlalchemy", "google"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "__init__.py").write_text(_CODE.format(mark=str(mark)))
    return folder
