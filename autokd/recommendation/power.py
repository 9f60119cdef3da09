"""What would decide an undecided pair: a number of further seeds, or only more confirmation examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from scipy.special import ndtr

from autokd.config.confirmation import ConfirmationConfig
from autokd.core.setting import Split, described
from autokd.core.verdict_basis import DEFAULT_BUDGET
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.race import DEFAULT_ARM, WINNER
from autokd.recommendation.verdict import AS_IS, DEFAULTS, Verdict
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


_Either = tuple[_Step, ...]
"""Steps of which one is enough."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """A statement that is shown once one of the steps of each group is done.

    Attributes:
        of_winner: Whether it makes the winner the answer.
    """

    words: str
    groups: tuple[_Either, ...]
    of_winner: bool = False

    @property
    def agrees(self) -> bool:
        """Whether the present means agree with it."""
        return all(any(step.distance > 0 for step in steps) for steps in self.groups)

    def seeds(self, confidence: float) -> float:
        return max(min(step.seeds(confidence) for step in steps) for steps in self.groups)

    def chance(self, seeds: int, confidence: float) -> float:
        """Return how likely the claim is shown with so many seeds in all."""
        return min(max(step.chance(seeds, confidence) for step in steps) for steps in self.groups)


def can_still_change(judgement: Judgement, min_improvement: float, *, seeds: int) -> bool:
    """Return whether a verdict may well be another, better one after so many seeds in all.

    `tuned` and `skip` end the confirmation, and so does a default whose answer is a budget of its own.
    `default` may still become one of these, and `undecided` anything.
    """
    winner, verdict = judgement.evidence.winner, judgement.verdict
    if verdict in (Verdict.TUNED, Verdict.SKIP):
        return False
    claims = _claims(judgement, min_improvement)
    if verdict is Verdict.DEFAULT:
        claims = [claim for claim in claims if claim.of_winner and judgement.shown is not winner]
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
    claims = [claim for claim in _claims(judgement, confirmation.min_improvement) if claim.agrees]
    prices = [(claim.seeds(judgement.confidence), claim.words) for claim in claims]
    seeds, words = min(prices, key=itemgetter(0), default=(math.inf, ""))
    if seeds < math.inf:
        return (
            f"{seeds - len(judgement.evidence.seeds)} more seeds (confirmation.seeds: {seeds} in the study) "
            f"would show that {words}, if the present means hold"
        )
    parts: Sequence[Sequence[VarianceComponents]]
    parts = [[judgement.components(judgement.gain_of_shown, _SPLIT)]]
    if claims:
        parts = [[step.components for step in steps] for steps in claims[0].groups]
    floor = max(
        min(each.with_seeds(math.inf).detectable(judgement.confidence) for each in steps) for steps in parts
    )
    return (
        f"only more confirmation examples: the smallest detectable effect here is {floor:.1f} pp, "
        f"however many seeds ({parts[0][0].examples} examples; splits.confirmation in the study)"
    )


def _claims(judgement: Judgement, min_improvement: float) -> list[_Claim]:
    """Return the claims that can be made of a pair."""
    winner, excluded = judgement.evidence.winner, judgement.excluded

    def steps(arm: str, others: Sequence[str], *, below: float | None = None) -> list[_Step]:
        """Return the steps to beat others, or to stay that far `below` a gain over them."""
        return [
            _Step(
                interval.mean if below is None else below - interval.mean,
                judgement.components(comparison.name, _SPLIT),
            )
            for comparison, interval in judgement.decisive.against(arm, others, excluded=excluded)
        ]

    claims, nothing = [], []
    if winner is not None and WINNER not in excluded:
        defaults = steps(WINNER, DEFAULTS)
        beaten = "default and as-is" if defaults else "as-is"
        to_beat = (*defaults, *steps(WINNER, AS_IS))
        if DEFAULT_BUDGET not in judgement.evidence.lost:
            words = f"{described(winner.setting)} beats {beaten}"
            claims.append(_Claim(words, tuple((step,) for step in to_beat), of_winner=True))
        nothing.append(tuple(steps(WINNER, AS_IS, below=min_improvement)))
    if DEFAULT_ARM not in excluded:
        to_beat = tuple(steps(DEFAULT_ARM, AS_IS))
        claims.append(_Claim("the default beats as-is", tuple((step,) for step in to_beat)))
        nothing.append(tuple(steps(DEFAULT_ARM, AS_IS, below=min_improvement)))
    claims.append(_Claim(f"nothing gains {min_improvement:g} pp", tuple(nothing)))
    return claims
