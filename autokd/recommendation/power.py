"""What would decide an undecided pair: more seeds, and how many, or only more confirmation examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from autokd.config.study import ConfirmationConfig
from autokd.core.setting import Split
from autokd.recommendation.evidence import Arm
from autokd.recommendation.verdict import Judgement, Verdict, described, objective_weights
from autokd.statistics.paired import VarianceComponents, variance_components

MOST_SEEDS: Final = 50
"""A claim that would need more is called out of reach of seeds: it would cost more than the whole search."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One interval must become narrower than `distance` to each side, in pp, its mean being what it is
    now."""

    distance: float
    spread: VarianceComponents

    def seeds(self, confidence: float) -> int | None:
        """The fewest seeds that would do, one more than there are at least; None if beyond MOST_SEEDS."""
        for seeds in range(self.spread.seeds + 1, MOST_SEEDS + 1):
            if self.spread.with_seeds(seeds).half_width(confidence) < self.distance:
                return seeds
        return None


@dataclass(frozen=True, slots=True)
class _Claim:
    """A verdict that all steps together would lead to."""

    words: str
    steps: tuple[_Step, ...]

    @property
    def thinkable(self) -> bool:
        """Whether it is true of the present means."""
        return all(step.distance > 0 for step in self.steps)

    def seeds(self, confidence: float) -> int | None:
        needed = [step.seeds(confidence) for step in self.steps]
        known = [count for count in needed if count is not None]
        return max(known) if len(known) == len(needed) else None


def what_would_decide(judgement: Judgement, plan: ConfirmationConfig) -> str:
    """For an undecided pair one sentence of advice; empty for all others.

    Each claim that the present means speak for is tried: with how many seeds would its intervals exclude what
    they must exclude, if means and spreads stayed as they are? The claim that needs the fewest is named. If
    none can be had with `MOST_SEEDS`, the examples are the limit, and the smallest effect that they would
    show in four cases of five, with whatever number of seeds, is named instead.
    """
    if judgement.verdict is not Verdict.UNDECIDED:
        return ""
    claims = [claim for claim in _claims(judgement, plan) if claim.thinkable]
    priced = [(seeds, claim) for claim in claims if (seeds := claim.seeds(judgement.confidence)) is not None]
    if priced:
        seeds, claim = min(priced, key=lambda one: one[0])
        return (
            f"{seeds - len(judgement.evidence.seeds)} more seeds (confirmation.seeds: {seeds} in the study) "
            f"would show that {claim.words}, if the present means hold"
        )
    spreads = [_spread(judgement, judgement.shown, None)]
    if claims:
        spreads = [step.spread for step in claims[0].steps]
    floor = max(spread.with_seeds(math.inf).detectable(judgement.confidence) for spread in spreads)
    return (
        f"only more confirmation examples: the smallest detectable effect here is {floor:.1f} pp, "
        f"however many seeds ({spreads[0].examples} examples; splits.confirmation in the study)"
    )


def _claims(judgement: Judgement, plan: ConfirmationConfig) -> list[_Claim]:
    figures, evidence, forgotten = judgement.decisive, judgement.evidence, judgement.forgotten
    claims: list[_Claim] = []
    nothing: list[_Step] = []
    winner_stands = evidence.winner is not None and (forgotten is None or forgotten.winner_allowed)
    default_stands = forgotten is None or forgotten.default_allowed
    if winner_stands and figures.winner_gain is not None and figures.improvement is not None:
        assert evidence.winner is not None
        gain = _spread(judgement, evidence.winner, None)
        steps = [_Step(figures.winner_gain.mean, gain)]
        beaten = "as-is"
        if default_stands:
            beaten = "default and as-is"
            against_default = _spread(judgement, evidence.winner, evidence.default)
            steps.insert(0, _Step(figures.improvement.mean, against_default))
        claims.append(_Claim(f"{described(evidence.winner.setting)} beats {beaten}", tuple(steps)))
        nothing.append(_Step(plan.min_improvement - figures.winner_gain.mean, gain))
    if default_stands:
        default = _spread(judgement, evidence.default, None)
        claims.append(_Claim("the default beats as-is", (_Step(figures.default_gain.mean, default),)))
        nothing.append(_Step(plan.min_improvement - figures.default_gain.mean, default))
    return [*claims, _Claim(f"nothing gains {plan.min_improvement:g} pp", tuple(nothing))]


def _spread(judgement: Judgement, first: Arm, second: Arm | None) -> VarianceComponents:
    own = judgement.evidence.own[Split.CONFIRMATION]
    return variance_components(
        first.correct[Split.CONFIRMATION],
        own if second is None else second.correct[Split.CONFIRMATION],
        weights=objective_weights(judgement.aims, judgement.evidence.local, Split.CONFIRMATION),
    )
