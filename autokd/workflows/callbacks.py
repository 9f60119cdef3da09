"""How a caller follows a long call: the methods of `Callbacks`, called on its way."""

from __future__ import annotations

import functools
import logging
import warnings
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from autokd.execution.run_queue import RunQueueProgress
    from autokd.search.progress import Progress
    from autokd.store import Outage

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Callbacks:
    """What a long call reports while it runs; override the methods that you need.

    Every method is called in the thread of the call and must not raise. Notices for the user, e.g. that
    images do not fit into memory, are log records of the logger `autokd` instead.
    """

    def on_prepare(self, done: int, total: int) -> None:
        """Called when pre-training starts and after each participant."""

    def on_search(self, progress: Progress) -> None:
        """Called when a search starts and after each change of it."""

    def on_sweep(self, progress: RunQueueProgress) -> None:
        """Called when a sweep starts and after each of its runs."""

    def on_explain(self, progress: RunQueueProgress) -> None:
        """Called when the runs of the alternatives start and after each of them."""

    def on_distill(self, done: int, total: int) -> None:
        """Called when a single run starts and after each of its epochs."""

    def on_outage(self, outage: Outage | None) -> None:
        """Called after each attempt to reach a database that is away; with None when it answers again."""

    def on_stopping(self) -> None:
        """Called at the first Ctrl-C, which ends the runs at their next report."""


_OLD_NAMES: Final = {
    "preparing": "on_prepare",
    "searching": "on_search",
    "sweeping": "on_sweep",
    "explaining": "on_explain",
    "distilling": "on_distill",
    "waiting": "on_outage",
    "stopping": "on_stopping",
}


class Listener(Callbacks):
    """The old form of `Callbacks`, for one more release: functions by their old names."""

    def __init__(
        self, *, noticing: Callable[[str], None] | None = None, **functions: Callable[..., None]
    ) -> None:
        for name, function in functions.items():
            setattr(self, _OLD_NAMES[name], function)
        if noticing is not None:
            handler = logging.Handler()
            handler.emit = lambda record: noticing(record.getMessage())  # type: ignore[method-assign]
            logging.getLogger("autokd").addHandler(handler)
            weakref.finalize(self, logging.getLogger("autokd").removeHandler, handler)


def accepts_listener(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let a function take `callbacks` under its old name `listener` for one more release."""

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> _T:
        if "listener" in kwargs:
            warnings.warn("listener= is deprecated: use callbacks=", DeprecationWarning, stacklevel=2)
            kwargs["callbacks"] = kwargs.pop("listener")
        return function(*args, **kwargs)

    return renamed
