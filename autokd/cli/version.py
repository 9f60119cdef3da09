"""`autokd version`: print versions."""

from __future__ import annotations

import platform
from importlib.metadata import version as installed

from autokd._version import __version__
from autokd.cli import options
from autokd.cli.console import out, print_json

_PACKAGES = ("torch", "torchvision", "ray", "optuna", "optuna-dashboard", "sqlalchemy", "numpy", "scipy")


def version(json: options.Json = False) -> None:
    """Print the versions of autokd and of the packages that its results depend on.

    Example:
        autokd version --json
    """
    versions = {"autokd": __version__, "python": platform.python_version()}
    versions |= {name: installed(name) for name in _PACKAGES}
    if json:
        print_json(versions)
        return
    for name, number in versions.items():
        out.print(f"{name:<17}{number}")
