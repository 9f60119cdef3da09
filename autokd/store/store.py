"""Store: everything that autokd keeps, behind one short interface."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NoReturn, Self, final

from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL

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
from autokd.errors import StorageUnavailable, StoreUnreachable
from autokd.store import federations, leases, results
from autokd.store.database import connect
from autokd.store.faults import translated
from autokd.store.foreign import readable
from autokd.store.guard import Guard
from autokd.store.leases import Lease
from autokd.store.trials import Trials
from autokd.store.url import normalise, redacted


@final
class Store:
    """Studies, trials, runs, federations and recommendations in one SQL database.

    Only the driver that has a study's lease writes to that study; any number of processes may read at the
    same time, Optuna Dashboard among them. Within a process a store may be shared by threads. It is never
    pickled: it holds a password.

    Each method is one or a few short transactions. A name of a study that does not exist is a `StoreError`,
    except where a method only reads and has an empty answer. Every method raises `StoreUnreachable` if the
    database does not answer or stays locked, and `StoreError` if it answers with an error; no message holds a
    password. After `StoreUnreachable` it is unknown whether the write was done: read back before repeating
    `begin_trial`; all other methods may be repeated as they are.
    """

    def __init__(self, url: URL, storage: RDBStorage) -> None:
        """Use `Store.open`."""
        self._url = url
        self._storage = storage
        self._engine = storage.engine
        self._trials = Trials(storage)
        self._guard = Guard(storage.engine)
        self._leases: list[Lease] = []

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """Open a database, and bring its tables to the version that this code knows.

        Args:
            url: `sqlite:///path`, `postgresql://...`, `mysql://...` or `mariadb://...`.
            create: Whether to make what is missing: file, folder, tables.

        Raises:
            InputError: If the URL is none, or its driver is not installed.
            NotTuned: If there is nothing yet and `create` is off; nothing was changed.
            StorageUnavailable: If the database does not answer; nothing was changed.
            StoreError: If it was written by a newer autokd or Optuna.
        """
        address = normalise(url)
        try:
            return cls(address, connect(address, create=create))
        except StoreUnreachable as error:
            raise StorageUnavailable(str(error)) from error.__cause__

    def close(self) -> None:
        """Give back leases and let go of all connections; the store must not be used any more."""
        for lease in self._leases:
            lease.release()
        self._storage.remove_session()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {redacted(self._url)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a store is not pickled: only the driver writes, and the URL may hold a password")

    @property
    def url(self) -> str:
        """The address without its secrets."""
        return redacted(self._url)

    @property
    def optuna_storage(self) -> RDBStorage:
        """For tools that show Optuna's studies, as its dashboard; autokd itself uses only this class."""
        return self._storage

    # Who is at work

    def acquire(self, studies: Collection[str], *, seconds: float | None = None) -> Lease:
        """Become the only driver of some studies, which need not exist yet: of all of them, or of none.

        The lease is renewed until it is released or the store is closed. It is taken over from a driver that
        has been silent for longer than its lease, and at once from one that ran on this machine and is gone.
        While a lease is held, a commit of anything through this store raises `LeaseLost` if it was lost.

        Args:
            studies: Names.
            seconds: How long this driver may be silent; by default two minutes.

        Raises:
            PairBusy: If a driver that is alive has one of them; found without waiting for any writer.
        """
        with self._translated():
            seconds = leases.lease_seconds() if seconds is None else seconds
            lease = leases.acquire(self._engine, self._url, self._guard, studies, seconds=seconds)
        self._leases.append(lease)
        return lease

    def drivers(self, studies: Collection[str]) -> tuple[leases.DriverFacts, ...]:
        """Who is at work on any of the studies, or was and is gone without giving them back."""
        with self._translated():
            return leases.drivers(self._engine, studies)

    # Studies and trials

    def create_study(
        self, name: str, *, attributes: Mapping[str, Any], features: Mapping[str, float] | None = None
    ) -> None:
        """Make a study that maximises validation accuracy, unless it is there; set its attributes.

        Args:
            attributes: Small JSON values for the dashboard; an existing study gets them, too.
            features: Of its pair, for those who learn from the study; the dashboard does not show them.
        """
        with self._translated():
            self._trials.create_study(name, attributes, features)

    def set_attributes(self, study: str, attributes: Mapping[str, Any]) -> None:
        """Set small JSON values of a study for the dashboard; others are left as they are."""
        with self._translated():
            self._trials.set_attributes(study, attributes)

    def attributes(self, study: str) -> Mapping[str, Any]:
        """What `create_study` and `set_attributes` have set."""
        with self._translated(), readable(f"study {study!r}"):
            return self._trials.attributes(study)

    def features(self, study: str) -> Mapping[str, float]:
        """What `create_study` has set; empty if it set none."""
        with self._translated(), readable(f"study {study!r}"):
            return self._trials.features(study)

    def present(self, study: str, presentation: Presentation, *, mark: str) -> None:
        """Show people a judged study in Optuna Dashboard, in place of what was shown before.

        What somebody has added to the note in the dashboard stays, below the note of autokd.

        Args:
            mark: Of what is shown: with the one that is there already, nothing is written. It is kept once
                all is.
        """
        with self._translated():
            self._trials.present(study, presentation, mark)

    def presented(self, study: str) -> str | None:
        """The mark of what is shown of a study, or None."""
        with self._translated():
            return self._trials.presented(study)

    def studies(self) -> tuple[str, ...]:
        """Names of autokd's studies in order; those of others in the same database are left out."""
        with self._translated(), readable("its studies"):
            return self._trials.studies()

    def trials(self, study: str) -> tuple[TrialRecord, ...]:
        """All trials by number; empty if the study is unknown.

        Raises:
            StoreError: If one of them was not written by autokd.
        """
        with self._translated(), readable(f"study {study!r}"):
            return self._trials.trials(study)

    def reports(self, study: str) -> Mapping[int, tuple[RungReport, ...]]:
        """All that was reported, by trial number and in order of epochs; empty if the study is unknown."""
        with self._translated(), readable(f"study {study!r}"):
            return self._trials.reports(study)

    def begin_trial(
        self,
        study: str,
        setting: Setting,
        *,
        seed: int,
        role: Role,
        distributions: Mapping[str, BaseDistribution],
    ) -> TrialRecord:
        """Add a trial in state RUNNING, all of it in one transaction.

        Args:
            distributions: What the setting was drawn from, by `temperature`, `alpha`, `transfer_set`. A value
                outside of its distribution is no parameter to Optuna (see `autokd.store.mapping`).

        Raises:
            StoreError: Also if earlier trials of the study were drawn from incompatible distributions.
        """
        with self._translated():
            return self._trials.begin(study, setting, seed=seed, role=role, distributions=distributions)

    def report(self, study: str, number: int, report: RungReport) -> None:
        """Keep what a RUNNING trial says at a rung; saying it again changes nothing.

        Raises:
            ValueError: If the accuracy is not a finite number.
            StoreError: Also if the trial has ended without this report.
        """
        with self._translated():
            self._trials.report(study, number, report)

    def end_trial(
        self,
        study: str,
        number: int,
        state: TrialState,
        *,
        failure: Failure | None = None,
        reason: str = "",
    ) -> None:
        """Tell how a trial ended; its value is the last reported accuracy, a FAIL has none.

        Ending it again in the same way changes nothing.

        Raises:
            ValueError: If state and failure do not fit, or a trial that did not fail has never reported.
            StoreError: Also if the trial has ended in another way.
        """
        with self._translated():
            self._trials.end(study, number, state, failure, reason)

    def let_go(self, study: str) -> None:
        """Keep nothing of a study in memory; asked for again, it is read again."""
        self._trials.let_go(study)

    # Race and confirmation runs, and what is concluded from them

    def add_run(self, study: str, run: RunRecord) -> None:
        """Keep a race or confirmation run for ever.

        Raises:
            DuplicateRun: If the run is COMPLETE and one of this study, stage, setting and seed is there
                already. A FAIL may be there any number of times.
        """
        with self._translated():
            results.add_run(self._engine, study, run)

    def runs(self, study: str) -> tuple[RunRecord, ...]:
        """All runs in the order in which they were added; empty if the study is unknown."""
        with self._translated(), readable(f"study {study!r}"):
            return results.runs(self._engine, study)

    def put_recommendation(self, study: str, payload: Mapping[str, Any]) -> None:
        """Keep the latest judgement, JSON values only, in place of the one before."""
        with self._translated():
            results.put_recommendation(self._engine, study, payload)

    def recommendation(self, study: str) -> Mapping[str, Any] | None:
        """The latest judgement, or None."""
        with self._translated(), readable(f"study {study!r}"):
            return results.recommendation(self._engine, study)

    def recommended(self) -> tuple[str, ...]:
        """Names of the studies that have a judgement, in order."""
        with self._translated():
            return results.recommended(self._engine)

    # Federations

    def put_federation(self, facts: FederationFacts) -> None:
        """Keep a federation; one of that name stays as it is, since the name holds its content's hash."""
        with self._translated():
            federations.put_federation(self._engine, facts)

    def federation(self, name: str) -> FederationFacts | None:
        """What is known of a federation, or None."""
        with self._translated(), readable(f"federation {name!r}"):
            return federations.federation(self._engine, name)

    def federations(self) -> tuple[str, ...]:
        """The names of all federations, in the order in which they came."""
        with self._translated():
            return federations.federations(self._engine)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with translated(self._url):
            yield
