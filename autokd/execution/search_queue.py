"""The queue of a search: hands out runs and records their results; its state can be read from the store."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from autokd.config.space import Space, sweep_epochs
from autokd.config.study import SEARCH_SEED, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, FederationFacts, RungReport, RunRecord, TrialRecord, TrialState
from autokd.core.run_spec import RunFailure, RunResult, RunSpec
from autokd.core.setting import Pair, Split, derive_seed
from autokd.execution.run_queue import RunQueue
from autokd.recommendation.interim_looks import seeds_wanted
from autokd.recommendation.race import looks_of
from autokd.search.asha import should_continue
from autokd.search.basis import fix_basis, needs_basis, why_ended
from autokd.search.ending import Prospects, outlook
from autokd.search.eta import NOTHING, Load
from autokd.search.next_work import PairSearch, next_work, searches_over
from autokd.search.objective import scalarise
from autokd.search.optuna_space import distributions
from autokd.search.progress import Progress, StudyProgress, VerdictSummary, study_progress, work_left
from autokd.search.tpe import Sampler, Tpe
from autokd.statistics.moderation import VariancePool
from autokd.store import Store


@dataclass(slots=True, eq=False)
class _Live:
    """A run in progress.

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
    def trial(self) -> TrialRecord:
        return next(trial for trial in self.study.trials if trial.number == self.number)


class _Pace:
    """Measures what the forecast needs. The first run only marks the end of the workers' start.

    Attributes:
        ended: Number of runs that have ended.
        waited: Seconds until the first of them had ended.
        done: Runs and epochs of the others.
        most_live: Largest number of runs in progress at once.
    """

    def __init__(self) -> None:
        self._began, self._trained = monotonic(), 0.0
        self.ended, self.waited, self.done, self.most_live = 0, 0.0, NOTHING, 1

    @property
    def seconds(self) -> float:
        """Seconds since the command began."""
        return monotonic() - self._began

    @property
    def training(self) -> float:
        """Share of the workers' time that went into training; one run in progress waits for a worker."""
        time = max(1, self.most_live - 1) * (self.seconds - self.waited)
        return min(1.0, self._trained / time) if time > 0 else 0.0

    def add(self, load: Load, seconds: float) -> None:
        """Count a run that has ended."""
        self.ended += 1
        if self.ended == 1:
            self.waited = self.seconds
            return
        self.done += load
        self._trained += seconds


