"""Which partner a participant should learn from: the best of several, corrected for the choice.

The largest of nine figures is large partly by luck: its mean is too high, and its 95% interval holds less
often than 95%. Both are corrected here; each pair's own verdict stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autokd.config.target import ClassShares, TargetName, target_json
from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.records import Correctness
from autokd.core.setting import Split, described
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.recommendation import Recommendation
from autokd.statistics.paired import POINTS, Interval, Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """One teacher of the participant; gains are in pp of the participant.

    Attributes:
        corrected: Gain on confirmation of the setting judged, shrunk towards the mean of all partners.
        confirmation: Interval of that gain, which holds for all partners at once.
        test: Interval of the gain on test, which holds for all partners at once.
        as_good: Whether it is not shown to be worse than the first partner.
    """

    recommendation: Recommendation
    corrected: float
    confirmation: Interval
    test: Interval
    as_good: bool

    @property
    def teacher(self) -> int:
        return self.recommendation.of_pair[0].teacher

    def to_json(self) -> dict[str, object]:
        """Return plain values; `autokd recommend --pair` prints the whole recommendation."""
        setting, network = self.recommendation.setting, self.recommendation.network
        return {
            "teacher": self.teacher,
            "verdict": self.recommendation.verdict.value,
            "answer": self.recommendation.verdict.answer,
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
        partners: Partners with a setting to train, then those whose verdict leaves the model as it is.
        unknown: Partners without a recommendation.
        target: Class distribution that all figures are on.
        names: Names of the federation's participants.
    """

    student: int
    partners: tuple[Partner, ...]
    unknown: tuple[int, ...]
    confidence: float
    target: TargetName | ClassShares = "common"
    names: ParticipantNames = NUMBERS_ONLY

    @property
    def best(self) -> Partner | None:
        """The first partner, if it is shown to gain even after the correction for the choice."""
        first = next(iter(self.partners), None)
        if first is None or first.recommendation.verdict.answer == "as-is" or first.confirmation.low <= 0:
            return None
        return first

    @property
    def advice(self) -> str:
        """The advice in one sentence."""
        count, best = len(self.partners), self.best
        if best is None:
            return f"no partner is shown to be worth it, corrected for choosing the best of {count}"
        as_good = [partner.teacher for partner in self.partners[1:] if partner.as_good]
        others = ", ".join(map(self.names.word, as_good))
        setting = best.recommendation.setting
        assert setting is not None
        advice = f"learn from {self.names.word(best.teacher)}, with {described(setting)}"
        return f"{advice}; not shown to be worse: {others}" if others else advice

    @property
    def _all(self) -> list[int]:
        teachers = [partner.teacher for partner in self.partners]
        return sorted({self.student, *teachers, *self.unknown})

    def to_json(self) -> dict[str, object]:
        """Return what `autokd recommend --student 9 --json` prints."""
        best = self.best
        return {
            "student": self.student,
            **({"names": {str(n): self.names.name(n) or None for n in self._all}} if self.names else {}),
            **target_json(self.target),
            "advice": self.advice,
            "best": None if best is None else best.teacher,
            "corrected_for": len(self.partners),
            "confidence": self.confidence,
            "partners": [partner.to_json() for partner in self.partners],
            "unknown": list(self.unknown),
        }


