"""Records what happens to the runs of a search: in the store, in the driver's memory, and for the sampler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from autokd.config.space import Space
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.price import Load
from autokd.core.records import Failure, RungReport, RunRecord, TrialRecord, TrialState
from autokd.core.run_spec import RunFailure, RunSpec
from autokd.core.setting import AnyPair
from autokd.execution.bases import Bases
from autokd.search.next_work import PairSearch
from autokd.search.objective import scalarise
from autokd.search.optuna_space import distributions
from autokd.search.tpe import Sampler
from autokd.store import Store


@dataclass(slots=True, eq=False)
class LiveRun:
    """A run of a search in progress.

    Attributes:
        number: Number of its trial; None for a race or confirmation run.
        stopped: Whether ASHA stopped it at its last report.
        seconds: Seconds of training reported so far.
    """

    meeting: list[PairSearch]
    study: PairSearch
    spec: RunSpec
    number: int | None
    stopped: bool = False
    seconds: float = 0.0

    @property
    def cost(self) -> Load:
        """Work of the run if it is not stopped early."""
        return self.study.costs.of(self.spec.setting)

    @property
    def trial(self) -> TrialRecord:
        return next(trial for trial in self.study.trials if trial.number == self.number)


class Recorder:
    """Keeps the store, the records of the searched pairs, and what the sampler knows in step.

    Args:
        sampler: It learns from every trial that ends.
        space_of: Space of each pair or group.
        register: Makes a pair's study; called before the first trial that begins.
    """

    def __init__(
        self,
        config: StudyConfig,
        store: Store,
        sampler: Sampler,
        bases: Bases,
        space_of: Callable[[AnyPair], Space],
        register: Callable[[PairRecords], None],
    ) -> None:
        self._config, self._store, self._sampler, self._bases = config, store, sampler, bases
        self._space_of, self._register = space_of, register
        self._registered: set[AnyPair] = set()

    def without_running(self, records: PairRecords) -> PairRecords:
        """Return stored records in which no trial is RUNNING: those ended with the driver that ran them."""
        trials = []
        for trial in records.trials:
            if trial.state is TrialState.RUNNING:
                failure, reason = Failure.INTERRUPTED, "the driver was gone before the trial had ended"
                self._store.end_trial(
                    records.study, trial.number, TrialState.FAIL, failure=failure, reason=reason
                )
                trial = replace(trial, state=TrialState.FAIL, failure=failure, reason=reason)
            trials.append(trial)
        return replace(records, trials=tuple(trials))

    def begin(self, study: PairSearch, spec: RunSpec) -> int:
        """Begin a trial, the first one after its study is made; return its number."""
        if study.pair not in self._registered:
            self._registered.add(study.pair)
            self._register(study.records)
        trial = self._store.begin_trial(
            study.records.study,
            spec.setting,
            seed=spec.seed,
            role=spec.role,
            distributions=distributions(self._space_of(study.pair)),
            tensor_format=study.records.tensor_format,
        )
        study.put_trial(trial)
        return trial.number

    def report(self, live: LiveRun, report: RungReport) -> None:
        """Record what a trial reports at a rung."""
        trial = live.trial
        self._store.report(live.study.records.study, trial.number, report)
        curve = (*trial.curve, (report.epoch, report.accuracy))
        forgetting_curve = (*trial.forgetting_curve, report.forgetting)
        live.study.put_trial(replace(trial, curve=curve, forgetting_curve=forgetting_curve))

    def end_trial(self, live: LiveRun, state: TrialState, cause: RunFailure | None = None) -> None:
        """Record the end of a trial, from which the sampler learns."""
        study, number = live.study, live.trial.number
        failure, reason = (cause.failure, cause.reason) if cause is not None else (None, "")
        self._store.end_trial(study.records.study, number, state, failure=failure, reason=reason)
        trial = replace(live.trial, state=state, failure=failure, reason=reason)
        study.put_trial(trial)
        self._sampler.learn(study.records.study, scalarise(trial, self._config.aims, study.initial_accuracy))
        self._bases.look_ahead(study)
        self._bases.update_seeds(study)

    def add_run(self, study: PairSearch, run: RunRecord) -> None:
        """Record a race or confirmation run that has ended."""
        self._store.add_run(study.records.study, run)
        study.add_run(run)
        self._bases.update_seeds(study)

    def fail(self, live: LiveRun, failure: RunFailure) -> None:
        """Record that a run failed."""
        if live.spec.stage is None:
            self.end_trial(live, TrialState.FAIL, failure)
        elif failure.failure is not Failure.INTERRUPTED:  # An interrupted run has no row that must be closed.
            self.add_run(live.study, live.spec.failed(failure, live.study.records.tensor_format))
