"""Notices the death of Ray's own processes on this machine, in time to say so.

Ray ends the process that uses it, in C++ and without a word that helps: half a minute after its raylet died,
a minute after its GCS did.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from autokd.errors import WorkersLost

_NAMES: Final[Mapping[str, str]] = {"gcs_server": "its control store (GCS)", "raylet": "its raylet"}
"""Processes without which Ray cannot go on, by Ray's name of their kind."""
_LOOK_SECONDS: Final = 0.2
_STUCK_SECONDS: Final = 2.0
_INTERRUPTED: Final = 130
"""Exit code of a command that somebody has ended."""
_log = logging.getLogger(__name__)
_broken: list[str] = []


def death() -> str:
    """Return what of Ray has died on this machine during this process; empty if nothing has."""
    return _broken[0] if _broken else ""


@contextmanager
def watched(on_death: Callable[[str], None], on_stuck: Callable[[str], None]) -> Iterator[None]:
    """Look at Ray's processes in another thread; those of a cluster that was joined are not ours to see.

    Args:
        on_death: Called once, in that thread, with what has died.
        on_stuck: Called some seconds later, if what runs inside has not ended: it waits inside of Ray.
    """
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            if death := _dead():
                on_death(death)
                if not over.wait(_STUCK_SECONDS):
                    on_stuck(death)
                return

    thread = threading.Thread(target=look, name="autokd-ray", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def raising(during: str) -> Iterator[None]:
    """Raise an error soon after Ray has died, even if what runs inside waits for an answer of Ray's.

    Args:
        during: What runs inside, for the error.

    Raises:
        WorkersLost: If a process of Ray has died, in place of whatever else goes wrong by that.
    """
    error: WorkersLost | None = None
    interrupted = False
    in_main_thread = threading.current_thread() is threading.main_thread()

    def lose(what: str) -> None:
        nonlocal error
        # Who has interrupted the command may have ended Ray, too.
        if not interrupted:
            error = ray_is_dead(what, during)

    def ray_died(what: str) -> None:
        lose(what)
        if in_main_thread:
            wake_main_thread()

    def stuck(what: str) -> None:
        end_stuck(error)

    def heed(number: int) -> None:
        nonlocal interrupted
        interrupted = error is None

    try:
        with _heeded(heed), watched(ray_died, stuck):
            yield
    except BaseException:
        # It may have failed by the death before that was noticed.
        if what := _dead():
            lose(what)
        if error is None:
            raise
        raise error from None


@contextmanager
def _heeded(heed: Callable[[int], None]) -> Iterator[None]:
    """Call a function at each signal to end, before the handler that is there; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        heed(number)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    heeded = [number for number, handler in before.items() if callable(handler)]
    for number in heeded:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def ray_is_dead(what: str, during: str = "the batch") -> WorkersLost:
    """Return the error that a process of Ray has died on this machine."""
    return WorkersLost(
        f"Ray has died during {during}: {what} was ended, by the system for lack of memory or by somebody. "
        "Results so far are stored; the same command goes on"
    )


def wake_main_thread() -> None:
    """Interrupt the main thread, which may wait for an answer that never comes; another one cannot be."""
    if sys.platform != "win32":
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def end_stuck(error: Exception | None) -> None:
    """End this process before Ray does so without a word; the store loses nothing by it.

    Args:
        error: Why; None if somebody has interrupted the command.
    """
    if error is None:
        _log.error("interrupted; results so far are stored. The same command goes on")
        leave(_INTERRUPTED)
    _log.error("error: %s", error)
    leave(1)


def end() -> None:
    """End Ray; if it is broken, by ending its processes, since its own way would wait for those that died."""
    import ray

    node = _node()
    if _dead() and node is not None:
        with suppress(Exception):
            node.kill_all_processes(check_alive=False, allow_graceful=False, wait=False)
    else:
        ray.shutdown()


def leave(code: int) -> None:
    """End this process at once if Ray is broken, since what Ray does at exit would hang; else do nothing."""
    if death():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _dead() -> str:
    """Look what of Ray has died, and return it as `death` does from then on."""
    node = _node()
    for kind, name in _NAMES.items() if node is not None and not _broken else ():
        processes = node.all_processes.get(kind, ())
        if any(info.process.poll() is not None for info in processes):
            _broken.append(name)
    return death()


def _node() -> Any:
    """Return Ray's record of what it has started in this process; None if it has started nothing."""
    from ray._private import worker

    return worker._global_node
