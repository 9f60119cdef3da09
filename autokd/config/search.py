"""How the settings of one pair are searched, and which trials are stopped early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field, field_validator

from autokd.config.asked import AskedSetting
from autokd.config.base import Frozen
from autokd.config.numbers import Number, Whole
from autokd.core.verdict_basis import SearchBounds


class StoppingConfig(Frozen):
    """ASHA (Li et al. 2020, arXiv:1810.05934): at each rung the best 1/`reduction` of the trials continue.

    The first `grace` trials always run to the end, so that there are complete results to learn from, for this
    pair and for others.
    """

    rungs: tuple[Whole, ...] = Field(default=(3, 6), description="Epochs at which a trial may be stopped.")
    reduction: Whole = Field(default=2, ge=2)
    grace: Whole = Field(
        default=6, ge=0, description="Number of trials per study that are never stopped, with the baseline."
    )

    @field_validator("rungs")
    @classmethod
    def _increasing(cls, rungs: tuple[int, ...]) -> tuple[int, ...]:
        if any(rung < 1 for rung in rungs) or list(rungs) != sorted(set(rungs)):
            raise ValueError("must be increasing epochs from 1")
        return rungs


def rungs_of(rungs: Sequence[int], budget: int) -> tuple[int, ...]:
    """Return the epochs at which a trial of any budget reports, its budget last.

    These are a recipe's rungs below the budget. Above the recipe's own budget, which is the last of its
    rungs, they go on by doubling, so that a long trial is stopped early as a short one is.

    Args:
        rungs: Rungs of a trial of the recipe's budget, that one last. If it is the only one, early stopping
            is off, for longer trials too.
    """
    below = list(rungs) if len(rungs) > 1 else []
    while below and below[-1] < budget:
        below.append(2 * below[-1])
    return (*(rung for rung in below if rung < budget), budget)


class SearchConfig(Frozen):
    """How the settings of one pair are searched.

    Attributes:
        trials: Largest number of trials per pair, with the baseline. By rule 1 the two pairs of a meeting
            share 2 x `trials`.
        min_trials: Number of trials after which a search may end by itself.
        epsilon: A search ends when no setting is believed to gain this much more than the best one known, in
            pp. What the validation examples cannot tell does not count (`autokd.search.ending`).
        confidence: Probability with which this must hold.
        floor: Minimum share of the trials run in a meeting that each of its pairs gets, however unpromising.
        startup_trials: Number of random trials before the sampler learns.
        retries: How often a run is repeated after a failure of the infrastructure.
        asked: Settings that the user wants to see, in a recipe `try`: they run in each pair that is tuned,
            right after the default setting.
        max_epochs: Largest budget of a run where the space searches epochs by doubling; None for four times
            the recipe's epochs.
    """

    omit_if_default: ClassVar[frozenset[str]] = frozenset(
        {"min_trials", "epsilon", "confidence", "asked", "max_epochs"}
    )

    trials: Whole = Field(default=12, ge=2)
    min_trials: Whole = Field(default=3, ge=2)
    epsilon: Number = Field(default=2.0, ge=0)
    confidence: Number = Field(default=0.8, gt=0.5, le=1)
    floor: Number = Field(default=0.5, gt=0, le=1)
    startup_trials: Whole = Field(default=10, ge=1)
    stopping: StoppingConfig = StoppingConfig()
    retries: Whole = Field(default=3, ge=0)
    asked: tuple[AskedSetting, ...] = Field(default=(), alias="try")
    max_epochs: Whole | None = Field(default=None, ge=1)

    @property
    def bounds(self) -> SearchBounds:
        """When a search ends."""
        return SearchBounds(self.trials, self.epsilon, self.confidence)
