"""The real queue, served by workers that look their answers up in a table."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple, final

import numpy as np
from optuna.distributions import BaseDistribution

from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, RungReport, RunRecord, RunState, TrialOrigin, TrialRecord, TrialState
from autokd.core.run_spec import RunFailure, RunSpec
from autokd.core.setting import Pair, Setting, Split
from autokd.core.tensor_format import TensorFormat
from autokd.core.verdict_basis import VerdictBasis
from autokd.execution.search_queue import SearchQueue
from autokd.search.tpe import Sampler
from benchmarks.pairs import pair_of
from benchmarks.simulation.table import Table

WORKERS = 2


class Ran(NamedTuple):
    """A trial that has ended.

    Attributes:
        epochs: That it ran for.
        whole: It was not stopped early.
    """

    pair: Pair
    setting: Setting
    epochs: int
    whole: bool


@final
class Memory:
    """What the queue writes to in place of a database."""

    def __init__(self) -> None:
        self._numbers: dict[str, count[int]] = {}

    def begin_trial(
        self,
        study: str,
        setting: Setting,
        *,
        seed: int,
        role: TrialOrigin,
        distributions: Mapping[str, BaseDistribution],
        tensor_format: TensorFormat,
    ) -> TrialRecord:
        number = next(self._numbers.setdefault(study, count()))
        return TrialRecord(number=number, setting=setting, seed=seed, role=role, state=TrialState.RUNNING)

    def report(self, study: str, number: int, report: RungReport) -> None:
        """Nothing: the queue remembers it."""

    def end_trial(
        self,
        study: str,
        number: int,
        state: TrialState,
        *,
        failure: Failure | None = None,
        reason: str = "",
    ) -> None:
        """Do nothing."""

    def add_run(self, study: str, run: RunRecord) -> None:
        """Do nothing."""

    def put_bases(self, study: str, bases: Sequence[VerdictBasis]) -> None:
        """Do nothing."""

    def evict(self, study: str) -> None:
        """Do nothing."""


def _record(spec: RunSpec, epochs: int) -> RunRecord:
    """A confirmation run, of which nobody here asks more than whether it is done."""
    assert spec.stage is not None
    return RunRecord(
        stage=spec.stage,
        setting=spec.setting,
        seed=spec.seed,
        state=RunState.COMPLETE,
        correct={split: np.ones(1, dtype=np.bool_) for split in (Split.CONFIRMATION, Split.TEST)},
        epochs=epochs,
    )


def replay(
    table: Table,
    *,
    config: StudyConfig,
    meetings: Sequence[Sequence[Pair]],
    sampler: Sampler,
    seed: int,
    names: Mapping[Pair, str],
    workers: int = WORKERS,
    serves: type[SearchQueue] = SearchQueue,
) -> list[Ran]:
    """Search these meetings, from cold, as the driver would.

    Args:
        config: How much to do; its confirmation is kept short, since only the search is looked at.
        seed: Which of the table's seeds answers.
        workers: That run at once; an epoch takes all of them the same time.
        names: Of each pair's study: what samplers draw their seeds from.
        serves: The queue; another than the real one only to try out what that one could do.

    Returns:
        All trials, in the order in which they ended.
    """
    brief = config.confirmation.model_copy(update={"candidates": 1, "seeds": 2})
    config = config.model_copy(update={"confirmation": brief})
    memory: Any = Memory()
    queue = serves(
        config=config,
        space=table.space,
        federation=table.facts(),
        meetings=meetings,
        read=lambda pair: PairRecords(pair=pair, study=names[pair_of(pair)]),
        store=memory,
        sampler=sampler,
        listen_seconds=float("inf"),
    )
    return serve(queue, table, config.rungs, seed=seed, workers=workers)


def serve(
    queue: SearchQueue,
    table: Table,
    rungs: Sequence[int],
    *,
    seed: int,
    workers: int = WORKERS,
    staged: Callable[[RunSpec, int], RunRecord] = _record,
) -> list[Ran]:
    """Serve a queue until it has finished, and return the trials in the order in which they ended.

    Args:
        seed: Which of the table's seeds answers trials.
        staged: What a race or confirmation run of so many epochs shows.
    """
    ran: list[Ran] = []
    busy: list[tuple[int, int, str, RunSpec, int]] = []
    serial, now = count(), 0
    while not queue.finished:
        while len(busy) < workers:
            number = next(serial)
            spec = queue.assign(f"{number}")
            if spec is None:
                break
            epochs = rungs[0] if spec.stage is None else rungs[-1]
            heapq.heappush(busy, (now + epochs, number, f"{number}", spec, epochs))
        now, number, key, spec, epoch = heapq.heappop(busy)
        if spec.stage is not None:
            queue.end(key, staged(spec, epoch))
            continue
        report = _report(table, spec, epoch, seed)
        if report is None:
            queue.end(key, RunFailure(Failure.DIVERGED, "as it did when the table was recorded"))
            ran.append(Ran(pair_of(spec.pair), spec.setting, epoch, whole=False))
            continue
        if epoch == rungs[-1]:
            queue.end(key, report)
        elif queue.report(key, report):
            later = rungs[rungs.index(epoch) + 1]
            heapq.heappush(busy, (now + later - epoch, number, key, spec, later))
            continue
        else:
            queue.end(key, report)
        ran.append(Ran(pair_of(spec.pair), spec.setting, epoch, epoch == rungs[-1]))
    return ran


def _report(table: Table, spec: RunSpec, epoch: int, seed: int) -> RungReport | None:
    """None for a run that diverged."""
    where = (table.row[pair_of(spec.pair)], table.column[spec.setting], seed, table.rungs.index(epoch))
    accuracy = float(table.accuracy[where][0])
    if math.isnan(accuracy):
        return None
    return RungReport(
        epoch=epoch,
        accuracy=accuracy,
        forgetting=0.0,
        local_accuracy=accuracy,
        soft_loss=0.0,
        hard_loss=None,
        seconds=0.0,
    )
