"""Which partner a participant should learn from: the best of several, corrected for having been chosen.

Of nine figures the largest is large partly by luck, so nine intervals that each hold in 95 of 100 cases do
not hold for the one that was picked, and its mean flatters it. Both are mended here; each pair's own verdict
stays what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autokd.core.records import Correctness
from autokd.core.setting import Split, derive_seed
from autokd.recommendation.recommendation import Recommendation
from autokd.recommendation.verdict import Judgement, described
from autokd.statistics.paired import POINTS, Interval, paired_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """One teacher of the participant; gains are in pp of the participant.

    Attributes:
        found: The pair's own recommendation.
        corrected: Gain on confirmation of the setting judged, shrunk towards the mean of all partners.
        confirmation: That gain's interval, which holds for all partners at once.
        test: The gain on test, likewise.
        as_good: Not shown to be worse than the first partner.
    """

    found: Recommendation
    corrected: float
    confirmation: Interval
    test: Interval
    as_good: bool

    def to_json(self) -> dict[str, object]:
        """Plain values; the whole recommendation is one `autokd recommend --pair` away."""
        setting, network = self.found.setting, self.found.network
        return {
            "teacher": self.found.pair.teacher,
            "verdict": self.found.verdict.value,
            "answer": self.found.verdict.answer,
            "setting": None if setting is None else setting.to_json(),
            "corrected_gain": round(self.corrected, 9),
            "decided_on": self.confirmation.to_json(),
            "gain": self.test.to_json(),
            "as_good_as_the_first": self.as_good,
            "network": None if network is None else network.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The partners of a participant, best first.

    Attributes:
        partners: Those with something to train before those whose verdict is to leave the model as it is.
        unknown: Partners without a recommendation.
    """

    student: int
    partners: tuple[Partner, ...]
    unknown: tuple[int, ...]
    confidence: float

    @property
    def best(self) -> Partner | None:
        """The first, if it is shown to gain even after it was chosen among so many."""
        first = self.partners[0] if self.partners else None
        trained = first is not None and first.found.verdict.answer != "as-is"
        return first if first is not None and trained and first.confirmation.low > 0 else None

    @property
    def advice(self) -> str:
        """One sentence."""
        count, best = len(self.partners), self.best
        if best is None:
            return f"no partner is shown to be worth it, corrected for choosing the best of {count}"
        others = [str(one.found.pair.teacher) for one in self.partners if one.as_good and one is not best]
        setting = best.found.setting
        assert setting is not None
        told = f"learn from {best.found.pair.teacher}, with {described(setting)}"
        return f"{told}; not shown to be worse: {', '.join(others)}" if others else told

    def to_json(self) -> dict[str, object]:
        """What `autokd recommend --student 9 --json` prints."""
        best = self.best
        return {
            "student": self.student,
            "advice": self.advice,
            "best": None if best is None else best.found.pair.teacher,
            "corrected_for": len(self.partners),
            "confidence": self.confidence,
            "partners": [one.to_json() for one in self.partners],
            "unknown": list(self.unknown),
        }


def ranked(found: Sequence[Recommendation], *, student: int, unknown: Sequence[int] = ()) -> Ranking:
    """Rank the partners of one participant, by the confirmation runs of their pairs.

    Of k partners that were judged,

        corrected     m + τ²/(τ² + e²) · (gain - m): m is the mean of the k gains, e the standard error of a
                      partner's distance from it, paired by example, and τ² what the gains vary by beyond
                      the mean of e². The empirical Bayes estimate of Efron and Morris 1975, JASA 70, 311-319.
        intervals     at confidence 1 - (1 - c)/k, so that all k hold at once in a share c of cases
                      (Bonferroni), and with them that of the one that is chosen
        as good       low(first - partner) <= 0, at confidence 1 - (1 - c)/(k - 1)

    Args:
        found: Of pairs with this student; those that failed are listed among the unknown.
        student: Who asks.
        unknown: Partners without a recommendation.
    """
    judged = [(one, one.judgement) for one in found if one.judgement is not None]
    failed = [one.pair.teacher for one in found if one.judgement is None]
    missing = tuple(sorted((*unknown, *failed)))
    confidence = found[0].plan.confidence if found else 0.0
    if not judged:
        return Ranking(student=student, partners=(), unknown=missing, confidence=confidence)
    arms = [judgement.shown.correct[Split.CONFIRMATION] for _, judgement in judged]
    corrected = shrunk(arms, judged[0][1].evidence.own[Split.CONFIRMATION])
    order = sorted(
        range(len(judged)), key=lambda one: (judged[one][0].verdict.answer == "as-is", -corrected[one])
    )
    first = arms[order[0]]
    partners = tuple(
        Partner(
            found=judged[one][0],
            corrected=float(corrected[one]),
            confirmation=_gain(judged[one][0], judged[one][1], Split.CONFIRMATION, len(judged)),
            test=_gain(judged[one][0], judged[one][1], Split.TEST, len(judged)),
            as_good=one == order[0] or _as_good(judged[one][0], first, arms[one], len(judged) - 1),
        )
        for one in order
    )
    return Ranking(student=student, partners=partners, unknown=missing, confidence=confidence)


def shrunk(arms: Sequence[Correctness], own: Correctness) -> NDArray[np.float64]:
    """Corrected gains of arms over one and the same model, in pp, shape (arms,); see `ranked`.

    Args:
        arms: Correctness on the same examples, each of shape (seeds, examples).
        own: Of the model as it is, shape (examples,).
    """
    rates = np.array([arm.mean(axis=0) for arm in arms])
    gains: NDArray[np.float64] = POINTS * (rates.mean(axis=1) - own.mean())
    if len(arms) < 2:
        return gains
    examples = own.size
    apart = rates - rates.mean(axis=0)
    # Of a distance from the mean: its examples, and the arm's own seeds.
    errors = np.array([one.var(ddof=1) / examples for one in apart])
    errors += [arm.mean(axis=1).var(ddof=1) / len(arm) for arm in arms]
    errors *= POINTS**2
    spread = max(float(gains.var(ddof=1)) - float(errors.mean()), 0.0)
    middle = float(gains.mean())
    kept: NDArray[np.float64] = middle + spread / np.maximum(spread + errors, 1e-12) * (gains - middle)
    return kept


def _gain(found: Recommendation, judgement: Judgement, split: Split, count: int) -> Interval:
    """Of the arm shown, at a confidence that serves so many partners at once."""
    plan = found.plan
    return paired_interval(
        judgement.shown.correct[split],
        judgement.evidence.own[split],
        confidence=1 - (1 - plan.confidence) / count,
        resamples=plan.resamples,
        seed=derive_seed(found.records.study, "partners", split.value),
    )


def _as_good(found: Recommendation, first: Correctness, other: Correctness, count: int) -> bool:
    """Runs of two pairs have no seeds in common: any order will do."""
    plan, seeds = found.plan, min(len(first), len(other))
    gap = paired_interval(
        first[:seeds],
        other[:seeds],
        confidence=1 - (1 - plan.confidence) / count,
        resamples=plan.resamples,
        seed=derive_seed(found.records.study, "as good"),
    )
    return gap.low <= 0
