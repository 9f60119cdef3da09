"""How many seeds a pair gets: a first judgement, and one more for a pair that the first left undecided.

Whoever looks twice and stops at the first look that pleases errs more often than each look by itself. So
both looks, written down in the plan before anything ran, use a higher confidence: the one at which the two
together err as often as a single look at the plan's confidence would.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtr

from autokd.core.records import Correctness, FederationFacts, RunRecord, Stage, TrialRecord
from autokd.core.setting import Pair, Setting, Split, derive_seed
from autokd.plan import ConfirmationRecipe, StudyPlan
from autokd.recommendation.evidence import Lacking, gather
from autokd.recommendation.local import local_weights_of
from autokd.recommendation.race import ANY, Owed, pending
from autokd.recommendation.statistics import Weights
from autokd.recommendation.verdict import Judgement, Verdict, judge


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """All that the verdict of a pair is a function of.

    Attributes:
        study: Its name, from which the bootstrap's seed derives.
        own: Correctness of the student's model as it is, by split, shape (examples,).
        local: What each example counts on its own label distribution, by split; empty if only gain counts.
        trials: All trials of the study.
        runs: All race and confirmation runs of it that have ended.
    """

    plan: StudyPlan
    study: str
    own: Mapping[Split, Correctness]
    local: Mapping[Split, Weights]
    trials: Sequence[TrialRecord]
    runs: Sequence[RunRecord]

    @classmethod
    def of(
        cls,
        pair: Pair,
        plan: StudyPlan,
        federation: FederationFacts,
        *,
        study: str,
        trials: Sequence[TrialRecord],
        runs: Sequence[RunRecord],
    ) -> Case:
        """The case of a pair, with what the federation says of its student."""
        return cls(
            plan=plan,
            study=study,
            own=federation.participants[pair.student].correct,
            local={} if plan.aims == ANY else local_weights_of(federation, pair.student),
            trials=trials,
            runs=runs,
        )

    def pending(self, seeds: int, live: Collection[tuple[Stage, Setting, int]] = ()) -> tuple[Owed, ...]:
        """What is still to be run before the pair can be judged after so many seeds."""
        return pending(
            self.plan.confirmation,
            self.trials,
            self.runs,
            live,
            retries=self.plan.search.retries,
            aims=self.plan.aims,
            seeds=seeds,
        )

    def judged(self, seeds: int) -> Judgement | Lacking:
        """The judgement after so many seeds; those beyond have no say."""
        plan, aims = self.plan.confirmation, self.plan.aims
        evidence = gather(
            plan,
            self.own,
            self.trials,
            self.runs,
            retries=self.plan.search.retries,
            aims=aims,
            seeds=seeds,
            local=self.local,
        )
        if isinstance(evidence, Lacking):
            return evidence
        return judge(
            evidence,
            plan,
            seed=derive_seed(self.study, "verdict"),
            aims=aims,
            confidence=look_confidence(plan),
        )


def seeds_wanted(case: Case) -> int:
    """How many confirmation seeds a pair gets, as far as can be told by now.

    Those of the first look; and those of the second if the first has been had and left the pair undecided.
    """
    first, *later = case.plan.confirmation.looks
    if not later or case.pending(first):
        return first
    found = case.judged(first)
    undecided = isinstance(found, Judgement) and found.verdict is Verdict.UNDECIDED
    return later[-1] if undecided else first


def look_confidence(plan: ConfirmationRecipe) -> float:
    """Of the intervals at each look, so that all looks together err as one of `plan.confidence` would.

    Two looks at a mean that grows from n to m seeds correlate by at least √(n/m), which is what they do where
    seeds are all the noise; examples, which both looks share, only make them more alike. At that least
    correlation the chance that either look errs is exactly what is allowed, so with more it is less.
    Source: equal nominal levels at each look, Pocock 1977, Biometrika 64, pp. 191-199.
    """
    first, *later = plan.looks
    return _shared_confidence(plan.confidence, math.sqrt(first / later[-1])) if later else plan.confidence


@cache
def _shared_confidence(confidence: float, correlation: float) -> float:
    """P(|Z| <= z) at the z for which two normal variables of this correlation both keep to it so often."""
    # Imported here: it takes a while, and only plans with a second look need it.
    from scipy.optimize import brentq

    nodes, weights = np.polynomial.legendre.leggauss(64)
    rest = math.sqrt(1 - correlation**2)

    def both(z: float) -> float:
        inside = z * nodes
        density = np.exp(-(inside**2) / 2) / math.sqrt(2 * math.pi)
        other = ndtr((z - correlation * inside) / rest) - ndtr((-z - correlation * inside) / rest)
        return float(z * (weights @ (density * other)))

    z = brentq(lambda z: both(z) - confidence, 0.5, 8.0)
    return float(2 * ndtr(z) - 1)
