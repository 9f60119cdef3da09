"""Store: everything that autokd keeps, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NoReturn, ParamSpec, TypeVar, final

from optuna.storages import RDBStorage
from sqlalchemy.engine import URL

from autokd.core.records import (
    Failure,
    FederationFacts,
    Logits,
    Presentation,
    RungReport,
    RunRecord,
    TrialOrigin,
    TrialRecord,
    TrialState,
)
from autokd.core.setting import Setting, Split
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.core.verdict_basis import VarianceSample, VerdictBasis
from autokd.errors import StorageUnavailable, StoreUnreachable
from autokd.store.database import connect
from autokd.store.db_errors import validated
from autokd.store.fencing import Fence
from autokd.store.identity import Original, identity_in
from autokd.store.many_studies import ManyStudies
from autokd.store.optuna_mapping import Distributions
from autokd.store.own_tables import OwnTables
from autokd.store.retrying import OutageRetry
from autokd.store.store_leases import StoreLeases
from autokd.store.trials import Trials
from autokd.store.url import normalise, redacted

_P = ParamSpec("_P")
_T = TypeVar("_T")


@final
class Store(AbstractContextManager["Store"]):
    """Studies, trials, runs, federations and recommendations in one SQL database.

    Only the driver that holds a study's lease writes to that study; any number of processes may read at the
    same time, Optuna Dashboard among them. Threads of a process may share a store. It is never pickled: it
    holds a password.

    Each method is one or a few short transactions, and raises `StoreError` if the database reports an error
    or has no study of that name; methods that can return an empty value then do so instead.

    If the database does not answer or stays locked, a store with a lease waits, and may raise `LeaseLost`;
    one without raises `StoreUnreachable`: the write may have been done or not (`retrying.OutageRetry`). No
    message contains a password.

    Attributes:
        leases: Who drives which studies: takes leases, names the drivers, and asks them to stop.
        many: Reads the records of many studies at once.
    """

    def __init__(self, url: URL, storage: RDBStorage) -> None:
        """Use `Store.open`."""
        self._url = url
        self._storage = storage
        self._engine = engine = storage.engine
        original = Original(url, identity_in(engine))
        self._retry = OutageRetry(url, renew=storage.remove_session, on_error=original.check_file)
        self._run = self._retry.run
        self._trials = Trials(storage)
        self._own = OwnTables(engine)
        self.many = ManyStudies(engine, self._own, self._retry, self._logits)
        self.leases = StoreLeases(url, engine, Fence(engine, original), self._retry, evict=self.evict)

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """Open a database, and bring its tables to the version that this code knows.

        Args:
            url: `sqlite:///path`, `postgresql://...`, `mysql://...` or `mariadb://...`.
            create: Whether to make what is missing: file, folder, tables.

        Raises:
            InputError: If this is not a database URL, or its driver is not installed.
            NotTuned: If there is nothing yet and `create` is off; nothing was changed.
            StorageUnavailable: If the database does not answer; nothing was changed.
            StoreError: If it was written by a newer autokd or Optuna.
        """
        address = normalise(url)
        try:
            return OutageRetry(address)(lambda: cls(address, connect(address, create=create)))
        except StoreUnreachable as error:
            raise _unavailable(error) from error.__cause__

    def close(self) -> None:
        """Release leases and close all connections; the store must not be used any more."""
        for lease in self._retry.held:
            lease.release()
        self._storage.remove_session()
        self._engine.dispose()

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a store is not pickled: only the driver writes, and the URL may hold a password")

    @property
    def url(self) -> str:
        """The address without its secrets."""
        return redacted(self._url)

    @property
    def optuna_storage(self) -> RDBStorage:
        """Optuna's storage, for tools such as its dashboard; autokd itself uses only this class."""
        return self._storage

    # Studies and trials

    def create_study(
        self, name: str, *, attributes: Mapping[str, Any], features: Mapping[str, float] | None = None
    ) -> None:
        """Make a study that maximises validation accuracy, unless it exists; set its attributes, others stay.

        Args:
            attributes: Small JSON values for the dashboard.
            features: Features of its pair, which the dashboard does not show.
        """
        self._run(self._trials.create_study, name, attributes, features)

    def attributes(self, study: str) -> Mapping[str, Any]:
        """Return the attributes that `create_study` and `publish_dashboard` have set."""
        return self._read(f"study {study!r}", self._trials.attributes, study)

    def features(self, study: str) -> Mapping[str, float]:
        """Return the features that `create_study` has set; empty if it set none."""
        return self._read(f"study {study!r}", self._trials.features, study)

    def put_bases(self, study: str, bases: Sequence[VerdictBasis]) -> None:
        """Store what the verdicts of an existing study rest on, in place of what was there."""
        self._run(self._trials.put_bases, study, bases)

    def bases(self, study: str) -> tuple[VerdictBasis, ...]:
        """Return what `put_bases` has stored; empty if that was never called."""
        return self._read(f"study {study!r}", self._trials.bases, study)

    def put_noise(self, study: str, noise: Mapping[str, VarianceSample]) -> None:
        """Store what the confirmation of an existing study shows about noise, by comparison."""
        self._run(self._trials.put_noise, study, noise)

    def noise(self, study: str) -> dict[str, VarianceSample]:
        """Return what `put_noise` has stored; empty if that was never called."""
        return self._read(f"study {study!r}", self._trials.noise, study)

    def put_seconds_spent(self, study: str, batch: str, seconds: float) -> None:
        """Store how many seconds commands have worked on a batch, with one of its studies, which exists."""
        self._run(self._trials.put_seconds_spent, study, batch, seconds)

    def seconds_spent(self, study: str, batch: str) -> float:
        """Return what `put_seconds_spent` has stored; 0 if that was never called, or there is no study."""
        return self._read(f"study {study!r}", self._trials.seconds_spent, study, batch)

    def publish_dashboard(self, study: str, presentation: Presentation, *, mark: str) -> None:
        """Show a judged study in Optuna Dashboard; what people have added to its note stays.

        Args:
            mark: Identifies the content: if it is stored already, nothing is written. It is stored last.
        """
        self._run(self._trials.publish_dashboard, study, presentation, mark)

    def dashboard_mark(self, study: str) -> str | None:
        """Return the mark of what the dashboard shows of a study, or None."""
        return self._run(self._trials.dashboard_mark, study)

    def studies(self) -> tuple[str, ...]:
        """Return the sorted names of autokd's studies; others in the same database are left out."""
        return self._read("its studies", self._trials.studies)

    def names(self) -> frozenset[str]:
        """Return the names of all studies, and those under which there are runs but no study."""
        return frozenset((*self.studies(), *self._run(self._own.studies)))

    def trials(self, study: str) -> tuple[TrialRecord, ...]:
        """Return all trials by number; empty if the study is unknown."""
        return self._read(f"study {study!r}", self._trials.trials, study)

    def reports(self, study: str) -> Mapping[int, tuple[RungReport, ...]]:
        """Return all reports by trial number, ordered by epoch; empty if the study is unknown."""
        return self._read(f"study {study!r}", self._trials.reports, study)

    def begin_trial(
        self,
        study: str,
        setting: Setting,
        *,
        seed: int,
        role: TrialOrigin,
        distributions: Distributions,
        tensor_format: TensorFormat = FORMER_FORMAT,
    ) -> TrialRecord:
        """Add a trial in state RUNNING, all of it in one transaction.

        Raises:
            StoreError: Also if earlier trials of the study were drawn from incompatible distributions.
        """
        begin = partial(self._trials.begin, study, setting, seed, role, distributions, tensor_format)
        before = self._run(self._trials.count, study)
        return self._retry(begin, again=lambda: (self._trials.trials(study)[before:] or (begin(),))[0])

    def report(self, study: str, number: int, report: RungReport) -> None:
        """Store the report of a RUNNING trial at a rung; the same report again changes nothing.

        Raises:
            ValueError: If the accuracy is not a finite number.
            StoreError: Also if the trial has ended without this report.
        """
        self._run(self._trials.report, study, number, report)

    def end_trial(
        self, study: str, number: int, state: TrialState, *, failure: Failure | None = None, reason: str = ""
    ) -> None:
        """End a trial; its value is the last reported accuracy, and a FAIL has none.

        To end it again in the same way changes nothing.

        Raises:
            ValueError: If state and failure do not fit, or a trial that did not fail has never reported.
            StoreError: Also if the trial has ended in another way.
        """
        self._run(self._trials.end, study, number, state, failure, reason)

    def evict(self, study: str) -> None:
        """Drop the memory's copy of a study; the next call reads it again."""
        self._trials.evict(study)
        self._own.evict(study)

    # Race and confirmation runs, and recommendations

    def add_run(self, study: str, run: RunRecord) -> None:
        """Store a race, confirmation or sweep run; a FAIL may be there any number of times.

        Raises:
            DuplicateRun: If the run is COMPLETE and so is one of this study, stage, setting and seed.
        """
        add = partial(self._own.add_run, study, run)
        before = self._run(self._own.run_count, study)
        self._retry(add, again=lambda: add() if self._own.run_count(study) == before else None)

    def runs(self, study: str) -> tuple[RunRecord, ...]:
        """Return all runs in the order in which they were added; empty if the study is unknown.

        The logits of confirmation runs are read when they are looked at, as long as this store is open.
        """
        return self._read(f"study {study!r}", self._own.runs, study, self._logits)

    def _logits(self, run: int, split: Split) -> Logits | None:
        return self._read(f"run {run}", self._own.logits, run, split)

    def tensor_format_of_runs(self, study: str) -> TensorFormat | None:
        """Return the tensor format of the first run, which all runs of a name have; None without a run."""
        return self._read(f"study {study!r}", self._own.tensor_format_of_runs, study)

    def put_recommendation(self, study: str, payload: Mapping[str, Any]) -> None:
        """Store the latest judgement, JSON values only, in place of the one before."""
        self._run(self._own.put_recommendation, study, payload)

    def recommendation(self, study: str) -> Mapping[str, Any] | None:
        """Return the latest judgement, or None."""
        return self._read(f"study {study!r}", self._own.recommendation, study)

    def recommended(self) -> tuple[str, ...]:
        """Return the sorted names of the studies that have a judgement."""
        return self._run(self._own.recommended)

    # Federations

    def put_federation(self, facts: FederationFacts) -> None:
        """Store a federation; one of that name stays as it is, since the name holds its content's hash."""
        self._run(self._own.put_federation, facts)

    def federation(self, name: str) -> FederationFacts | None:
        """Return the facts of a federation, or None."""
        return self._read(f"federation {name!r}", self._own.federation, name)

    def federations(self) -> tuple[str, ...]:
        """Return the names of all federations, in the order in which they were added."""
        return self._run(self._own.federations)

    def _read(self, what: str, operation: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with validated(what):
            return self._run(operation, *args, **kwargs)


def _unavailable(error: StoreUnreachable) -> StorageUnavailable:
    return error if isinstance(error, StorageUnavailable) else StorageUnavailable(str(error))
