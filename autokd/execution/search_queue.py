"""The queue of a search: hands out runs and records their results; its state can be read from the store."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

from autokd.config.space import Space, sweep_examples
from autokd.config.study import SEARCH_SEED, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.price import NOTHING, Load
from autokd.core.records import Failure, FederationFacts, RungReport, RunRecord, TrialState
from autokd.core.run_spec import RunFailure, RunResult, RunSpec
from autokd.core.setting import AnyPair, Setting, Split
from autokd.execution.bases import Bases
from autokd.execution.pace import Pace
from autokd.execution.recorder import LiveRun, Recorder
from autokd.execution.run_queue import RunQueue
from autokd.execution.spending import Spending
from autokd.recommendation.interim_looks import unfinished
from autokd.search.asha import should_continue
from autokd.search.costs import Costs
from autokd.search.next_work import PairSearch, next_work
from autokd.search.progress import Progress, StudyProgress, VerdictSummary, study_progress, work_left
from autokd.search.spending import Budget, within
from autokd.search.tpe import Sampler, Tpe
from autokd.statistics.moderation import VariancePool
from autokd.store import Store

_MOST_TELLING: Final = 0.05
"""Largest share of the driver's time for its progress."""


class SearchQueue(RunQueue):
    """Serves workers with the searches of any number of meetings.

    Args:
        federation: The federation's facts: the validation labels, and the models before distillation.
        meetings: The searched pairs, grouped by meeting, in the order in which they are served.
        read: Returns the stored trials and runs of a pair; called once for each pair.
        register: Makes a pair's study; called before the first trial that begins.
        store: Every change is written to it.
        sampler: Chooses settings and learns from every trial that ends; TPE by default.
        listen: Called with the progress after a change.
        listen_seconds: Least time between two calls of `listen`; the progress of a batch takes milliseconds.
        conclude: Judges the pairs of a meeting for which nothing is left to do, from their stored records.
        noise: What the confirmations of finished pairs have shown about noise; `conclude` adds to it.
        budget: The most that may be spent on these pairs, with what was spent before.
        seconds_before: Seconds that earlier commands have worked on them.
        space_of: Space of each pair or group, if not all have the same; their budgets are those of `space`.
        answers_of: Returns for a group the judged settings of its pairs; see `Bases`.
    """

    def __init__(
        self,
        *,
        config: StudyConfig,
        space: Space,
        federation: FederationFacts,
        meetings: Sequence[Sequence[AnyPair]],
        read: Callable[[AnyPair], PairRecords],
        register: Callable[[PairRecords], None] = lambda records: None,
        store: Store,
        sampler: Sampler | None = None,
        listen: Callable[[Progress], None] = lambda progress: None,
        listen_seconds: float = 0.0,
        conclude: Callable[[Sequence[PairRecords]], Mapping[AnyPair, VerdictSummary]] = lambda over: {},
        noise: VariancePool | None = None,
        budget: Budget | None = None,
        seconds_before: float = 0.0,
        space_of: Callable[[AnyPair], Space] | None = None,
        answers_of: Callable[[AnyPair], Mapping[Setting, float]] = lambda pair: {},
    ) -> None:
        self._config, self._space, self._store, self._federation = config, space, store, federation
        self._sampler = sampler or Tpe(space, config.search.startup_trials)
        self._listen, self._conclude = listen, conclude
        self._listen_seconds, self._listened = listen_seconds, -math.inf
        self._told_for = 0.0
        space_of = space_of or (lambda pair: space)
        self._bases = Bases(
            config=config,
            space_of=space_of,
            federation=federation,
            sampler=self._sampler,
            store=store,
            noise=VariancePool() if noise is None else noise,
            answers_of=answers_of,
        )
        self._recorder = Recorder(config, store, self._sampler, self._bases, space_of, register)
        self._pace = Pace()
        self._open: list[list[PairSearch]] = []
        self._spending = Spending(config, budget, self._pace, self._open, seconds_before=seconds_before)
        self._sweep_examples = 0
        self._live: dict[str, LiveRun] = {}
        self._over: list[StudyProgress] = []
        for meeting in meetings:
            self._open.append([self._load(read(pair)) for pair in meeting])
            if budget is None:  # With one, it must be known first what all pairs have spent.
                self._close_if_over(self._open[-1])
        if budget is not None:
            self._close_searches()
            for opened in list(self._open):
                self._close_if_over(opened)

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
        self._close_searches()
        for meeting in self._spending.in_order(self._open):
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
        self._recorder.report(live, report)
        values = {trial.number: trial for trial in self._bases.scalarised(live.study)}
        trial = values.pop(live.trial.number)
        live.stopped = not should_continue(
            self._config.search.stopping, self._config.distillation, trial, values.values()
        )
        self._notify()
        return not live.stopped

    def end(self, key: str, result: RunResult) -> None:
        """Record how a run ended: by its last rung, by early stopping, by its record, or by a failure."""
        live = self._live[key]
        if isinstance(result, RunFailure):
            self._recorder.fail(live, result)
        elif isinstance(result, RunRecord):
            self._recorder.add_run(live.study, result)
        elif live.stopped:
            self._recorder.end_trial(live, TrialState.PRUNED)
        else:
            self._recorder.report(live, result)
            self._recorder.end_trial(live, TrialState.COMPLETE)
        seconds = live.seconds if isinstance(result, RunFailure) else result.seconds
        ended = result.epochs if isinstance(result, RunRecord) else 0
        epochs = ended if live.number is None else live.trial.epochs
        self._remove(key, live.study.costs.prices.load(live.spec.setting, epochs), seconds)

    def interrupt(self, reason: str) -> None:
        for key, live in list(self._live.items()):
            self._recorder.fail(live, RunFailure(Failure.INTERRUPTED, reason))
            self._remove(key, NOTHING, 0.0)

    @property
    def seconds_spent(self) -> float:
        """Seconds that commands have worked on these pairs, up to now."""
        return self._spending.seconds

    def progress(self) -> Progress:
        """Return how much is done."""
        studies = (*self._over, *(study_progress(study) for meeting in self._open for study in meeting))
        left = work_left(self._config, self._open, self._over)
        if self._spending.limited:
            left = within(left, self._spending.left + self._spending.underway)
        usual = self._config.distillation.epochs
        return Progress(
            studies=studies,
            live=len(self._live),
            ended=self._pace.ended,
            left=round(left.runs),
            work_left=left,
            seconds=self._pace.seconds,
            waited=self._pace.waited,
            done=self._pace.done,
            training=self._pace.training,
            sweep_examples=self._sweep_examples,
            sweep_budget=longest if (longest := self._space.budgets(self._config)[-1]) > usual else None,
        )

    def _load(self, records: PairRecords) -> PairSearch:
        """Return a study as stored."""
        costs = Costs.of_pair(self._config, self._space, self._federation, records.pair)
        self._sweep_examples += sweep_examples(self._config, self._space, costs.prices)
        study = PairSearch(
            records=self._recorder.without_running(records),
            costs=costs,
            initial_accuracy=self._federation.participants[records.pair.student].accuracy(Split.VALIDATION),
        )
        for trial in self._bases.scalarised(study):
            self._sampler.learn(records.study, trial)
        self._bases.look_ahead(study)
        self._bases.update_seeds(study)
        self._spending.spent += study_progress(study).spent
        return study

    def _close_if_over(self, meeting: list[PairSearch]) -> None:
        """Judge and close a meeting for which nothing is left to do; only its progress stays in memory."""
        if any(study.live for study in meeting) or self._next(meeting) is not None:
            return
        if self._spending.limited:
            if self._live:  # Runs in progress may leave something over.
                return
            for study in meeting:
                self._bases.pause(study)
        self._open.remove(meeting)
        # Where a budget left no room for the default setting, there is nothing to judge.
        began = monotonic()
        conclusions = self._conclude([study.records for study in meeting if self._can_be_judged(study)])
        self._pace.add_judged(len(meeting), monotonic() - began)
        self._over += [study_progress(study, conclusions.get(study.pair)) for study in meeting]
        for study in meeting:
            self._store.evict(study.records.study)

    def _can_be_judged(self, study: PairSearch) -> bool:
        return not unfinished(self._config, self._federation, study.records, seeds=study.seeds)

    def _next(self, meeting: list[PairSearch]) -> RunSpec | AnyPair | None:
        """Return the next run of a meeting that the budget allows."""
        self._bases.fix(meeting)
        examples = self._bases.fewest_examples(meeting)
        work = next_work(self._config, meeting, validation_examples=examples)
        if work is None or self._spending.allows(work, _of_pair(meeting, work)):
            return work
        return None

    def _close_searches(self) -> None:
        self._spending.close_searches([study for meeting in self._open for study in meeting])

    def _begin(self, meeting: list[PairSearch], work: RunSpec | AnyPair, key: str) -> RunSpec | None:
        """Start a run in the store; None if the space has no setting left."""
        study = _of_pair(meeting, work)
        name = study.records.study
        if not isinstance(work, RunSpec):
            setting = study.favourite or self._sampler.suggest(name, self._bases.scalarised(study))
            if setting is None:
                study.exhausted = True
                return None
            work = RunSpec(study.pair, setting, SEARCH_SEED, None, self._sampler.role(name, setting))
        number = self._recorder.begin(study, work) if work.stage is None else None
        study.live[key] = work
        self._live[key] = live = LiveRun(meeting, study, work, number)
        self._spending.underway += live.cost
        self._pace.most_live = max(self._pace.most_live, len(self._live))
        return work

    def _remove(self, key: str, load: Load, seconds: float) -> None:
        live = self._live.pop(key)
        del live.study.live[key]
        self._pace.add(load, seconds)
        self._spending.underway -= live.cost
        self._spending.spent += load
        self._close_if_over(live.meeting)
        self._notify()

    def _notify(self) -> None:
        began = monotonic()
        if began - self._listened >= max(self._listen_seconds, self._told_for) or not self._open:
            self._listen(self.progress())
            self._listened = monotonic()
            # Of thousands of pairs, a picture takes a tenth of a second.
            self._told_for = (self._listened - began) / _MOST_TELLING


def _of_pair(meeting: Sequence[PairSearch], work: RunSpec | AnyPair) -> PairSearch:
    """Return the study that a run belongs to."""
    pair = work.pair if isinstance(work, RunSpec) else work
    return next(study for study in meeting if study.pair == pair)
