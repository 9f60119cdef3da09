"""SIGTERM is like Ctrl-C: what was begun is put in order. Ray's own handler ends the process with a dump."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def like_an_interrupt() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, unless it is ignored or somebody has a handler for it.

    Does nothing outside the main thread, where no handler can be set.
    """
    if not _can_be_set() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def handler_kept() -> Iterator[None]:
    """Put the handler of SIGTERM back in which something else sets one of its own, as `ray.init` does.

    Raises:
        KeyboardInterrupt: If that one was called meanwhile, which ended the program.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as exit_by_ray:
        raise KeyboardInterrupt from exit_by_ray
    finally:
        if _can_be_set() and before is not None:
            signal.signal(signal.SIGTERM, before)


def _can_be_set() -> bool:
    return threading.current_thread() is threading.main_thread()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
