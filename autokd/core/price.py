"""The price of a run in training examples.

Epochs on different transfer sets take different time: an epoch on both participants' data takes about twice
as long as one on the student's. So what the student trains on is counted. Evaluations are not, and teachers
add nothing: their outputs are stored with the federation, so no run computes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from autokd.core.records import FederationFacts, RunRecord, TrialRecord
from autokd.core.setting import AnyPair, Group, Setting, Split, TransferSet


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

    def spent(self, runs: Iterable[TrialRecord | RunRecord]) -> int:
        """Return the price of trials and runs as far as they came."""
        return sum(self.of_epochs(run.setting, run.epochs) for run in runs)
