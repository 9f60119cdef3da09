"""Runs the batch, and has it suffer at random moments; starts it again whenever it died, until it is done."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

import psutil

from autokd.core.setting import Pair
from autokd.workspace import Workspace
from tests.postgres import Postgres
from tests.torture.batch import journal
from tests.torture.cluster import Cluster

_NOD: Final = 0.05
_MOST_EXITS: Final = 8
_LATEST: Final = 1.5
"""Seconds that a misfortune waits at most, once its turn has come: so it may meet a driver that starts."""
_PATIENCE: Final = 240.0
"""Seconds without a run recorded, after which the batch hangs."""


class Misfortune(StrEnum):
    """What may befall a batch."""

    DRIVER_KILLED = "driver killed"
    WORKER_KILLED = "worker killed"
    NODE_REMOVED = "node removed"
    DATABASE_STOPPED = "database stopped"


@dataclass(frozen=True, slots=True)
class Ordeal:
    """All that a batch is to suffer.

    Attributes:
        misfortunes: How often each comes.
        away: Seconds that the database is stopped.
        seed: Decides on their order and moments.
    """

    misfortunes: Mapping[Misfortune, int]
    away: float
    seed: int


@final
class Keeper:
    """Keeps a driver at work: whenever it has died, another one follows.

    Attributes:
        starts: Of drivers.
        exits: Codes with which drivers ended by themselves before all was done; they may, where they find no
            database when they start.
    """

    def __init__(self, place: Workspace, pairs: Sequence[Pair], cluster: Cluster) -> None:
        self._journal = journal(place.home)
        arguments = [str(place.home), place.storage, cluster.address, str(place.config.search.trials)]
        self._command = [sys.executable, "-m", "tests.torture.batch", *arguments]
        self._command += [f"{pair.teacher},{pair.student}" for pair in pairs]
        self.starts, self.exits = 0, list[int]()
        self._start()

    def _start(self) -> None:
        self._driver = subprocess.Popen(self._command)
        self.starts += 1

    def recorded(self) -> int:
        """Runs whose end the store has."""
        return self._journal.read_text().count("recorded\t") if self._journal.exists() else 0

    def wait(self, runs: float) -> int:
        """Until a driver is alive and so many runs are recorded, or all is done; how many there are."""
        known, changed = -1, time.monotonic()
        while True:
            done, now = self.done(), self.recorded()
            if done or now >= runs:
                return now
            if now != known:
                known, changed = now, time.monotonic()
            assert time.monotonic() - changed < _PATIENCE, f"nothing happens after {now} runs"
            time.sleep(_NOD)

    def linger(self, seconds: float, runs: float) -> int:
        """For so long, or until so many runs are recorded; how many there are."""
        until = time.monotonic() + seconds
        while (now := self.recorded()) < runs and time.monotonic() < until:
            time.sleep(_NOD)
        return now

    def done(self) -> bool:
        """Whether nothing is left to do; a driver that ended by itself before is followed by another."""
        code = self._driver.poll()
        if code:
            if code > 0:
                self.exits.append(code)
                assert len(self.exits) < _MOST_EXITS, f"drivers end by themselves: {self.exits}"
            self._start()
        return code == 0

    def kill(self) -> None:
        """The driver that is alive, with SIGKILL."""
        self._driver.kill()
        self._driver.wait()


def torment(
    place: Workspace,
    pairs: Sequence[Pair],
    ordeal: Ordeal,
    *,
    cluster: Cluster,
    database: Postgres | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Keeper:
    """Tune these pairs to the end, through all of it.

    Misfortunes are spread over the runs that the batch records at least, and each comes a random moment
    later, but not after these: so all of them find work that is left, however fast the machine is.
    """
    certain = fewest_runs(place, pairs)
    dice, began = random.Random(ordeal.seed), time.monotonic()
    coming = [misfortune for misfortune, times in ordeal.misfortunes.items() for _ in range(times)]
    dice.shuffle(coming)
    turns = sorted(dice.choices(range(certain), k=len(coming)))
    keeper = Keeper(place, pairs, cluster)
    try:
        for turn, misfortune in zip(turns, coming, strict=True):
            keeper.wait(turn)
            recorded = keeper.linger(dice.uniform(0, _LATEST), certain)
            say(f"{time.monotonic() - began:6.1f} s, {recorded:4} runs: {misfortune}")
            if misfortune is Misfortune.DRIVER_KILLED:
                keeper.kill()
            elif misfortune is Misfortune.WORKER_KILLED:
                _kill_one(keeper, cluster, dice)
            elif misfortune is Misfortune.NODE_REMOVED:
                cluster.remove_node()
            else:
                assert database is not None
                database.stop(dice.choice(["fast", "immediate"]))
                time.sleep(ordeal.away)
                database.start()
        recorded = keeper.wait(math.inf)
        say(f"{time.monotonic() - began:6.1f} s, {recorded:4} runs: done with {keeper.starts} drivers")
    finally:
        keeper.kill()
    return keeper


def _kill_one(keeper: Keeper, cluster: Cluster, dice: random.Random) -> None:
    """Wait for a worker to be there, if need be."""
    until = time.monotonic() + _PATIENCE
    while not (workers := cluster.workers()):
        assert not keeper.done(), "the batch was done too early"
        assert time.monotonic() < until, "no worker appears"
        time.sleep(_NOD)
    with suppress(psutil.NoSuchProcess):
        dice.choice(workers).kill()


def fewest_runs(place: Workspace, pairs: Sequence[Pair]) -> int:
    """What a batch cannot do with less: its trials, and the default's confirmation runs."""
    return len(pairs) * (place.config.search.trials + place.config.confirmation.seeds)
