"""The rule of a verdict: what intervals must show of a pair, on the confirmation split."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from autokd.core.verdict_basis import DEFAULT_BUDGET
from autokd.recommendation.comparisons import Figures
from autokd.recommendation.evidence import CORRECTED, OWN
from autokd.recommendation.race import DEFAULT_ARM, WINNER

RULE: Final = 3
"""Version of the verdict's rule that new studies get; a study keeps the version that it was created with.

Rule 1: a race, five seeds, each pair alone. Rule 2: a `VerdictBasis`, looks, the seeds' variance moderated.
Rule 3: as-is knows the corrected own model, and `tuned` also beats the default at a budget of its own.
"""
PLAIN_RULE: Final = 1
"""The rule of studies that store no basis."""
WITH_RIVALS: Final = 3
"""First rule that knows the corrected own model and the rivals."""
AS_IS: Final = (OWN, CORRECTED)
"""The models that need no run; each has to be beaten."""
DEFAULTS: Final = (DEFAULT_ARM, DEFAULT_BUDGET)
"""The arms that `tuned` has to beat."""


class Verdict(StrEnum):
    """What can be shown about a pair."""

    TUNED = "tuned"
    """The winner beats the default, at the recipe's budget and at its own, and as-is."""
    DEFAULT = "default"
    """The default beats as-is, and nothing is shown to beat it but, at most, a budget of its own."""
    SKIP = "skip"
    """Neither can gain as much as `min_improvement`."""
    UNDECIDED = "undecided"
    """None of these can be shown: the advice is as-is."""
    FAILED = "failed"
    """There are no runs to judge."""

    @property
    def answer(self) -> str:
        """What to use: the setting found (`tuned`), the default setting, or the model as it is (`as-is`)."""
        return self.value if self in (Verdict.TUNED, Verdict.DEFAULT) else "as-is"


def decide(
    figures: Figures,
    *,
    min_improvement: float,
    excluded: Collection[str] = (),
    budget_only: bool = False,
    tunable: bool = True,
) -> Verdict:
    """Return the verdict; if several rules hold, the first counts.

        skip       for winner and default: high(arm - as-is) < min_improvement for the own model as it is, or
                   for the corrected one
        tuned      low(winner - rival) > 0 for each of: the default, the default at its budget, and both own
                   models
        default    low(default - as-is) > 0 for both own models
        undecided  otherwise

    What is not compared has no conditions: without a winner `tuned` is impossible, and rules 1 and 2 know
    neither the corrected own model nor the default at its budget.

    Args:
        excluded: Names of arms and models that break the study's constraints. Their conditions are left out,
            too: they can neither be the answer nor stand in the way of one.
        budget_only: Whether the winner is the default at another budget; it is `default` where it would be
            `tuned`.
        tunable: False if a rival that has to be beaten could not be measured.
    """
    against = [
        [interval for _, interval in figures.against(arm, AS_IS, excluded=excluded)]
        for arm in (WINNER, DEFAULT_ARM)
    ]
    if all(any(gain.high < min_improvement for gain in gains) for gains in against if gains):
        return Verdict.SKIP
    if tunable and beats_all(figures, excluded):
        return Verdict.DEFAULT if budget_only else Verdict.TUNED
    _, default = against
    beaten = bool(default) and all(gain.low > 0 for gain in default)
    return Verdict.DEFAULT if beaten else Verdict.UNDECIDED


def beats_all(figures: Figures, excluded: Collection[str]) -> bool:
    """Return whether the winner is shown to beat as-is and each default."""
    to_beat = list(figures.against(WINNER, (*AS_IS, *DEFAULTS), excluded=excluded))
    return bool(to_beat) and all(interval.low > 0 for _, interval in to_beat)
