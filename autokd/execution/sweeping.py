"""The sweep: every setting of a grid for every pair, nothing stopped early and nothing chosen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from autokd.config.study import SWEEP_SEEDS
from autokd.core.records import RungReport, RunRecord, RunState, Stage
from autokd.core.run_spec import RunFailure, RunResult, RunSpec
from autokd.core.setting import Pair, Setting
from autokd.recommendation.race import to_be_run
from autokd.store import Store


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """How far a sweep is.

    Attributes:
        done: Runs that the store has, failed ones included.
        total: Runs of the whole sweep.
        failed: Of `done`, those that came to no answer and are not tried again.
        ended: Runs that ended since the command began.
        seconds: Since the first of these ended; before that, since the command began.
    """

    done: int
    total: int
    failed: int
    ended: int
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before there is one."""
        if self.ended < 2 or self.seconds <= 0:
            return None
        return (self.total - self.done) * self.seconds / (self.ended - 1)


class Sweeper:
    """Serves workers with what is left of a sweep; one driver, one thread.

    What is left is a function of what the store has, so after any death the same call goes on. All pairs are
    swept with one seed before the next, so that a sweep which was cut off has seen every pair.

    Attributes:
        ended: Runs that have ended since this sweeper was made.
        failed: Runs that came to no answer and are not tried again.

    Args:
        grid: The settings.
        names: Where each pair's runs are kept, by pair, in the order in which they are swept.
        seeds: With how many seeds.
        retries: How often a run that died of infrastructure or memory is tried again.
        store: Where everything is read from at the start and written to as it happens.
        listen: Told how it gets on after each run.
    """

    def __init__(
        self,
        *,
        grid: Sequence[Setting],
        names: Mapping[Pair, str],
        seeds: int,
        retries: int,
        store: Store,
        listen: Callable[[SweepProgress], None] = lambda progress: None,
    ) -> None:
        self._names, self._retries, self._store, self._listen = names, retries, store, listen
        self._records: dict[RunSpec, list[RunRecord]] = {
            RunSpec(pair, setting, SWEEP_SEEDS + seed, Stage.SWEEP): []
            for seed in range(seeds)
            for pair in names
            for setting in grid
        }
        for pair, name in names.items():
            for run in store.runs(name):
                swept = RunSpec.of(pair, run)
                # Another grid, or more seeds, may have been swept before.
                if swept in self._records:
                    self._records[swept].append(run)
        self._left = deque(one for one, known in self._records.items() if to_be_run(known, retries))
        self.failed = sum(map(self._is_lost, self._records.values()))
        self._live: dict[str, RunSpec] = {}
        self._since = monotonic()
        self.ended = 0

    @property
    def live(self) -> int:
        """Runs under way."""
        return len(self._live)

    @property
    def finished(self) -> bool:
        """Nothing is under way, and nothing is left to hand out."""
        return not (self._live or self._left)

    def assign(self, key: str) -> RunSpec | None:
        """Hand out the next run under a key of the caller's; None if nothing can be handed out now."""
        if not self._left:
            return None
        self._live[key] = self._left.popleft()
        return self._live[key]

    def report(self, key: str, report: RungReport) -> bool:
        """A swept run says all that it has to say at its end."""
        raise AssertionError(f"{self._live[key]} reported at epoch {report.epoch}, as a trial would")

    def end(self, key: str, answer: RunResult) -> None:
        """Record how a run ended; one that died of infrastructure comes last again."""
        given = self._live.pop(key)
        record = given.failed(answer) if isinstance(answer, RunFailure) else answer
        assert isinstance(record, RunRecord), f"{given} answered {record}"
        self._store.add_run(self._names[given.pair], record)
        self._records[given].append(record)
        if to_be_run(self._records[given], self._retries):
            self._left.append(given)
        self.failed += self._is_lost(self._records[given])
        self.ended += 1
        if self.ended == 1:
            # What came before is mostly workers that started.
            self._since = monotonic()
        self._listen(self.progress())

    def interrupt(self, reason: str) -> None:
        """Give up everything under way; a run that did not end is owed as it was."""
        self._left.extendleft(self._live.values())
        self._live.clear()

    def progress(self) -> SweepProgress:
        """How things stand."""
        left = len(self._left) + len(self._live)
        return SweepProgress(
            done=len(self._records) - left,
            total=len(self._records),
            failed=self.failed,
            ended=self.ended,
            seconds=monotonic() - self._since,
        )

    def _is_lost(self, known: Sequence[RunRecord]) -> bool:
        """Whether a run came to no answer and is not tried again."""
        if not known or to_be_run(known, self._retries):
            return False
        return all(run.state is RunState.FAIL for run in known)
