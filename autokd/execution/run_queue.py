"""What a driver serves its workers from: the `RunQueue` interface, and the queue of a list of runs."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol

from autokd.config.study import SWEEP_SEEDS
from autokd.core.price import NOTHING, Load, Prices
from autokd.core.records import RungReport, RunRecord, RunState, Stage
from autokd.core.run_spec import RunFailure, RunResult, RunSpec
from autokd.core.setting import AnyPair, Setting
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.execution.pace import Pace
from autokd.recommendation.race import to_be_run
from autokd.search.eta import forecast
from autokd.store import Store

Runs = Mapping[AnyPair, Sequence[RunRecord]]
"""Stored runs by pair."""
Wanted = Callable[[Runs], Sequence[RunSpec]]
"""Returns all runs that are known to be needed, done or not, most urgent first."""


class RunQueue(Protocol):
    """Hands out runs and records their results; used by one driver in one thread."""

    @property
    def live(self) -> int:
        """Number of runs in progress."""

    @property
    def finished(self) -> bool:
        """Whether no run is in progress, and none is left to hand out."""

    def assign(self, key: str) -> RunSpec | None:
        """Hand out the next run under a key that the caller chooses; None if no run can start now."""

    def report(self, key: str, report: RungReport) -> bool:
        """Record a rung of a trial; return False if the trial is to stop there."""

    def end(self, key: str, result: RunResult) -> None:
        """Record how a run ended."""

    def interrupt(self, reason: str) -> None:
        """Give up all runs in progress; they are done again another time."""


@dataclass(frozen=True, slots=True)
class RunQueueProgress:
    """How much of a list of runs is done.

    Attributes:
        done: Number of runs that are complete, or failed and are not tried again.
        total: Number of runs that are known to be needed.
        failed: Number of runs of `done` that failed.
        ended: Number of runs that ended since the command began.
        seconds: Seconds since the first of these ended; before that, since the command began.
        pace: Work of all but the first of these, which ended in these seconds.
        left: Work of the runs that are not done.
        training: Share of the workers' time that went into training, in [0, 1].
    """

    done: int
    total: int
    failed: int
    ended: int
    seconds: float
    pace: Load = NOTHING
    left: Load = NOTHING
    training: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds for the rest at the pace so far; None before some more runs have ended."""
        pace = replace(self.pace, runs=max(0, self.ended - 1))
        left = replace(self.left, runs=self.total - self.done)
        return forecast(pace, left, seconds=self.seconds, training=self.training)


