"""What would decide an undecided pair: more seeds, and how many, or only more confirmation examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from autokd.plan import ConfirmationRecipe
from autokd.recommendation.evidence import Arm
from autokd.recommendation.statistics import Spread, paired_spread
from autokd.recommendation.verdict import Judgement, Verdict, described
from autokd.setting import Split

MOST_SEEDS: Final = 50
"""A claim that would need more is called out of reach of seeds: it would cost more than the whole search."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One interval must become narrower than `distance` to each side, in pp, its mean being what it is
    now."""

    distance: float
    spread: Spread

    def seeds(self, confidence: float) -> int | None:
        """The fewest seeds that would do, one more than there are at least; None if beyond MOST_SEEDS."""
        for seeds in range(self.spread.seeds + 1, MOST_SEEDS + 1):
            if self.spread.with_seeds(seeds).half_width(confidence) < self.distance:
                return seeds
        return None

    def floor(self, confidence: float) -> float:
        """Half width with endless seeds, in pp: smaller differences these examples cannot show."""
        return self.spread.with_seeds(math.inf).half_width(confidence)


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


def what_would_decide(judgement: Judgement, plan: ConfirmationRecipe) -> str:
    """For an undecided pair one sentence of advice; empty for all others.

    Each claim that the present means speak for is tried: with how many seeds would its intervals exclude what
    they must exclude, if means and spreads stayed as they are? The claim that needs the fewest is named. If
    none can be had with `MOST_SEEDS`, the examples are the limit, and the smallest difference that they can
    show, with whatever number of seeds, is named instead.
    """
    if judgement.verdict is not Verdict.UNDECIDED:
        return ""
    claims = [claim for claim in _claims(judgement, plan) if claim.thinkable]
    priced = [(seeds, claim) for claim in claims if (seeds := claim.seeds(plan.confidence)) is not None]
    if priced:
        seeds, claim = min(priced, key=lambda one: one[0])
        return (
            f"about {seeds} confirmation seeds instead of {len(judgement.evidence.seeds)} "
            f"(confirmation.seeds in the study) would show that {claim.words}, if the present means hold"
        )
    spreads = [_spread(judgement, judgement.shown, None)]
    if claims:
        spreads = [step.spread for step in claims[0].steps]
    floor = max(spread.with_seeds(math.inf).half_width(plan.confidence) for spread in spreads)
    return (
        f"more seeds would not decide it; the {spreads[0].examples} confirmation examples show no difference "
        f"below {floor:.1f} pp, however many seeds: a larger confirmation split would help "
        "(splits.confirmation in the study)"
    )


def _claims(judgement: Judgement, plan: ConfirmationRecipe) -> list[_Claim]:
    figures, evidence = judgement.confirmation, judgement.evidence
    default = _spread(judgement, evidence.default, None)
    claims = [_Claim("the default beats as-is", (_Step(figures.default_gain.mean, default),))]
    nothing = [_Step(plan.min_improvement - figures.default_gain.mean, default)]
    if evidence.winner is not None and figures.winner_gain is not None and figures.improvement is not None:
        gain = _spread(judgement, evidence.winner, None)
        against_default = _spread(judgement, evidence.winner, evidence.default)
        steps = (_Step(figures.improvement.mean, against_default), _Step(figures.winner_gain.mean, gain))
        claims.insert(0, _Claim(f"{described(evidence.winner.setting)} beats default and as-is", steps))
        nothing.append(_Step(plan.min_improvement - figures.winner_gain.mean, gain))
    return [*claims, _Claim(f"nothing gains {plan.min_improvement:g} pp", tuple(nothing))]


def _spread(judgement: Judgement, first: Arm, second: Arm | None) -> Spread:
    own = judgement.evidence.own[Split.CONFIRMATION]
    return paired_spread(
        first.correct[Split.CONFIRMATION], own if second is None else second.correct[Split.CONFIRMATION]
    )
