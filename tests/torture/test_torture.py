"""The short form; the long one is `python -m tests.torture`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autokd.core.setting import Pair
from autokd.store import sqlite_url
from tests.postgres import private_postgres
from tests.torture.batch import workspace
from tests.torture.cluster import Cluster, cluster
from tests.torture.torment import Misfortune, Ordeal, torment
from tests.torture.verdict import check

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PAIRS = [Pair(0, 1), Pair(1, 0), Pair(0, 2), Pair(2, 0)]
SOME = {Misfortune.DRIVER_KILLED: 1, Misfortune.WORKER_KILLED: 1}
ALL = {Misfortune.DRIVER_KILLED: 1, Misfortune.WORKER_KILLED: 1, Misfortune.DATABASE_STOPPED: 1}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    with cluster(2) as started:
        yield started


def test_on_sqlite_nothing_is_lost_and_nothing_done_twice(home: Path, nodes: Cluster) -> None:
    place = workspace(home, sqlite_url(home / "autokd.db"), trials=4)
    survivor = torment(place, PAIRS[:2], Ordeal(SOME, away=0, seed=0), cluster=nodes, say=print)
    check(place, PAIRS[:2])
    assert survivor.starts == 2


def test_on_postgresql_nothing_is_lost_though_the_server_stops(home: Path, nodes: Cluster) -> None:
    with private_postgres() as server:
        place = workspace(home, server.url, trials=4)
        ordeal = Ordeal(ALL, away=3.0, seed=0)
        survivor = torment(place, PAIRS, ordeal, cluster=nodes, database=server, say=print)
        check(place, PAIRS)
    assert survivor.starts == 2 + len(survivor.exits)
