"""Runs that are owed, until none is: what is owed is asked anew whenever a run has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from autokd.core.records import RungReport, RunRecord
from autokd.core.run_spec import RunFailure, RunResult, RunSpec
from autokd.core.setting import Pair
from autokd.recommendation.race import to_be_run
from autokd.store import Store

Runs = Mapping[Pair, Sequence[RunRecord]]
"""What the store has, by pair."""
Wanted = Callable[[Runs], Mapping[Pair, Sequence[RunSpec]]]
"""All runs that are wanted as things stand, done or not, by pair and most urgent first."""


@dataclass(frozen=True, slots=True)
class ErrandProgress:
    """How far it is.

    Attributes:
        done: Runs that came to an end or are not tried again.
        total: Runs that are wanted, as far as is known by now.
        ended: Runs that ended since the command began.
        seconds: Since the first of these ended; before that, since the command began.
    """

    done: int
    total: int
    ended: int
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before there is one."""
        if self.ended < 2 or self.seconds <= 0:
            return None
        return (self.total - self.done) * self.seconds / (self.ended - 1)


class Errands:
    """Serves workers with the runs that a pure function of the store wants; one driver, one thread.

    What is wanted may grow with what is known: which learning rate is confirmed shows only after the runs
    that choose it. After any death the same call goes on.

    Attributes:
        ended: Runs that have ended since this office was made.

    Args:
        wanted: Says which runs.
        names: Where each pair's runs are kept.
        retries: How often a run that died of infrastructure or memory is tried again.
        store: Where everything is read from at the start and written to as it happens.
        listen: Told how it gets on after each run.
    """

    def __init__(
        self,
        *,
        wanted: Wanted,
        names: Mapping[Pair, str],
        retries: int,
        store: Store,
        listen: Callable[[ErrandProgress], None] = lambda progress: None,
    ) -> None:
        self._wanted, self._names, self._retries = wanted, names, retries
        self._store, self._listen = store, listen
        self._runs = {pair: list(store.runs(name)) for pair, name in names.items()}
        self._live: dict[str, RunSpec] = {}
        self._since = monotonic()
        self.ended = 0

    @property
    def live(self) -> int:
        """Runs under way."""
        return len(self._live)

    @property
    def finished(self) -> bool:
        """Nothing is under way, and nothing is owed."""
        return not (self._live or self._owed())

    def assign(self, key: str) -> RunSpec | None:
        """Hand out the next run under a key of the caller's; None if nothing can be handed out now."""
        busy = set(self._live.values())
        given = next((one for one in self._owed() if one not in busy), None)
        if given is not None:
            self._live[key] = given
        return given

    def report(self, key: str, report: RungReport) -> bool:
        """Such a run says all that it has to say at its end."""
        raise AssertionError(f"{self._live[key]} reported at epoch {report.epoch}, as a trial would")

    def end(self, key: str, answer: RunResult) -> None:
        """Record how a run ended; one that died of infrastructure is owed again."""
        given = self._live.pop(key)
        record = given.failed(answer) if isinstance(answer, RunFailure) else answer
        assert isinstance(record, RunRecord), f"{given} answered {record}"
        self._store.add_run(self._names[given.pair], record)
        self._runs[given.pair].append(record)
        self.ended += 1
        if self.ended == 1:
            # What came before is mostly workers that started.
            self._since = monotonic()
        self._listen(self.progress())

    def interrupt(self, reason: str) -> None:
        """Give up everything under way; a run that did not end is owed as it was."""
        self._live.clear()

    def progress(self) -> ErrandProgress:
        """How things stand."""
        total = len(self._all())
        return ErrandProgress(
            done=total - len(self._owed()),
            total=total,
            ended=self.ended,
            seconds=monotonic() - self._since,
        )

    def _all(self) -> list[RunSpec]:
        return [spec for wanted in self._wanted(self._runs).values() for spec in dict.fromkeys(wanted)]

    def _owed(self) -> list[RunSpec]:
        """Those that are under way included."""
        known: dict[RunSpec, list[RunRecord]] = {}
        for pair, runs in self._runs.items():
            for run in runs:
                known.setdefault(RunSpec.of(pair, run), []).append(run)
        return [one for one in self._all() if to_be_run(known.get(one, []), self._retries)]
