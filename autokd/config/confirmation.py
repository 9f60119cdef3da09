"""How the winner of a search is chosen and judged."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from autokd.config.base import Frozen
from autokd.config.numbers import Number, Whole


class ConfirmationConfig(Frozen):
    """How the winner of a search is chosen and judged.

    Attributes:
        candidates: Number of settings in the race.
        race_seeds: Number of fresh seeds of each candidate in the race.
        seeds: Number of further fresh seeds, on which the winner and the default are compared in pairs.
        early_looks: Smaller numbers of seeds after which a pair is judged already, and ended if further seeds
            would hardly change its verdict.
        max_seeds: Number of seeds after which an undecided pair is judged once more; None for never. All
            judgements together keep the error rate of one (`autokd.recommendation.interim_looks`).
        min_improvement: Smallest gain worth distilling for, in pp.
        confidence: Confidence level of the intervals.
        resamples: Number of bootstrap resamples.
    """

    omit_if_default = frozenset({"early_looks"})

    candidates: Whole = Field(default=3, ge=1)
    race_seeds: Whole = Field(default=2, ge=1)
    seeds: Whole = Field(default=5, ge=2)
    early_looks: tuple[Whole, ...] = (2, 3)
    max_seeds: Whole | None = Field(default=None, ge=2)
    min_improvement: Number = Field(default=0.5, ge=0)
    confidence: Number = Field(default=0.95, gt=0.5, lt=1)
    resamples: Whole = Field(default=4000, ge=200, le=100_000)

    @field_validator("early_looks")
    @classmethod
    def _of_two_seeds(cls, looks: tuple[int, ...]) -> tuple[int, ...]:
        if any(seeds < 2 for seeds in looks) or list(looks) != sorted(set(looks)):
            raise ValueError("must be increasing numbers of seeds, and at least 2 to show how seeds vary")
        return looks

    @model_validator(mode="after")
    def _seeds_up_to(self) -> ConfirmationConfig:
        if self.max_seeds is not None and self.max_seeds < self.seeds:
            raise ValueError(f"max_seeds {self.max_seeds} lies below seeds {self.seeds}")
        return self

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of seeds after which a pair is judged."""
        return (*(seeds for seeds in self.early_looks if seeds < self.seeds), *self.fixed_looks)

    @property
    def fixed_looks(self) -> tuple[int, ...]:
        """The looks of rule 1, which has no early ones."""
        return (self.seeds,) if self.max_seeds in (None, self.seeds) else (self.seeds, self.max_seeds)
