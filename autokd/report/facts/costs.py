"""What the search cost, and how soon it found what a sweep finds: the anytime curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np

from autokd.config.study import SWEEP_SEEDS
from autokd.core.pair_records import PairRecords
from autokd.core.price import Prices
from autokd.core.records import FederationFacts, RunState, TrialOrigin, TrialState
from autokd.core.setting import Pair, Split
from autokd.report.data import ReportData
from autokd.report.facts.means import Mean, mean_over_pairs
from autokd.statistics.paired import POINTS

SHARES: Final = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Shares of the sweep's epochs at which the curve is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFacts:
    """Cost of all pairs that have a study.

    Attributes:
        search: Epochs of trials.
        confirmation: Epochs of race and confirmation runs.
        sweep: Epochs of the sweep on the same pairs.
        budget: Epochs of each run of that sweep: the largest budget of a trial.
        examples: Training examples of search, of race and confirmation, and of the sweep; None if unknown.
        trials: Number of trials by state.
        seconds: Training time of trials, race and confirmation, without evaluation.
    """

    search: int
    confirmation: int
    sweep: int
    trials: Mapping[str, int]
    seconds: float
    budget: int = 0
    examples: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnytimePoint:
    """What one budget achieves.

    Attributes:
        share: Budget as a share of the sweep's epochs, in (0, 1].
        search: Mean gain of the best setting so far, in pp on validation.
        random: Expected gain of the best of as many swept settings picked at random.
    """

    share: float
    search: Mean
    random: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnytimeFacts:
    """Search against sweep on the pairs that have both; gains in pp on validation, one seed.

    Attributes:
        points: Budgets in increasing order, up to the one at which every search had ended.
        sweep: Mean gain of the sweep's best setting.
        default: Mean gain of the default.
    """

    points: tuple[AnytimePoint, ...]
    sweep: float
    default: float
    pairs: int


def cost_facts(data: ReportData) -> CostFacts:
    """Return what search, race and confirmation cost."""
    studied = [pair.records for pair in data.pairs if pair.records.trials]
    trials = [trial for records in studied for trial in records.trials]
    runs = [run for records in studied for run in records.runs]
    last_reports = [reports[-1] for records in studied for reports in records.reports.values() if reports]
    return CostFacts(
        search=sum(trial.epochs for trial in trials),
        confirmation=sum(run.epochs for run in runs),
        sweep=data.sweep_epochs * len(studied),
        trials={state.value: sum(trial.state is state for trial in trials) for state in TrialState},
        seconds=sum(report.seconds for report in last_reports) + sum(run.seconds for run in runs),
        budget=data.sweep_budget,
        examples=_examples(data, studied),
    )


def _examples(data: ReportData, studied: Sequence[PairRecords]) -> tuple[int, int, int] | None:
    """Return the training examples of search, of race and confirmation, and of the sweep."""
    if data.federation is None:
        return None
    search = confirmation = sweep = 0
    for records in studied:
        prices = Prices.of_pair(data.federation, records.pair, epochs=data.config.distillation.epochs)
        if prices is None or records.of_pair not in data.sweep_examples:
            return None
        search += prices.spent(records.trials)
        confirmation += prices.spent(records.runs)
        sweep += data.sweep_examples[records.of_pair]
    return search, confirmation, sweep


def anytime_facts(data: ReportData) -> AnytimeFacts | None:
    """Return the anytime curve; None if no pair has both a search and a sweep.

    The best gain so far is never below 0, since a model can always be left as it is. Only trials that ran to
    the end can be the best; trials that were stopped early cost their epochs.
    """
    if data.federation is None:
        return None
    candidates = (_searched_and_swept(pair.records, data.federation) for pair in data.pairs)
    pairs = [pair for pair in candidates if pair is not None]
    if not pairs:
        return None
    longest = max(pair.steps[-1][0] for pair in pairs)
    points = []
    for share in (*(share for share in SHARES if share < longest), longest):
        search = mean_over_pairs({pair.pair: pair.search(share) for pair in pairs}, data.config)
        assert search is not None
        random = float(np.mean([pair.random(share) for pair in pairs]))
        points.append(AnytimePoint(share=share, search=search, random=random))
    return AnytimeFacts(
        points=tuple(points),
        sweep=float(np.mean([max(0.0, *pair.swept) for pair in pairs])),
        default=float(np.mean([pair.default for pair in pairs])),
        pairs=len(pairs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """One pair that was both searched and swept.

    Attributes:
        steps: (share of the sweep's epochs spent, best gain so far in pp) after each trial.
        swept: Gain of each swept setting in pp, increasing.
        default: Gain of the default in pp.
    """

    pair: Pair
    steps: tuple[tuple[float, float], ...]
    swept: tuple[float, ...]
    default: float

    def search(self, share: float) -> float:
        """Return the best gain that the search finds with that budget."""
        return max((gain for spent, gain in self.steps if spent <= share + 1e-12), default=0.0)

    def random(self, share: float) -> float:
        """Return the expected best gain of that share of the swept settings, drawn without replacement."""
        count = max(0, min(len(self.swept), round(share * len(self.swept))))
        if count == 0:
            return 0.0
        ways = comb(len(self.swept), count)
        return sum(max(0.0, gain) * comb(below, count - 1) / ways for below, gain in enumerate(self.swept))


def _searched_and_swept(records: PairRecords, federation: FederationFacts) -> _Pair | None:
    initial = federation.participants[records.pair.student].accuracy(Split.VALIDATION)
    runs = [run for run in records.sweep_runs if run.state is RunState.COMPLETE and run.seed == SWEEP_SEEDS]
    sweep = sum(run.epochs for run in runs)
    spent, best, default, steps = 0, 0.0, None, []
    for trial in sorted(records.trials, key=lambda trial: trial.number):
        spent += trial.epochs
        if trial.state is TrialState.COMPLETE and trial.accuracy is not None:
            gain = POINTS * (trial.accuracy - initial)
            best = max(best, gain)
            if trial.role is TrialOrigin.BASELINE and default is None:
                default = gain
        steps.append((spent / max(sweep, 1), best))
    if not runs or default is None:
        return None
    swept = sorted(POINTS * (run.accuracy(Split.VALIDATION, records.weights) - initial) for run in runs)
    return _Pair(pair=records.of_pair, steps=tuple(steps), swept=tuple(swept), default=default)
