"""The price of a run in training examples, and work in all units that it is counted in.

Epochs on different transfer sets take different time: an epoch on both participants' data takes about twice
as long as one on the student's. So what the student trains on is counted. Evaluations are not, and teachers
add nothing: their outputs are stored with the federation, so no run computes them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from functools import reduce
from typing import Final

from autokd.core.records import FederationFacts, RunRecord, TrialRecord
from autokd.core.setting import AnyPair, Group, Setting, Split, TransferSet


@dataclass(frozen=True, slots=True)
class Load:
    """Work in the units that it is counted in; a limit is one too, infinite in a unit without a limit."""

    runs: float = 0.0
    epochs: float = 0.0
    examples: float = 0.0

    def __add__(self, other: Load) -> Load:
        return Load(self.runs + other.runs, self.epochs + other.epochs, self.examples + other.examples)

    def __sub__(self, other: Load) -> Load:
        return Load(self.runs - other.runs, self.epochs - other.epochs, self.examples - other.examples)

    def __mul__(self, times: float) -> Load:
        return Load(times * self.runs, times * self.epochs, times * self.examples)

    def least(self, other: Load) -> Load:
        """Return the smaller number of each unit."""
        return Load(*map(min, astuple(self), astuple(other)))

    def most(self, other: Load) -> Load:
        """Return the larger number of each unit."""
        return Load(*map(max, astuple(self), astuple(other)))

    def fits(self, limit: Load) -> bool:
        """Return whether no unit exceeds its limit."""
        return self.most(limit) == limit


NOTHING: Final = Load()
UNLIMITED: Final = Load(math.inf, math.inf, math.inf)


def mean_load(loads: Collection[Load]) -> Load:
    """Return the mean of each unit."""
    return sum(loads, NOTHING) * (1 / len(loads))


def largest_load(loads: Iterable[Load]) -> Load:
    """Return the largest number of each unit; nothing of no loads."""
    return reduce(Load.most, loads, NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices of the runs of one pair or group.

    Attributes:
        student, teacher, public, validation: Numbers of examples of these sets; `teacher` of all teachers.
        epochs: Budget of a run whose setting leaves it to the recipe.
        of_each: Number of examples of each candidate of a group, by its number; empty for a pair.
    """

    student: int
    teacher: int
    public: int
    validation: int
    epochs: int
    of_each: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of_pair(cls, federation: FederationFacts, pair: AnyPair, *, epochs: int) -> Prices | None:
        """Return the prices of a pair; None if the number of public examples is not known.

        Args:
            epochs: The recipe's budget.
        """
        if federation.public is None:
            return None
        of_each = {number: sum(federation.participants[number].histogram) for number in pair.teachers}
        return cls(
            student=sum(federation.participants[pair.student].histogram),
            teacher=sum(of_each.values()),
            public=federation.public,
            validation=len(federation.labels[Split.VALIDATION]),
            epochs=epochs,
            of_each=of_each if isinstance(pair, Group) else {},
        )

    def of_epoch(self, transfer_set: TransferSet) -> int:
        """Return the number of examples that an epoch trains on.

        In `student_public` there are as many public examples as own ones beside these.
        """
        match transfer_set:
            case TransferSet.STUDENT:
                return self.student
            case TransferSet.TEACHER:
                return self.teacher
            case TransferSet.BOTH:  # No two participants have the same example.
                return self.student + self.teacher
            case TransferSet.PUBLIC:
                return self.public
            case TransferSet.STUDENT_PUBLIC:
                return 2 * self.student
            case TransferSet.VALIDATION:
                return self.validation

    def of_epochs(self, setting: Setting, epochs: int) -> int:
        """Return the price of the first epochs of a run."""
        prices = self
        if self.of_each and setting.teachers is not None:
            prices = replace(self, teacher=sum(self.of_each.get(number, 0) for number in setting.teachers))
        return epochs * prices.of_epoch(setting.transfer_set)

    def of_run(self, setting: Setting) -> int:
        """Return the price of a run to the end of its budget."""
        return self.of_epochs(setting, setting.epochs or self.epochs)

    def load(self, setting: Setting, epochs: float | None = None) -> Load:
        """Return the work of a run; to the end of its budget unless `epochs` says how far."""
        trained = (setting.epochs or self.epochs) if epochs is None else epochs
        return Load(1, trained, trained * self.of_epochs(setting, 1))

    def spent(self, runs: Iterable[TrialRecord | RunRecord]) -> int:
        """Return the price of trials and runs as far as they came."""
        return sum(self.of_epochs(run.setting, run.epochs) for run in runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCost:
    """What a recommendation has cost, in training examples.

    Attributes:
        search: Cost of the trials.
        confirmation: Cost of race and confirmation.
        sweep: Cost of a sweep of the grid `poster_sweep` of the same pair.
    """

    search: int
    confirmation: int
    sweep: int

    def __str__(self) -> str:
        total = self.search + self.confirmation
        return f"{total:,} training examples, {total / max(self.sweep, 1):.1%} of a sweep"

    @property
    def shares(self) -> dict[str, float]:
        """Search and confirmation as shares of the sweep."""
        whole = max(self.sweep, 1)
        return {
            "search": round(self.search / whole, 6),
            "confirmation": round(self.confirmation / whole, 6),
        }

    def to_json(self) -> dict[str, dict[str, int] | dict[str, float]]:
        """Return plain values by the names that they have in `autokd status --json`."""
        spent = {"search": self.search, "confirmation": self.confirmation}
        return {"examples_spent": spent, "cost_of_sweep_in_examples": self.shares}
