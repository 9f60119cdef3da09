"""Hands out work and records what comes back; knows no Ray, and all that it remembers stands in the store."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from autokd.config.space import Space
from autokd.config.study import SEARCH_SEED, Objective, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, FederationFacts, RungReport, RunRecord, TrialRecord, TrialState
from autokd.core.run_spec import RunFailure, RunResult, RunSpec
from autokd.core.setting import Pair, Split
from autokd.recommendation.interim_looks import seeds_wanted
from autokd.search.asha import should_continue
from autokd.search.eta import NOTHING, Load
from autokd.search.next_work import PairSearch, next_work
from autokd.search.objective import scalarise
from autokd.search.optuna_space import distributions
from autokd.search.progress import Conclusion, Progress, StudyProgress, study_progress, survey
from autokd.search.tpe import Sampler, Tpe
from autokd.store import Store


@dataclass(slots=True, eq=False, kw_only=True)
class _Study(PairSearch):
    """A pair whose records mirror the store; every change goes to the store first.

    Attributes:
        initial_accuracy: Validation accuracy of the student's model before distillation, in [0, 1].
    """

    initial_accuracy: float

    @property
    def name(self) -> str:
        return self.records.study

    def add_run(self, run: RunRecord) -> None:
        self.records = replace(self.records, runs=(*self.records.runs, run))

    def put_trial(self, trial: TrialRecord) -> None:
        """Add a trial, or replace the one with its number."""
        trials = {known.number: known for known in self.trials} | {trial.number: trial}
        self.records = replace(self.records, trials=tuple(trials.values()))


_Meeting = list[_Study]


@dataclass(slots=True, eq=False)
class _Live:
    """One run under way.

    Attributes:
        number: Of its trial; None for a race or confirmation run.
        seconds: Of training, as far as reported.
    """

    meeting: _Meeting
    study: _Study
    spec: RunSpec
    number: int | None
    stopped: bool = False
    seconds: float = 0.0


class SearchQueue:
    """Serves workers from any number of meetings; one driver, one thread.

    Attributes:
        ended: Runs that have ended since this dispatcher was made.

    Args:
        plan: What to do.
        space: Where to search.
        federation: For the size of the validation split, and the models as they are.
        meetings: The searched pairs, those of one meeting together, in the order in which they are served.
        names: The study of each pair; it exists in the store.
        store: Where everything is read from at the start and written to as it happens.
        sampler: Chooses settings, and learns from every trial that ends; by default TPE, study by study.
        listen: Told how things stand after a change.
        listen_seconds: At most this often; a picture of a whole batch takes milliseconds to draw up.
        conclude: Judges the pairs of a meeting, once nothing is left to do for it.
    """

    def __init__(
        self,
        *,
        plan: StudyConfig,
        space: Space,
        federation: FederationFacts,
        meetings: Sequence[Sequence[Pair]],
        names: Mapping[Pair, str],
        store: Store,
        sampler: Sampler | None = None,
        listen: Callable[[Progress], None] = lambda progress: None,
        listen_seconds: float = 0.0,
        conclude: Callable[[Sequence[Pair]], Mapping[Pair, Conclusion]] = lambda pairs: {},
    ) -> None:
        self._plan, self._space, self._store, self._federation = plan, space, store, federation
        self._aims, self._aiming = plan.aims, plan.aims != Objective()
        self._sampler = sampler or Tpe(space, plan.search.startup_trials)
        self._listen, self._conclude = listen, conclude
        self._listen_seconds, self._told = listen_seconds, -math.inf
        self._validation = len(federation.labels[Split.VALIDATION])
        self._live: dict[str, _Live] = {}
        self._began = monotonic()
        self._waited = 0.0
        self._done, self._trained, self._most_live = NOTHING, 0.0, 1
        self.ended = 0
        self._over: list[StudyProgress] = []
        self._open: list[_Meeting] = []
        for meeting in meetings:
            self._open.append([self._load(pair, names[pair]) for pair in meeting])
            self._close_if_over(self._open[-1])

    def _load(self, pair: Pair, name: str) -> _Study:
        """A study as the store has it; what a former driver left RUNNING ended with that driver."""
        trials = []
        for trial in self._store.trials(name):
            if trial.state is TrialState.RUNNING:
                failure, reason = Failure.INTERRUPTED, "the driver was gone before the trial had ended"
                self._store.end_trial(name, trial.number, TrialState.FAIL, failure=failure, reason=reason)
                trial = replace(trial, state=TrialState.FAIL, failure=failure, reason=reason)
            trials.append(trial)
        initial = self._federation.participants[pair.student].correct[Split.VALIDATION].mean()
        study = _Study(
            records=PairRecords(pair=pair, study=name, trials=trials, runs=self._store.runs(name)),
            seeds=self._plan.confirmation.seeds,
            initial_accuracy=float(initial),
        )
        for trial in trials:
            self._sampler.learn(name, self._aimed(study, trial))
        self._look(study)
        return study

    def _aimed(self, study: _Study, trial: TrialRecord) -> TrialRecord:
        return scalarise(trial, self._aims, study.initial_accuracy)

    def _all_aimed(self, study: _Study) -> Sequence[TrialRecord]:
        # Asked at every rung: where only gain counts, which is mostly, trials are looked at as they are.
        return [self._aimed(study, trial) for trial in study.trials] if self._aiming else study.trials

    def _look(self, study: _Study) -> None:
        """See whether a pair needs more seeds, where the plan lets it have more."""
        if len(self._plan.confirmation.looks) > 1:
            study.seeds = seeds_wanted(self._plan, self._federation, study.records)

    @property
    def live(self) -> int:
        """Runs under way."""
        return len(self._live)

    @property
    def finished(self) -> bool:
        """Nothing is under way, and nothing is left to hand out."""
        return not self._open

    def assign(self, key: str) -> RunSpec | None:
        """Hand out the next run under a key of the caller's; None if nothing can be handed out now."""
        for meeting in self._open:
            while (work := self._next(meeting)) is not None:
                if (spec := self._begin(meeting, work, key)) is not None:
                    self._tell()
                    return spec
        # A grid may have run out just now.
        for meeting in list(self._open):
            self._close_if_over(meeting)
        return None

    def report(self, key: str, report: RungReport) -> bool:
        """Record a trial's rung; False if it is to stop there."""
        live = self._live[key]
        live.seconds = report.seconds
        trial = self._record_rung(live, report)
        live.stopped = not should_continue(
            self._plan.search.stopping,
            self._aimed(live.study, trial),
            (other for other in self._all_aimed(live.study) if other.number != trial.number),
        )
        self._tell()
        return not live.stopped

    def end(self, key: str, answer: RunResult) -> None:
        """Record how a run ended: by its last rung, by being stopped at one, by its record, or by dying."""
        live = self._live[key]
        if isinstance(answer, RunFailure):
            self._fail(live, answer)
        elif isinstance(answer, RunRecord):
            self._store.add_run(live.study.name, answer)
            live.study.add_run(answer)
            self._look(live.study)
        elif live.stopped:
            self._end_trial(live, TrialState.PRUNED)
        else:
            self._record_rung(live, answer)
            self._end_trial(live, TrialState.COMPLETE)
        self._account(live, answer)
        self._forget(key)

    def interrupt(self, reason: str) -> None:
        """Mark everything under way as interrupted, to be done again another time."""
        for key, live in list(self._live.items()):
            self._fail(live, RunFailure(Failure.INTERRUPTED, reason))
            self._forget(key)

    def progress(self) -> Progress:
        """How things stand."""
        return survey(
            self._plan,
            self._open,
            over=self._over,
            live=len(self._live),
            ended=self.ended,
            seconds=monotonic() - self._began,
            waited=self._waited,
            done=self._done,
            training=self._training(),
        )

    def _training(self) -> float:
        """Workers are one fewer than runs under way, of which one waits for a worker."""
        time = max(1, self._most_live - 1) * (monotonic() - self._began - self._waited)
        return min(1.0, self._trained / time) if time > 0 else 0.0

    def _account(self, live: _Live, answer: RunResult) -> None:
        """Note what a run took; the first tells when, and nothing else."""
        if not self.ended:
            return
        if isinstance(answer, RungReport | RunRecord):
            live.seconds = answer.seconds
        if live.number is not None:
            epochs = self._trial(live).epochs
        else:
            epochs = answer.epochs if isinstance(answer, RunRecord) else 0
        self._done += Load(1, epochs)
        self._trained += live.seconds

    def _close_if_over(self, meeting: _Meeting) -> None:
        """Let go of a meeting that needs nothing more; what is shown of it is all that stays in memory."""
        if any(study.live for study in meeting) or self._next(meeting) is not None:
            return
        self._open.remove(meeting)
        conclusions = self._conclude([study.pair for study in meeting])
        self._over += [study_progress(study, conclusions.get(study.pair)) for study in meeting]
        for study in meeting:
            self._store.evict(study.name)

    def _next(self, meeting: _Meeting) -> RunSpec | Pair | None:
        return next_work(self._plan, meeting, validation_examples=self._validation)

    def _begin(self, meeting: _Meeting, work: RunSpec | Pair, key: str) -> RunSpec | None:
        """Start a run in the store; None if the space has no setting left."""
        pair = work if isinstance(work, Pair) else work.pair
        study = next(study for study in meeting if study.pair == pair)
        spec = self._sampled(study) if isinstance(work, Pair) else work
        if spec is None:
            study.exhausted = True
            return None
        number = self._begin_trial(study, spec) if spec.stage is None else None
        study.live[key] = spec
        self._live[key] = _Live(meeting, study, spec, number)
        self._most_live = max(self._most_live, len(self._live))
        return spec

    def _sampled(self, study: _Study) -> RunSpec | None:
        """Return a trial with the setting that the sampler chooses; None if nothing is left to try."""
        setting = self._sampler.suggest(study.name, self._all_aimed(study))
        if setting is None:
            return None
        return RunSpec(study.pair, setting, SEARCH_SEED, None, self._sampler.role(study.name, setting))

    def _begin_trial(self, study: _Study, spec: RunSpec) -> int:
        trial = self._store.begin_trial(
            study.name,
            spec.setting,
            seed=spec.seed,
            role=spec.role,
            distributions=distributions(self._space),
        )
        study.put_trial(trial)
        return trial.number

    def _record_rung(self, live: _Live, report: RungReport) -> TrialRecord:
        trial = self._trial(live)
        self._store.report(live.study.name, trial.number, report)
        curve = (*trial.curve, (report.epoch, report.accuracy))
        trial = replace(trial, curve=curve, forgetting_curve=(*trial.forgetting_curve, report.forgetting))
        live.study.put_trial(trial)
        return trial

    def _end_trial(self, live: _Live, state: TrialState, died: RunFailure | None = None) -> None:
        trial = self._trial(live)
        failure, reason = (died.failure, died.reason) if died is not None else (None, "")
        self._store.end_trial(live.study.name, trial.number, state, failure=failure, reason=reason)
        ended = replace(trial, state=state, failure=failure, reason=reason)
        live.study.put_trial(ended)
        self._sampler.learn(live.study.name, self._aimed(live.study, ended))
        self._look(live.study)

    def _fail(self, live: _Live, died: RunFailure) -> None:
        given = live.spec
        if given.stage is None:
            self._end_trial(live, TrialState.FAIL, died)
            return
        if died.failure is Failure.INTERRUPTED:
            return  # A run that did not end is owed as it was; there is no row to close.
        run = given.failed(died)
        self._store.add_run(live.study.name, run)
        live.study.add_run(run)

    def _trial(self, live: _Live) -> TrialRecord:
        return next(trial for trial in live.study.trials if trial.number == live.number)

    def _forget(self, key: str) -> None:
        live = self._live.pop(key)
        del live.study.live[key]
        self.ended += 1
        if self.ended == 1:
            self._waited = monotonic() - self._began
        self._close_if_over(live.meeting)
        self._tell()

    def _tell(self) -> None:
        now = monotonic()
        if now - self._told >= self._listen_seconds or not self._open:
            self._told = now
            self._listen(self.progress())
