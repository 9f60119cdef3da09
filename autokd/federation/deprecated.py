"""`Federation.load` and `Federation.from_models`, as they were called before they became functions."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from autokd.federation.federation import Federation as Federation
from autokd.federation.in_memory import federation_from_models
from autokd.federation.preparation import load_federation


def _deprecated(old: str, function: Callable[..., Federation]) -> staticmethod[..., Federation]:
    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Federation:
        words = f"Federation.{old} is deprecated; call autokd.{function.__name__} instead"
        warnings.warn(words, DeprecationWarning, stacklevel=2)
        return function(*args, **options)

    return staticmethod(call)


# Set here, since methods of the class itself would make a circle of imports.
Federation.load = _deprecated("load", load_federation)  # type: ignore[attr-defined]
Federation.from_models = _deprecated("from_models", federation_from_models)  # type: ignore[attr-defined]
