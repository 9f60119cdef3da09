"""What the simulator's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

from benchmarks.simulation.table import Table, load


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices are small here: on a busy machine more threads take ten times as long."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="package")
def table() -> Table:
    return load("digits")
