"""Import and call of a recipe's `package.module:factory`: the only place where a recipe's code is run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autokd.errors import PlanError


def call(name: str, options: Mapping[str, Any], base: Path) -> Any:
    """Return the result of the factory.

    Args:
        name: `package.module:factory`.
        options: Keyword arguments of the factory.
        base: Folder of the recipe; modules in it can be imported, after those that are installed.

    Raises:
        PlanError: If it cannot be imported, or raises.
    """
    module_name, _, attribute = name.partition(":")
    folder = str(base.resolve())
    if folder not in sys.path:
        # Last, so that a file there never replaces an installed package.
        sys.path.append(folder)
    before = sys.dont_write_bytecode
    try:
        # Checking a recipe leaves no files in its folder.
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        factory: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            factory = getattr(factory, part)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        if isinstance(error, ImportError | AttributeError):
            reason = f"{error}; it has to be installed, or lie in {base}"
        raise PlanError(source=name, problem=f"cannot be imported: {reason}") from error
    finally:
        sys.dont_write_bytecode = before
    try:
        return factory(**options)
    except Exception as error:
        problem = f"raises {type(error).__name__}: {str(error)[:200]}"
        raise PlanError(source=name, problem=problem) from error
