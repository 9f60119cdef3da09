"""Notices the death of Ray's own processes on this machine, in time to say so.

Ray ends the process that uses it, in C++ and without a word that helps: half a minute after its raylet died,
a minute after its GCS did.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

_NAMES: Final[Mapping[str, str]] = {"gcs_server": "its control store (GCS)", "raylet": "its raylet"}
"""Processes without which Ray cannot go on, by Ray's name of their kind."""
_LOOK_SECONDS: Final = 0.2
_STUCK_SECONDS: Final = 2.0
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
                _broken.append(death)
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


def end() -> None:
    """End Ray; if it is broken, by ending its processes, since its own way would wait for those that died."""
    import ray

    node = _node()
    if death() and node is not None:
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
    node = _node()
    if node is None:
        return ""
    for kind, name in _NAMES.items():
        for info in node.all_processes.get(kind, ()):
            if info.process.poll() is not None:
                return name
    return ""


def _node() -> Any:
    """Return Ray's record of what it has started in this process; None if it has started nothing."""
    from ray._private import worker

    return worker._global_node
