"""What would decide an undecided pair: a number of further seeds, or only more confirmation examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from scipy.special import ndtr

from autokd.config.study import ConfirmationConfig
from autokd.core.setting import Split
from autokd.recommendation.verdict import (
    DEFAULT_GAIN,
    IMPROVEMENT,
    WINNER_GAIN,
    Judgement,
    Verdict,
    described,
)
from autokd.statistics.paired import VarianceComponents

_SPLIT: Final = Split.CONFIRMATION
_FUTILE: Final = 0.05
"""Chance below which further seeds are not run."""
MOST_SEEDS: Final = 50
"""More seeds than this would cost more than the whole search, so they are not advised."""


@dataclass(frozen=True, slots=True)
class _Step:
    """An interval whose half width must fall below `distance`, in pp, while its mean stays."""

    distance: float
    components: VarianceComponents

    def seeds(self, confidence: float) -> float:
        """Return the smallest sufficient number of seeds above the present one; infinite above MOST_SEEDS."""
        for seeds in range(self.components.seeds + 1, MOST_SEEDS + 1):
            if self.components.with_seeds(seeds).half_width(confidence) < self.distance:
                return seeds
        return math.inf

    def chance(self, seeds: int, confidence: float) -> float:
        """Return how likely this is done with so many seeds, if the true mean is the present one.

        Between now and then the mean moves by what the further seeds add; the examples stay the same.
        """
        later = self.components.with_seeds(seeds)
        moves = math.sqrt(max(self.components.error**2 - later.error**2, 0.0))
        apart = self.distance - later.half_width(confidence)
        return float(ndtr(apart / moves)) if moves > 0 else float(apart > 0)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A statement that is shown once all its steps are done."""

    words: str
    steps: tuple[_Step, ...]
    verdict: Verdict

    def seeds(self, confidence: float) -> float:
        return max(step.seeds(confidence) for step in self.steps)

    def chance(self, seeds: int, confidence: float) -> float:
        """Return how likely the claim is shown with so many seeds in all."""
        return min(step.chance(seeds, confidence) for step in self.steps)


def can_still_change(judgement: Judgement, min_improvement: float, *, seeds: int) -> bool:
    """Return whether a verdict may well be another, better one after so many seeds in all.

    `tuned` and `skip` end the confirmation. `default` may still become `tuned`, and `undecided` anything.
    """
    if judgement.verdict in (Verdict.TUNED, Verdict.SKIP):
        return False
    claims = _claims(judgement, min_improvement, any_sign=True)
    if judgement.verdict is Verdict.DEFAULT:
        claims = [claim for claim in claims if claim.verdict is Verdict.TUNED]
    return any(claim.chance(seeds, judgement.confidence) >= _FUTILE for claim in claims)


def what_would_decide(judgement: Judgement, confirmation: ConfirmationConfig) -> str:
    """Return one sentence of advice for an undecided pair; empty for all others.

    For each claim that agrees with the present means, the number of seeds is computed that would show it if
    means and variances stayed as they are; the sentence names the claim that needs the fewest. If every claim
    needs more than `MOST_SEEDS`, the examples are the limit, and the sentence names the smallest effect that
    they would show in four cases of five with any number of seeds.
    """
    if judgement.verdict is not Verdict.UNDECIDED:
        return ""
    claims = _claims(judgement, confirmation.min_improvement)
    prices = [(claim.seeds(judgement.confidence), claim.words) for claim in claims]
    seeds, words = min(prices, key=itemgetter(0), default=(math.inf, ""))
    if seeds < math.inf:
        return (
            f"{seeds - len(judgement.evidence.seeds)} more seeds (confirmation.seeds: {seeds} in the study) "
            f"would show that {words}, if the present means hold"
        )
    limits = [judgement.components(judgement.gain_of_shown, _SPLIT)]
    if claims:
        limits = [step.components for step in claims[0].steps]
    floor = max(parts.with_seeds(math.inf).detectable(judgement.confidence) for parts in limits)
    return (
        f"only more confirmation examples: the smallest detectable effect here is {floor:.1f} pp, "
        f"however many seeds ({limits[0].examples} examples; splits.confirmation in the study)"
    )


def _claims(judgement: Judgement, min_improvement: float, *, any_sign: bool = False) -> list[_Claim]:
    """Return the claims that agree with the present means, or with `any_sign` all."""
    figures, evidence, forgotten = judgement.decisive, judgement.evidence, judgement.forgotten
    claims: list[_Claim] = []
    nothing: list[_Step] = []
    default_stands = forgotten is None or forgotten.default_allowed
    winner, gain, improvement = evidence.winner, figures.winner_gain, figures.improvement
    if winner and gain and improvement and (forgotten is None or forgotten.winner_allowed):
        components = judgement.components(WINNER_GAIN, _SPLIT)
        steps = [_Step(gain.mean, components)]
        beaten = "as-is"
        if default_stands:
            beaten = "default and as-is"
            against_default = judgement.components(IMPROVEMENT, _SPLIT)
            steps.insert(0, _Step(improvement.mean, against_default))
        claims.append(_Claim(f"{described(winner.setting)} beats {beaten}", tuple(steps), Verdict.TUNED))
        nothing.append(_Step(min_improvement - gain.mean, components))
    if default_stands:
        default = judgement.components(DEFAULT_GAIN, _SPLIT)
        step = _Step(figures.default_gain.mean, default)
        claims.append(_Claim("the default beats as-is", (step,), Verdict.DEFAULT))
        nothing.append(_Step(min_improvement - figures.default_gain.mean, default))
    claims.append(_Claim(f"nothing gains {min_improvement:g} pp", tuple(nothing), Verdict.SKIP))
    return [claim for claim in claims if any_sign or all(step.distance > 0 for step in claim.steps)]
