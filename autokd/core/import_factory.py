"""Calls what a recipe names as `package.module:factory`: the one place where a recipe's code is run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autokd.errors import PlanError


def call(name: str, options: Mapping[str, Any], base: Path) -> Any:
    """What the factory returns.

    Args:
        name: `package.module:factory`.
        options: Its keyword arguments.
        base: The recipe's folder; modules that lie there can be imported, after those that are installed.

    Raises:
        PlanError: If there is no such thing, or it raises.
    """
    module_name, _, attribute = name.partition(":")
    folder = str(base.resolve())
    if folder not in sys.path:
        # Last, so that a file there never stands in for an installed package.
        sys.path.append(folder)
    before = sys.dont_write_bytecode
    try:
        # Whoever looks at a recipe leaves nothing in its folder.
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        problem = f"cannot be imported: {error}; it has to be installed, or lie in {base}"
        raise PlanError(source=name, problem=problem) from error
    except Exception as error:
        problem = f"cannot be imported: {type(error).__name__}: {str(error)[:200]}"
        raise PlanError(source=name, problem=problem) from error
    finally:
        sys.dont_write_bytecode = before
    try:
        return found(**options)
    except Exception as error:
        problem = f"raises {type(error).__name__}: {str(error)[:200]}"
        raise PlanError(source=name, problem=problem) from error
