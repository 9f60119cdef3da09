"""What would decide an undecided pair: a number of further seeds, or only more confirmation examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from autokd.config.study import ConfirmationConfig
from autokd.core.setting import Split
from autokd.recommendation.evidence import Arm
from autokd.recommendation.verdict import Judgement, Verdict, described, objective_weights
from autokd.statistics.paired import VarianceComponents, variance_components

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


@dataclass(frozen=True, slots=True)
class _Claim:
    """A statement that is shown once all its steps are done."""

    words: str
    steps: tuple[_Step, ...]

    def seeds(self, confidence: float) -> float:
        return max(step.seeds(confidence) for step in self.steps)


def what_would_decide(judgement: Judgement, confirmation: ConfirmationConfig) -> str:
    """Return one sentence of advice for an undecided pair; empty for all others.

    For each claim that agrees with the present means, the number of seeds is computed that would show it if
    means and variances stayed as they are; the sentence names the claim that needs the fewest. If every claim
    needs more than `MOST_SEEDS`, the examples are the limit, and the sentence names the smallest effect that
    they would show in four cases of five with any number of seeds.
    """
    if judgement.verdict is not Verdict.UNDECIDED:
        return ""
    claims = _claims(judgement, confirmation)
    prices = [(claim.seeds(judgement.confidence), claim.words) for claim in claims]
    seeds, words = min(prices, key=itemgetter(0), default=(math.inf, ""))
    if seeds < math.inf:
        return (
            f"{seeds - len(judgement.evidence.seeds)} more seeds (confirmation.seeds: {seeds} in the study) "
            f"would show that {words}, if the present means hold"
        )
    limits = [_components(judgement, judgement.shown, None)]
    if claims:
        limits = [step.components for step in claims[0].steps]
    floor = max(parts.with_seeds(math.inf).detectable(judgement.confidence) for parts in limits)
    return (
        f"only more confirmation examples: the smallest detectable effect here is {floor:.1f} pp, "
        f"however many seeds ({limits[0].examples} examples; splits.confirmation in the study)"
    )


def _claims(judgement: Judgement, confirmation: ConfirmationConfig) -> list[_Claim]:
    """Return the claims that agree with the present means."""
    figures, evidence, forgotten = judgement.decisive, judgement.evidence, judgement.forgotten
    claims: list[_Claim] = []
    nothing: list[_Step] = []
    default_stands = forgotten is None or forgotten.default_allowed
    winner, gain, improvement = evidence.winner, figures.winner_gain, figures.improvement
    if winner and gain and improvement and (forgotten is None or forgotten.winner_allowed):
        components = _components(judgement, winner, None)
        steps = [_Step(gain.mean, components)]
        beaten = "as-is"
        if default_stands:
            beaten = "default and as-is"
            against_default = _components(judgement, winner, evidence.default)
            steps.insert(0, _Step(improvement.mean, against_default))
        claims.append(_Claim(f"{described(winner.setting)} beats {beaten}", tuple(steps)))
        nothing.append(_Step(confirmation.min_improvement - gain.mean, components))
    if default_stands:
        default = _components(judgement, evidence.default, None)
        claims.append(_Claim("the default beats as-is", (_Step(figures.default_gain.mean, default),)))
        nothing.append(_Step(confirmation.min_improvement - figures.default_gain.mean, default))
    claims.append(_Claim(f"nothing gains {confirmation.min_improvement:g} pp", tuple(nothing)))
    return [claim for claim in claims if all(step.distance > 0 for step in claim.steps)]


def _components(judgement: Judgement, first: Arm, second: Arm | None) -> VarianceComponents:
    own = judgement.evidence.own[Split.CONFIRMATION]
    return variance_components(
        first.correct[Split.CONFIRMATION],
        own if second is None else second.correct[Split.CONFIRMATION],
        weights=objective_weights(judgement.aims, judgement.evidence.local, Split.CONFIRMATION),
    )
