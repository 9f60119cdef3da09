"""Public names of the version before, for one more release; each warns and says what to use instead."""

from __future__ import annotations

import functools
import logging
import warnings
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from autokd.workflows.callbacks import Callbacks

if TYPE_CHECKING:
    from autokd.workspace import Workspace

_P = ParamSpec("_P")
_T = TypeVar("_T")

NAMES: Final = {
    "Answer": "PairResult",
    "Listener": "Callbacks",
    "StudyPlan": "StudyConfig",
    "Workers": "Resources",
}
"""Former names of `autokd`, and the new ones."""
METHODS: Final = {
    "answers": "recommend.recommend_all",
    "distill": "distill.distill",
    "explain": "explain.explain",
    "export": "export.export",
    "gather": "report.report_data",
    "observations": "observe_claims.observe_claims",
    "partners": "recommend.partners",
    "predict": "recommend.predict",
    "prepare": "prepare.prepare",
    "recommend": "recommend.recommend",
    "status": "status.status",
    "sweep": "sweep.sweep",
    "tune": "tune.tune",
    "tune_all": "tune.tune_all",
}
"""Former methods of `Workspace`, and the functions of `autokd.workflows` that they were."""
_CALLBACKS: Final = {
    "preparing": "on_prepare",
    "searching": "on_search",
    "sweeping": "on_sweep",
    "explaining": "on_explain",
    "distilling": "on_distill",
    "waiting": "on_outage",
    "stopping": "on_stopping",
}
"""Former names of what a `Listener` is made of."""


def former_name(name: str) -> object:
    """Return what a former name of `autokd` stands for."""
    if name not in NAMES:
        raise AttributeError(f"module 'autokd' has no attribute {name!r}")
    _warn(f"autokd.{name}", f"autokd.{NAMES[name]}")
    return Listener if name == "Listener" else getattr(import_module("autokd"), NAMES[name])


def former_attribute(workspace: Workspace, name: str) -> Any:
    """Return what was an attribute or a method of a workspace."""
    if name == "plan":
        _warn("Workspace.plan", "Workspace.config")
        return workspace.config
    if name not in METHODS:
        raise AttributeError(f"'Workspace' object has no attribute {name!r}")
    module, _, function = METHODS[name].partition(".")
    _warn(f"Workspace.{name}", f"autokd.{function}")
    workflow = getattr(import_module(f"autokd.workflows.{module}"), function)
    return functools.partial(accepts_listener(workflow), workspace)


def accepts_listener(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let a function take `callbacks` under its former name `listener`."""

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> _T:
        if "listener" in kwargs:
            _warn("listener=", "callbacks=", stacklevel=3)
            kwargs["callbacks"] = kwargs.pop("listener")
        return function(*args, **kwargs)

    return renamed


class Listener(Callbacks):
    """The former `Callbacks`: functions by their former names."""

    def __init__(
        self, *, noticing: Callable[[str], None] | None = None, **functions: Callable[..., None]
    ) -> None:
        for name, function in functions.items():
            setattr(self, _CALLBACKS[name], function)
        if noticing is not None:
            handler, logger = logging.Handler(), logging.getLogger("autokd")
            handler.emit = lambda record: noticing(record.getMessage())  # type: ignore[method-assign]
            logger.addHandler(handler)
            weakref.finalize(self, logger.removeHandler, handler)


def _warn(former: str, instead: str, stacklevel: int = 4) -> None:
    # By default the warning names the line that uses an attribute: beyond `__getattr__` and its callee.
    warnings.warn(f"{former} is deprecated: use {instead}", DeprecationWarning, stacklevel=stacklevel)
