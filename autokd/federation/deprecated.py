"""`Federation.load` and `Federation.from_models`, as they were called before they became functions."""

from __future__ import annotations

import warnings
from typing import Any

from autokd.federation.federation import Federation as Federation
from autokd.federation.in_memory import federation_from_models
from autokd.federation.preparation import load_federation


def _load(*args: Any, **options: Any) -> Federation:
    _warn("load", "load_federation")
    return load_federation(*args, **options)


def _from_models(*args: Any, **options: Any) -> Federation:
    _warn("from_models", "federation_from_models")
    return federation_from_models(*args, **options)


def _warn(old: str, new: str) -> None:
    words = f"Federation.{old} is deprecated; call autokd.{new} instead"
    warnings.warn(words, DeprecationWarning, stacklevel=3)


# Set here, since methods of the class itself would make a circle of imports.
Federation.load = staticmethod(_load)  # type: ignore[attr-defined]
Federation.from_models = staticmethod(_from_models)  # type: ignore[attr-defined]