class SearchQueue(RunQueue):
    """Serves workers with the searches of any number of meetings.

    Args:
        federation: The federation's facts: the validation labels, and the models before distillation.
        meetings: The searched pairs, grouped by meeting, in the order in which they are served.
        read: Returns the stored trials and runs of a pair whose study exists; called once for each pair.
        store: Every change is written to it.
        sampler: Chooses settings and learns from every trial that ends; TPE by default.
        listen: Called with the progress after a change.
        listen_seconds: Least time between two calls of `listen`; the progress of a batch takes milliseconds.
        conclude: Judges the pairs of a meeting for which nothing is left to do, from their stored records.
        noise: What the confirmations of finished pairs have shown about noise; `conclude` adds to it.
    """

    def __init__(
        self,
        *,
        config: StudyConfig,
        space: Space,
        federation: FederationFacts,
        meetings: Sequence[Sequence[Pair]],
        read: Callable[[Pair], PairRecords],
        store: Store,
        sampler: Sampler | None = None,
        listen: Callable[[Progress], None] = lambda progress: None,
        listen_seconds: float = 0.0,
        conclude: Callable[[Sequence[PairRecords]], Mapping[Pair, VerdictSummary]] = lambda over: {},
        noise: VariancePool | None = None,
    ) -> None:
        self._config, self._space, self._store, self._federation = config, space, store, federation
        self._sampler = sampler or Tpe(space, config.search.startup_trials)
        self._listen, self._conclude = listen, conclude
        self._listen_seconds, self._listened = listen_seconds, -math.inf
        self._noise = VariancePool() if noise is None else noise
        self._pace = _Pace()
        self._live: dict[str, _Live] = {}
        self._over: list[StudyProgress] = []
        self._open: list[list[PairSearch]] = []
        for meeting in meetings:
            self._open.append([self._load(read(pair)) for pair in meeting])
            self._close_if_over(self._open[-1])

    @property
    def ended(self) -> int:
        """Number of runs that have ended since this queue was made."""
        return self._pace.ended

    @property
    def live(self) -> int:
        return len(self._live)

    @property
    def finished(self) -> bool:
        return not self._open

    def assign(self, key: str) -> RunSpec | None:
        for meeting in self._open:
            while (work := self._next(meeting)) is not None:
                if (spec := self._begin(meeting, work, key)) is not None:
                    self._notify()
                    return spec
        # A grid may have become exhausted just now.
        for meeting in list(self._open):
            self._close_if_over(meeting)
        return None

    def report(self, key: str, report: RungReport) -> bool:
        live = self._live[key]
        live.seconds = report.seconds
        self._record_rung(live, report)
        values = {trial.number: trial for trial in self._scalarised(live.study)}
        trial = values.pop(live.trial.number)
        live.stopped = not should_continue(self._config.search.stopping, trial, values.values())
        self._notify()
        return not live.stopped

    def end(self, key: str, result: RunResult) -> None:
        """Record how a run ended: by its last rung, by early stopping, by its record, or by a failure."""
        live = self._live[key]
        if isinstance(result, RunFailure):
            self._fail(live, result)
        elif isinstance(result, RunRecord):
            self._add_run(live.study, result)
        elif live.stopped:
            self._end_trial(live, TrialState.PRUNED)
        else:
            self._record_rung(live, result)
            self._end_trial(live, TrialState.COMPLETE)
        seconds = live.seconds if isinstance(result, RunFailure) else result.seconds
        epochs = result.epochs if isinstance(result, RunRecord) else 0
        self._remove(key, Load(1, epochs if live.number is None else live.trial.epochs), seconds)

    def interrupt(self, reason: str) -> None:
        for key, live in list(self._live.items()):
            self._fail(live, RunFailure(Failure.INTERRUPTED, reason))
            self._remove(key, NOTHING, 0.0)

    def progress(self) -> Progress:
        """Return how much is done."""
        studies = (*self._over, *(study_progress(study) for meeting in self._open for study in meeting))
        left = work_left(self._config, self._open, self._over)
        return Progress(
            studies=studies,
            live=len(self._live),
            ended=self._pace.ended,
            left=round(left.runs),
            epochs_left=left.epochs,
            seconds=self._pace.seconds,
            waited=self._pace.waited,
            done=self._pace.done,
            training=self._pace.training,
            sweep_epochs=sweep_epochs(self._config, len(studies)),
        )

    def _load(self, records: PairRecords) -> PairSearch:
        """Return a study as stored; a trial that is RUNNING there ended with the driver that ran it."""
        name, trials = records.study, []
        for trial in records.trials:
            if trial.state is TrialState.RUNNING:
                failure, reason = Failure.INTERRUPTED, "the driver was gone before the trial had ended"
                self._store.end_trial(name, trial.number, TrialState.FAIL, failure=failure, reason=reason)
                trial = replace(trial, state=TrialState.FAIL, failure=failure, reason=reason)
            trials.append(trial)
        study = PairSearch(
            records=replace(records, trials=tuple(trials)),
            initial_accuracy=self._federation.participants[records.pair.student].accuracy(Split.VALIDATION),
        )
        for trial in self._scalarised(study):
            self._sampler.learn(name, trial)
        self._look_ahead(study)
        self._update_seeds(study)
        return study

    def _scalarised(self, study: PairSearch) -> Sequence[TrialRecord]:
        """Return the trials of a study with values of the objective in place of accuracies."""
        return [scalarise(trial, self._config.aims, study.initial_accuracy) for trial in study.trials]

    def _update_seeds(self, study: PairSearch) -> None:
        """Look whether a pair needs more seeds, if the recipe allows it more."""
        if len(looks_of(self._config, study.records)) > 1:
            study.seeds = seeds_wanted(self._config, self._federation, study.records)

    def _look_ahead(self, study: PairSearch) -> None:
        """See whether a pair's search may end by itself, once a trial has ended."""
        if study.records.rule == 1 or not study.is_open(self._config.search):
            return
        seen = self._prospects(study)
        if seen is not None:
            study.outlook = outlook(
                self._config.search,
                seen,
                trials=len(study.trials) - len(study.running),
                validation_examples=self._examples,
                seed=derive_seed(study.records.study, "ending", len(study.trials)),
            )

    def _prospects(self, study: PairSearch) -> Prospects | None:
        return self._sampler.prospects(study.records.study, self._scalarised(study), self._config.aims)

    def _fix_bases(self, meeting: list[PairSearch]) -> None:
        """Store what verdicts rest on, for the pairs whose search is over, before any confirmation run."""
        config = self._config
        for study in searches_over(config, meeting, validation_examples=self._examples):
            if not needs_basis(config, study.records):
                continue
            offset = config.aims.value(100 * study.initial_accuracy, 0.0)
            bases = fix_basis(
                config,
                study.records,
                ended=why_ended(config, study.records, study.outlook, exhausted=study.exhausted),
                seen=self._prospects(study),
                offset=offset,
                others=self._noise.others(study.records.study),
            )
            self._store.put_bases(study.records.study, bases)
            study.records = replace(study.records, bases=bases)
            self._update_seeds(study)

    @property
    def _examples(self) -> int:
        return len(self._federation.labels[Split.VALIDATION])

    def _close_if_over(self, meeting: list[PairSearch]) -> None:
        """Judge and close a meeting for which nothing is left to do; only its progress stays in memory."""
        if any(study.live for study in meeting) or self._next(meeting) is not None:
            return
        self._open.remove(meeting)
        conclusions = self._conclude([study.records for study in meeting])
        self._over += [study_progress(study, conclusions.get(study.pair)) for study in meeting]
        for study in meeting:
            self._store.evict(study.records.study)

    def _next(self, meeting: list[PairSearch]) -> RunSpec | Pair | None:
        self._fix_bases(meeting)
        return next_work(self._config, meeting, validation_examples=self._examples)

    def _begin(self, meeting: list[PairSearch], work: RunSpec | Pair, key: str) -> RunSpec | None:
        """Start a run in the store; None if the space has no setting left."""
        pair = work if isinstance(work, Pair) else work.pair
        study = next(study for study in meeting if study.pair == pair)
        name = study.records.study
        if isinstance(work, Pair):
            setting = study.favourite or self._sampler.suggest(name, self._scalarised(study))
            if setting is None:
                study.exhausted = True
                return None
            work = RunSpec(pair, setting, SEARCH_SEED, None, self._sampler.role(name, setting))
        number = None
        if work.stage is None:
            dimensions = distributions(self._space)
            trial = self._store.begin_trial(
                name,
                work.setting,
                seed=work.seed,
                role=work.role,
                distributions=dimensions,
                tensor_format=study.records.tensor_format,
            )
            number = trial.number
            study.put_trial(trial)
        study.live[key] = work
        self._live[key] = _Live(meeting, study, work, number)
        self._pace.most_live = max(self._pace.most_live, len(self._live))
        return work

    def _record_rung(self, live: _Live, report: RungReport) -> None:
        trial = live.trial
        self._store.report(live.study.records.study, trial.number, report)
        curve = (*trial.curve, (report.epoch, report.accuracy))
        forgetting_curve = (*trial.forgetting_curve, report.forgetting)
        live.study.put_trial(replace(trial, curve=curve, forgetting_curve=forgetting_curve))

    def _end_trial(self, live: _Live, state: TrialState, cause: RunFailure | None = None) -> None:
        study, number = live.study, live.trial.number
        failure, reason = (cause.failure, cause.reason) if cause is not None else (None, "")
        self._store.end_trial(study.records.study, number, state, failure=failure, reason=reason)
        trial = replace(live.trial, state=state, failure=failure, reason=reason)
        study.put_trial(trial)
        self._sampler.learn(study.records.study, scalarise(trial, self._config.aims, study.initial_accuracy))
        self._look_ahead(study)
        self._update_seeds(study)

    def _add_run(self, study: PairSearch, run: RunRecord) -> None:
        self._store.add_run(study.records.study, run)
        study.add_run(run)
        self._update_seeds(study)

    def _fail(self, live: _Live, failure: RunFailure) -> None:
        if live.spec.stage is None:
            self._end_trial(live, TrialState.FAIL, failure)
        elif failure.failure is not Failure.INTERRUPTED:  # An interrupted run has no row that must be closed.
            self._add_run(live.study, live.spec.failed(failure, live.study.records.tensor_format))

    def _remove(self, key: str, load: Load, seconds: float) -> None:
        live = self._live.pop(key)
        del live.study.live[key]
        self._pace.add(load, seconds)
        self._close_if_over(live.meeting)
        self._notify()

    def _notify(self) -> None:
        now = monotonic()
        if now - self._listened >= self._listen_seconds or not self._open:
            self._listened = now
            self._listen(self.progress())


def with_heartbeat(
    store: Store, listen: Callable[[Progress], None], *, seconds: float = 5.0
) -> Callable[[Progress], None]:
    """Return a listener that also writes the progress to the store, where `autokd status` reads it.

    Args:
        seconds: Time between two heartbeats; each is one small transaction.
    """
    last = -math.inf

    def notify(progress: Progress) -> None:
        nonlocal last
        if monotonic() - last >= seconds:
            last = monotonic()
            names = ("ended", "left", "per_second", "seconds_left")
            store.heartbeat({name: getattr(progress, name) for name in names})
        listen(progress)

    return notify