class FixedRunQueue(RunQueue):
    """Serves workers with a list of runs, without a search.

    The list may grow while its runs end: which learning rate is repeated with more seeds is known only
    after the runs that choose it. What is left follows from the stored runs, so the same call continues
    after a kill.

    Attributes:
        runs: Runs by pair, as the store has them.
        failed: Number of runs that failed and are not tried again.

    Args:
        wanted: Returns the list. As long as it returns the same object, the list has not changed.
        names: Name under which each pair's runs are stored.
        retries: Number of retries of a run that failed for lack of infrastructure or memory.
        store: Read once at the start; every result is written to it.
        tensor_formats: Memory format and precision of each pair's runs.
        listen: Called with the progress after each run.
        prices: What each pair's runs cost; without them all runs are taken to cost the same.
    """

    def __init__(
        self,
        *,
        wanted: Wanted,
        names: Mapping[AnyPair, str],
        retries: int,
        store: Store,
        tensor_formats: Mapping[AnyPair, TensorFormat] | None = None,
        listen: Callable[[RunQueueProgress], None] = lambda progress: None,
        prices: Mapping[AnyPair, Prices] | None = None,
    ) -> None:
        self._wanted, self._names, self._retries = wanted, names, retries
        self._store, self._tensor_formats, self._listen = store, tensor_formats or {}, listen
        self.runs = {pair: list(store.runs(name)) for pair, name in names.items()}
        self._records: defaultdict[RunSpec, list[RunRecord]] = defaultdict(list)
        for pair, runs in self.runs.items():
            for run in runs:
                self._records[RunSpec.of(pair, run)].append(run)
        self._live: dict[str, RunSpec] = {}
        self._prices, self._pace = prices or {}, Pace()
        self._set_specs(wanted(self.runs))

    @classmethod
    def of_sweep(
        cls,
        *,
        grid: Sequence[Setting],
        names: Mapping[AnyPair, str],
        seeds: int,
        retries: int,
        store: Store,
        tensor_formats: Mapping[AnyPair, TensorFormat] | None = None,
        listen: Callable[[RunQueueProgress], None] = lambda progress: None,
        prices: Mapping[AnyPair, Prices] | None = None,
    ) -> FixedRunQueue:
        """Return the queue of a sweep: each setting of the grid, for each pair, with each seed.

        All pairs run with one seed before the next, so that an interrupted sweep has results of every pair.
        A run that failed and is tried again comes last.
        """
        specs = [
            RunSpec(pair, setting, SWEEP_SEEDS + seed, Stage.SWEEP)
            for seed, pair, setting in product(range(seeds), names, grid)
        ]
        return cls(
            wanted=lambda runs: specs,
            names=names,
            retries=retries,
            store=store,
            tensor_formats=tensor_formats,
            listen=listen,
            prices=prices,
        )

    @property
    def ended(self) -> int:
        """Number of runs that have ended since this queue was made."""
        return self._pace.ended

    @property
    def live(self) -> int:
        return len(self._live)

    @property
    def finished(self) -> bool:
        return not (self._live or self._waiting)

    def assign(self, key: str) -> RunSpec | None:
        if not self._waiting:
            return None
        self._live[key] = spec = self._waiting.popleft()
        self._left -= self._load(spec)
        self._pace.most_live = max(self._pace.most_live, len(self._live))
        return spec

    def report(self, key: str, report: RungReport) -> bool:
        """Raise: these runs report only their end."""
        raise AssertionError(f"{self._live[key]} reported at epoch {report.epoch}, as a trial would")

    def end(self, key: str, result: RunResult) -> None:
        """Record how a run ended, and put it back into the queue if it is to be tried again."""
        spec = self._live.pop(key)
        if isinstance(result, RunFailure):
            result = spec.failed(result, self._tensor_formats.get(spec.pair, FORMER_FORMAT))
        record = result
        assert isinstance(record, RunRecord), f"{spec} ended with {record}"
        self._store.add_run(self._names[spec.pair], record)
        self.runs[spec.pair].append(record)
        self._records[spec].append(record)
        specs = self._wanted(self.runs)
        if specs is not self._specs:
            self._set_specs(specs)
        elif self._is_pending(spec):
            self._waiting.append(spec)
            self._left += self._load(spec)
        else:
            self.failed += self._has_failed(spec)
        self._pace.add(self._load(spec, record.epochs), record.seconds)
        self._listen(self.progress())

    def interrupt(self, reason: str) -> None:
        self._waiting.extendleft(reversed(self._live.values()))
        self._left += sum(map(self._load, self._live.values()), NOTHING)
        self._live.clear()

    def progress(self) -> RunQueueProgress:
        """Return how much is done."""
        return RunQueueProgress(
            done=len(self._specs) - len(self._waiting) - len(self._live),
            total=len(self._specs),
            failed=self.failed,
            ended=self.ended,
            # Most of the time before the first one was the start of the workers.
            seconds=self._pace.seconds - self._pace.waited,
            pace=self._pace.done,
            left=sum(map(self._load, self._live.values()), self._left),
            training=self._pace.training,
        )

    def _load(self, spec: RunSpec, epochs: int | None = None) -> Load:
        prices = self._prices.get(spec.pair)
        return Load(runs=1) if prices is None else prices.load(spec.setting, epochs)

    def _set_specs(self, specs: Sequence[RunSpec]) -> None:
        live = set(self._live.values())
        self._specs = specs
        self._waiting = deque(spec for spec in specs if spec not in live and self._is_pending(spec))
        self._left = sum(map(self._load, self._waiting), NOTHING)
        self.failed = sum(map(self._has_failed, specs))

    def _is_pending(self, spec: RunSpec) -> bool:
        return to_be_run(self._records[spec], self._retries)

    def _has_failed(self, spec: RunSpec) -> bool:
        """Return whether a run failed and is not tried again."""
        return not self._is_pending(spec) and all(run.state is RunState.FAIL for run in self._records[spec])
