"""Processes that simulate side by side."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

from threadpoolctl import threadpool_limits


def pool(processes: int | None) -> ProcessPoolExecutor:
    """So many processes, by default one a core, with one thread each: matrices are small here."""
    return ProcessPoolExecutor(processes, initializer=threadpool_limits, initargs=(1,))