def ranked(
    recommendations: Sequence[Recommendation], *, student: int, unknown: Sequence[int] = ()
) -> Ranking:
    """Rank the partners of one participant by the confirmation runs of their pairs.

    For the k partners that were judged,

        corrected     m + τ²/(τ² + e²) · (gain - m): m is the mean of the k gains, e the standard error of a
                      partner's distance from it, paired by example, and τ² the variance of the gains beyond
                      the mean of e². The empirical Bayes estimate of Efron and Morris 1975, JASA 70, 311-319.
        intervals     at confidence 1 - (1 - c)/k, so that all k, and so the chosen one, hold at once in a
                      share c of cases (Bonferroni)
        as good       low(first - partner) <= 0, at confidence 1 - (1 - c)/(k - 1)

    Args:
        recommendations: Recommendations of pairs with this student; failed ones count as unknown.
        unknown: Partners without a recommendation.
    """
    judged = [(each, each.judgement) for each in recommendations if each.judgement is not None]
    failed = [each.of_pair[0].teacher for each in recommendations if each.judgement is None]
    partners: list[Partner] = []
    if judged:
        arms = [judgement.shown.correct[Split.CONFIRMATION] for _, judgement in judged]
        # All pairs have this student, and so one target distribution.
        evidence = judged[0][1].evidence
        corrected = shrunk(arms, evidence.own[Split.CONFIRMATION], evidence.weights.of(Split.CONFIRMATION))
        as_is = [recommendation.verdict.answer == "as-is" for recommendation, _ in judged]
        order = sorted(range(len(judged)), key=lambda index: (as_is[index], -corrected[index]))
        first, count = arms[order[0]], len(judged)
        partners = [_partner(*judged[index], float(corrected[index]), first, count) for index in order]
    return Ranking(
        student=student,
        partners=tuple(partners),
        unknown=tuple(sorted((*unknown, *failed))),
        confidence=recommendations[0].confirmation.confidence if recommendations else 0.0,
        target=recommendations[0].target if recommendations else "common",
        names=recommendations[0].names if recommendations else NUMBERS_ONLY,
    )


def shrunk(
    arms: Sequence[Correctness], own: Correctness, weights: Weights | None = None
) -> NDArray[np.float64]:
    """Return the corrected gains of arms over the same model, in pp, shape (arms,); see `ranked`.

    Arms have the shape (seeds, examples), and `own`, the model as it is, and `weights` (examples,); an
    untrained student has seeds, too.
    """
    own = own if own.ndim == 1 else own.mean(axis=0)
    weight = np.ones(own.size) if weights is None else weights
    rates = np.array([arm.mean(axis=0) * weight for arm in arms])
    gains: NDArray[np.float64] = POINTS * (rates.mean(axis=1) - (own * weight).mean())
    if len(arms) < 2:
        return gains
    examples = own.size
    apart = rates - rates.mean(axis=0)
    # The error of a distance from the mean comes from its examples and from the arm's own seeds.
    errors = np.array([distance.var(ddof=1) / examples for distance in apart])
    errors += [(arm * weight).mean(axis=1).var(ddof=1) / len(arm) for arm in arms]
    errors *= POINTS**2
    spread = max(float(gains.var(ddof=1)) - float(errors.mean()), 0.0)
    middle = float(gains.mean())
    corrected: NDArray[np.float64] = middle + spread / np.maximum(spread + errors, 1e-12) * (gains - middle)
    return corrected


def _partner(
    recommendation: Recommendation, judgement: Judgement, corrected: float, first: Correctness, count: int
) -> Partner:
    """Return one of `count` partners, compared with the arm of the first on confirmation."""
    arm, split = judgement.shown.correct[Split.CONFIRMATION], Split.CONFIRMATION.value
    # Two arms with seeds of their own vary twice as much as one does.
    prior = judgement.priors.get(f"{split}/{judgement.gain_of_shown}")
    priors = {} if prior is None else {"as good": replace(prior, variance=2 * prior.variance)}
    of_all, of_others = (
        Bootstrap.of(
            recommendation.confirmation,
            recommendation.records.study,
            comparisons=comparisons,
            priors=priors,
        )
        for comparisons in (count, max(count - 1, 1))
    )

    def beside_own(split: Split) -> Interval:
        own = judgement.evidence.own[split]
        return judgement.shown_beside(own, of_all, split, "partners", split.value)

    # Two pairs have no seeds in common, so any order does.
    seeds = min(len(first), len(arm))
    return Partner(
        recommendation=recommendation,
        corrected=corrected,
        confirmation=beside_own(Split.CONFIRMATION),
        test=beside_own(Split.TEST),
        as_good=of_others.interval(
            first[:seeds], arm[:seeds], "as good", weights=judgement.weights.of(Split.CONFIRMATION)
        ).low
        <= 0,
    )
