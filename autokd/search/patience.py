"""A store that may be away for a while: the driver waits, and goes on as if nothing had happened.

The database may be restarted in the middle of a batch, or the network be gone for a minute. A call that finds
it so is repeated until it succeeds; nothing is lost, since nothing was decided on what is not stored, and
nothing is doubled, since what may have been written already is read back before it is written again.

Only an outage is waited for. A full disk, a database that may only be read or one of another version does not
mend itself: those errors are raised at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, final

from optuna.distributions import BaseDistribution
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential

from autokd.core.records import (
    Failure,
    FederationFacts,
    Presentation,
    Role,
    RungReport,
    RunRecord,
    TrialRecord,
    TrialState,
)
from autokd.core.setting import Setting
from autokd.errors import StoreUnreachable
from autokd.store import Lease, Store

_T = TypeVar("_T")

_FIRST_WAIT: Final = 0.25
_LONGEST_WAIT: Final = 15.0
"""Seconds between two tries: a try costs next to nothing, while all workers wait for it."""
_NOD: Final = 0.1
"""Seconds asleep at a time, so that Ctrl-C is heard."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The database is away, and the driver waits for it.

    Attributes:
        since: When it was first found so, by this machine's clock.
        tries: How often it was asked since.
        reason: What it, or its absence, says; without any password.
    """

    since: datetime
    tries: int
    reason: str


@final
class PatientStore:
    """What a driver does with a `Store`, by the same names and with the same promises, outages waited out.

    After an outage the lease is renewed first: it may have lasted longer than that. So no method raises
    `StoreUnreachable` before `give_up`, but each may raise `LeaseLost`.

    Args:
        store: Does it.
        lease: On all studies that are written to.
        listen: Told of each try that failed, and of the end of an outage with None.
    """

    def __init__(
        self, store: Store, lease: Lease, *, listen: Callable[[Outage | None], None] = lambda outage: None
    ) -> None:
        self._store, self._lease, self._listen = store, lease, listen
        self._in_a_hurry = False
        # NOTE: this driver is the only one that writes, so it knows how many of each the store has.
        self._trials: dict[str, int] = {}
        self._runs: dict[str, int] = {}

    def give_up(self) -> None:
        """Wait no more, now and later; may be called by a signal's handler in the middle of a wait."""
        self._in_a_hurry = True

    def tell(self, words: Mapping[str, Any]) -> None:
        """Let others know how the driver gets on; what cannot be told now is told the next time."""
        with suppress(StoreUnreachable):
            self._lease.tell(words)

    def put_federation(self, facts: FederationFacts) -> None:
        self._patiently(lambda: self._store.put_federation(facts))

    def create_study(
        self, name: str, *, attributes: Mapping[str, Any], features: Mapping[str, float] | None = None
    ) -> None:
        self._patiently(lambda: self._store.create_study(name, attributes=attributes, features=features))

    def set_attributes(self, study: str, attributes: Mapping[str, Any]) -> None:
        self._patiently(lambda: self._store.set_attributes(study, attributes))

    def studies(self) -> tuple[str, ...]:
        return self._patiently(self._store.studies)

    def attributes(self, study: str) -> Mapping[str, Any]:
        return self._patiently(lambda: self._store.attributes(study))

    def features(self, study: str) -> Mapping[str, float]:
        return self._patiently(lambda: self._store.features(study))

    def present(self, study: str, presentation: Presentation, *, mark: str) -> None:
        self._patiently(lambda: self._store.present(study, presentation, mark=mark))

    def presented(self, study: str) -> str | None:
        return self._patiently(lambda: self._store.presented(study))

    def federation(self, name: str) -> FederationFacts | None:
        return self._patiently(lambda: self._store.federation(name))

    def trials(self, study: str) -> tuple[TrialRecord, ...]:
        found = self._patiently(lambda: self._store.trials(study))
        self._trials[study] = len(found)
        return found

    def runs(self, study: str) -> tuple[RunRecord, ...]:
        found = self._patiently(lambda: self._store.runs(study))
        self._runs[study] = len(found)
        return found

    def begin_trial(
        self,
        study: str,
        setting: Setting,
        *,
        seed: int,
        role: Role,
        distributions: Mapping[str, BaseDistribution],
    ) -> TrialRecord:
        known = self._trials[study] if study in self._trials else len(self.trials(study))

        def begin() -> TrialRecord:
            return self._store.begin_trial(study, setting, seed=seed, role=role, distributions=distributions)

        def begun_or_begin() -> TrialRecord:
            begun = self._store.trials(study)[known:]
            return begun[0] if begun else begin()

        trial = self._patiently(begin, again=begun_or_begin)
        self._trials[study] = known + 1
        return trial

    def report(self, study: str, number: int, report: RungReport) -> None:
        self._patiently(lambda: self._store.report(study, number, report))

    def end_trial(
        self,
        study: str,
        number: int,
        state: TrialState,
        *,
        failure: Failure | None = None,
        reason: str = "",
    ) -> None:
        self._patiently(lambda: self._store.end_trial(study, number, state, failure=failure, reason=reason))

    def add_run(self, study: str, run: RunRecord) -> None:
        known = self._runs[study] if study in self._runs else len(self.runs(study))

        def add_unless_added() -> None:
            if len(self._store.runs(study)) == known:
                self._store.add_run(study, run)

        self._patiently(lambda: self._store.add_run(study, run), again=add_unless_added)
        self._runs[study] = known + 1

    def let_go(self, study: str) -> None:
        # It asks no database, so there is nothing to wait for.
        self._store.let_go(study)
        self._trials.pop(study, None)
        self._runs.pop(study, None)

    def put_recommendation(self, study: str, payload: Mapping[str, Any]) -> None:
        self._patiently(lambda: self._store.put_recommendation(study, payload))

    def recommendation(self, study: str) -> Mapping[str, Any] | None:
        return self._patiently(lambda: self._store.recommendation(study))

    def _patiently(self, call: Callable[[], _T], *, again: Callable[[], _T] | None = None) -> _T:
        """What the call gives; `again` replaces it once it is unknown whether it was done."""
        since: datetime | None = None

        def attempt() -> _T:
            if since is None:
                return call()
            # NOTE: also waits for a commit of ours that the server may still be at (see `store.guard`).
            self._lease.renew()
            return (again or call)()

        def told(state: RetryCallState) -> None:
            nonlocal since
            since = since or datetime.now(UTC)
            reason = state.outcome.exception() if state.outcome else None
            self._listen(Outage(since, state.attempt_number, str(reason)))

        retrying = Retrying(
            retry=retry_if_exception_type(StoreUnreachable),
            stop=lambda state: self._in_a_hurry,
            wait=wait_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            sleep=self._sleep,
            before_sleep=told,
            reraise=True,
        )
        try:
            return retrying(attempt)
        finally:
            if since is not None:
                self._listen(None)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._in_a_hurry and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _NOD))
