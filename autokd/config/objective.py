"""What a setting is optimised for, and what it may cost the student."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from autokd.config.base import Frozen
from autokd.config.numbers import Number


class Constraints(Frozen):
    """What a setting may cost the student on its own label distribution, in pp; unlimited by default.

    Both limits bound the same quantity, since forgetting is the lost local accuracy: the lower one counts.
    """

    max_forgetting: Number | None = Field(default=None, ge=0)
    max_local_loss: Number | None = Field(default=None, ge=0)

    @property
    def limit(self) -> float | None:
        """The lower of the two limits, in pp."""
        limits = (self.max_forgetting, self.max_local_loss)
        return min((limit for limit in limits if limit is not None), default=None)


ObjectiveName = Literal["gain", "balanced", "gain_local", "gain_minus_forgetting"]


class Objective(Frozen):
    """What a setting is optimised for, and the constraints that it must satisfy.

    Attributes:
        objective: `gain` is the gain in accuracy on the common split; `balanced` the gain in the mean over
            classes of the accuracy within a class: all classes have equal shares; `gain_local` the gain on
            the student's own label distribution (minus its forgetting); `gain_minus_forgetting` both.
    """

    objective: ObjectiveName = "gain"
    constraints: Constraints = Constraints()

    def value(self, gain: float, forgetting: float) -> float:
        """Return the value of a run in pp, from its gain and its forgetting in pp."""
        match self.objective:
            case "gain" | "balanced":
                return gain
            case "gain_local":
                return -forgetting
            case "gain_minus_forgetting":
                return gain - forgetting

    @property
    def is_gain(self) -> bool:
        """Whether its value is the gain itself, on whatever target distribution."""
        return self.objective in ("gain", "balanced")

    def keeps(self, forgetting: float) -> bool:
        """Return whether a forgetting (in pp) satisfies the constraints."""
        limit = self.constraints.limit
        return limit is None or forgetting <= limit
