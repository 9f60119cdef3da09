"""What the search cost, and how soon it had found what a sweep finds: the anytime curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np

from autokd.config.study import SWEEP_SEEDS
from autokd.core.records import RunState, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Pair, Split
from autokd.report.facts.means import Mean, mean_over_pairs
from autokd.report.material import Material, PairMaterial
from autokd.statistics.paired import POINTS

SHARES: Final = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Of the sweep's epochs, at which the curve is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFacts:
    """What was spent.

    Attributes:
        search: Epochs of trials.
        confirmation: Epochs of race and confirmation runs.
        sweep: Epochs that the frozen grid costs on the pairs that have a study.
        trials: By state.
        seconds: Of training in trials, race and confirmation, evaluation excluded.
    """

    search: int
    confirmation: int
    sweep: int
    trials: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnytimePoint:
    """At one budget.

    Attributes:
        share: Of the sweep's epochs, in (0, 1].
        search: Mean gain of the best so far, in pp on validation.
        random: The same of as many swept settings picked at random.
    """

    share: float
    search: Mean
    random: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnytimeFacts:
    """Search against sweep on the pairs that have both; gains in pp on validation, one seed.

    Attributes:
        points: By share, up to where every search had ended.
        sweep: Mean gain of the sweep's best setting.
        default: Mean gain of the default.
        pairs: How many.
    """

    points: tuple[AnytimePoint, ...]
    sweep: float
    default: float
    pairs: int


def cost_facts(material: Material) -> CostFacts:
    """Over all pairs that have a study."""
    studied = [one for one in material.pairs if one.records.trials]
    trials = [trial for one in studied for trial in one.records.trials]
    runs = [run for one in studied for run in one.records.runs]
    reports = [reports[-1] for one in studied for reports in one.records.reports.values() if reports]
    return CostFacts(
        search=sum(trial.epochs for trial in trials),
        confirmation=sum(run.epochs for run in runs),
        sweep=material.sweep_epochs * len(studied),
        trials={state.value: sum(trial.state is state for trial in trials) for state in TrialState},
        seconds=sum(report.seconds for report in reports) + sum(run.seconds for run in runs),
    )


def anytime_facts(material: Material) -> AnytimeFacts | None:
    """None where no pair has both a search and a sweep.

    The best so far is never below 0: leaving the model as it is was always an option. Only trials that ran to
    the end can be the best; those that were stopped early cost their epochs.
    """
    known = [one for one in (_pair(material, one) for one in material.pairs) if one is not None]
    if not known:
        return None
    longest = max(one.share for one in known)
    shares = [share for share in SHARES if share < longest]
    shares += [longest]
    points = []
    for share in shares:
        search = mean_over_pairs({one.pair: one.search(share) for one in known}, material.plan)
        assert search is not None
        random = float(np.mean([one.random(share) for one in known]))
        points.append(AnytimePoint(share=share, search=search, random=random))
    return AnytimeFacts(
        points=tuple(points),
        sweep=float(np.mean([max(0.0, *one.swept) for one in known])),
        default=float(np.mean([one.default for one in known])),
        pairs=len(known),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """One pair that was both searched and swept.

    Attributes:
        steps: (share of the sweep's epochs spent, best gain so far in pp), in the order of trials.
        swept: Gain of each swept setting in pp, increasing.
    """

    pair: Pair
    steps: tuple[tuple[float, float], ...]
    swept: tuple[float, ...]
    default: float

    @property
    def share(self) -> float:
        return self.steps[-1][0]

    def search(self, share: float) -> float:
        """The best gain with that budget."""
        return max((gain for spent, gain in self.steps if spent <= share + 1e-12), default=0.0)

    def random(self, share: float) -> float:
        """The expected best of so many swept settings, picked without putting back."""
        count = max(0, min(len(self.swept), round(share * len(self.swept))))
        if count == 0:
            return 0.0
        ways = comb(len(self.swept), count)
        return sum(max(0.0, gain) * comb(below, count - 1) / ways for below, gain in enumerate(self.swept))


def _pair(material: Material, one: PairMaterial) -> _Pair | None:
    swept = [
        run for run in one.records.sweep_runs if run.state is RunState.COMPLETE and run.seed == SWEEP_SEEDS
    ]
    baselines = [
        trial.accuracy
        for trial in one.records.trials
        if trial.role is TrialOrigin.BASELINE and trial.state is TrialState.COMPLETE
    ]
    if not swept or not baselines or material.federation is None:
        return None
    own = float(material.federation.participants[one.pair.student].correct[Split.VALIDATION].mean())
    assert baselines[0] is not None
    epochs = sum(run.epochs for run in swept)
    return _Pair(
        pair=one.pair,
        steps=tuple(_steps(one.records.trials, own, epochs)),
        swept=tuple(sorted(POINTS * (run.accuracy(Split.VALIDATION) - own) for run in swept)),
        default=POINTS * (baselines[0] - own),
    )


def _steps(trials: Sequence[TrialRecord], own: float, sweep: int) -> list[tuple[float, float]]:
    spent, best, steps = 0, 0.0, []
    for trial in sorted(trials, key=lambda trial: trial.number):
        spent += trial.epochs
        if trial.state is TrialState.COMPLETE and trial.accuracy is not None:
            best = max(best, POINTS * (trial.accuracy - own))
        steps.append((spent / sweep, best))
    return steps
