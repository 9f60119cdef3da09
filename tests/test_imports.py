"""Commands that only read import neither PyTorch nor Ray, which take most of a second."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.compatibility.test_old_store import FOLDER, options

HEAVY = ("torch", "ray")
READING = (
    ("status",),
    ("recommend", "--pair", "0,1"),
    ("recommend", "--student", "0"),
    ("stop",),
    ("store", "check"),
)
ALSO = ("advise", "export", "inventory", "observe_claims", "report")
"""Workflows of further commands, which would take longer to run than to import."""
SCRIPT = """
import sys
from importlib import import_module

from autokd.cli.app import run

for name in {also}:
    import_module(f"autokd.workflows.{{name}}")
for arguments in {commands}:
    sys.argv = ["autokd", *arguments]
    code = run()
    found = [name for name in {heavy} if name in sys.modules]
    if code or found:
        raise SystemExit(f"{{arguments}} ended with {{code}} and has imported {{found}}")
"""


def test_reading_imports_neither_pytorch_nor_ray(tmp_path: Path) -> None:
    shutil.unpack_archive(FOLDER / "home.zip", tmp_path / "home")
    commands = [(*command, *options(tmp_path / "home")) for command in READING]
    script = SCRIPT.format(commands=commands, also=ALSO, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
