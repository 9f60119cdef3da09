"""What is tuned (a setting) and for whom (a pair): the small values that every layer speaks in."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from autokd.errors import PlanError


class TransferSet(StrEnum):
    """The examples distilled on, in the run's own roles."""

    STUDENT = "student"
    """The student's private data."""
    TEACHER = "teacher"
    """The teacher's private data: raw examples move to the student."""
    BOTH = "both"
    """The union of the two."""
    PUBLIC = "public"
    """Shared and unlabelled: the loss is T²·KL alone, and alpha has no meaning."""
    VALIDATION = "validation"
    """The labelled validation split, and so in no search space: only a rival is trained on it."""


SEARCHABLE: Final = (TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH, TransferSet.PUBLIC)
"""The transfer sets that a search space may hold."""


class Method(StrEnum):
    """What the student is taught by the frozen models (see `autokd.distillation.targets` for sources)."""

    PLAIN = "plain"
    """The teacher's softened outputs."""
    DATA_PARTITIONING = "data_partitioning"
    """Each example by the teacher or by the student as it was, whichever is the better one there."""
    LOGIT_STANDARDISATION = "logit_standardisation"
    """The teacher's outputs, both sides' logits standardised for each example."""
    ENSEMBLE = "ensemble"
    """The mean of the logits of the teacher and of the student as it was."""
    SEEN_CLASSES = "seen_classes"
    """Both models' outputs, in each class by how many private examples of it each has seen."""
    TRUST = "trust"
    """The teacher's outputs, the less of them the less sure it is of the label."""


class BatchNorm(StrEnum):
    """Whether BatchNorm statistics move while a student is distilled."""

    TRAIN = "train"
    FROZEN = "frozen"


class Split(StrEnum):
    """The common held-out parts, disjoint from each other and from all private data."""

    VALIDATION = "validation"
    """Where the search and the race look."""
    CONFIRMATION = "confirmation"
    """Where the verdict looks."""
    TEST = "test"
    """Only reported, never decided on."""


class Position(StrEnum):
    """Which of a meeting's two pairs to use, seen from one participant's side."""

    STUDENT = "student"
    TEACHER = "teacher"


@dataclass(frozen=True, slots=True)
class Setting:
    """One point of the space that is searched inside a pair.

    Attributes:
        temperature: T > 0, softens both outputs.
        alpha: Weight of the distillation term in [0, 1]; None if and only if the transfer set is `public`.
            0 means that the teacher is not used: plain fine-tuning.
        transfer_set: What the student trains on.
        method: What it is taught.
        learning_rate: At the start of the schedule, or None for the recipe's, as in the next two.
        epochs: Full budget of the run.
        batch_norm: Whether its statistics move.
    """

    temperature: float
    alpha: float | None
    transfer_set: TransferSet
    method: Method = Method.PLAIN
    learning_rate: float | None = None
    epochs: int | None = None
    batch_norm: BatchNorm | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature={self.temperature} must be a positive number")
        if (self.alpha is None) != (self.transfer_set is TransferSet.PUBLIC):
            raise ValueError(f"alpha={self.alpha} does not fit transfer set {self.transfer_set}")
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha={self.alpha} must lie in [0, 1]")
        rate = self.learning_rate
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"learning_rate={rate} must be a positive number")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs={self.epochs} must be at least 1")

    def __str__(self) -> str:
        alpha = "-" if self.alpha is None else f"{self.alpha:.3g}"
        return f"T={self.temperature:.3g} α={alpha} on {self.transfer_set}{self.more}"

    @property
    def more(self) -> str:
        """In words what goes beyond T, α and transfer set; empty if nothing does."""
        told = {
            "": "" if self.method is Method.PLAIN else self.method.value.replace("_", " "),
            "learning rate ": "" if self.learning_rate is None else f"{self.learning_rate:.3g}",
            "epochs ": self.epochs or "",
            "BatchNorm ": self.batch_norm or "",
        }
        return "".join(f", {name}{value}" for name, value in told.items() if value)

    def values(self) -> dict[str, float | str | None]:
        """Every dimension by name, as plain values; None is as the recipe has it, or has no meaning."""
        return {
            "temperature": self.temperature,
            "alpha": self.alpha,
            "transfer_set": self.transfer_set.value,
            "method": self.method.value,
            "learning_rate": self.learning_rate,
            "epochs": self.epochs,
            "batch_norm": None if self.batch_norm is None else self.batch_norm.value,
        }

    def to_json(self) -> dict[str, float | str | None]:
        """As `values`, without what is as in every setting of T, α and transfer set alone."""
        usual = {"method": Method.PLAIN.value, "learning_rate": None, "epochs": None, "batch_norm": None}
        return {name: value for name, value in self.values().items() if usual.get(name, ...) != value}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Setting:
        """The inverse, exact; a missing alpha is None.

        Raises:
            KeyError: If temperature or transfer set are missing.
            ValueError: If a value does not hold.
        """
        frozen = plain.get("batch_norm")
        return cls(
            temperature=plain["temperature"],
            alpha=plain.get("alpha"),
            transfer_set=TransferSet(plain["transfer_set"]),
            method=Method(plain.get("method", Method.PLAIN)),
            learning_rate=plain.get("learning_rate"),
            epochs=plain.get("epochs"),
            batch_norm=None if frozen is None else BatchNorm(frozen),
        )


DEFAULT = Setting(temperature=1.0, alpha=0.5, transfer_set=TransferSet.STUDENT)
"""The default setting: the baseline to beat."""


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """A directed pair: `teacher` teaches `student`; written `4->9`."""

    teacher: int
    student: int

    def __post_init__(self) -> None:
        if self.teacher < 0 or self.student < 0:
            raise ValueError(f"participants are numbered from 0, not {self}")
        if self.teacher == self.student:
            raise ValueError(f"{self}: a participant cannot teach itself")

    def __str__(self) -> str:
        return f"{self.teacher}->{self.student}"

    @property
    def reverse(self) -> Pair:
        """The other pair of the same meeting."""
        return Pair(teacher=self.student, student=self.teacher)

    @property
    def meeting(self) -> frozenset[int]:
        """The two participants, whoever teaches."""
        return frozenset((self.teacher, self.student))

    @classmethod
    def parse(cls, text: str, *, participants: int | None = None) -> Pair:
        """Read `"4,9"` (or `"4->9"`): teacher first.

        Args:
            text: What the user typed.
            participants: If known, both numbers must lie below it.

        Raises:
            PlanError: Naming the field `--pair` and the way out.
        """
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:,|->)\s*(\d{1,9})\s*", text, flags=re.ASCII)
        if match is None:
            problem = f"{text!r} is not a pair; write teacher,student as two numbers, e.g. --pair 4,9"
            raise PlanError(source="command line", field="--pair", problem=problem)
        teacher, student = int(match[1]), int(match[2])
        if teacher == student:
            problem = f"{text!r}: a participant cannot teach itself; name two different participants"
            raise PlanError(source="command line", field="--pair", problem=problem)
        if participants is not None and max(teacher, student) >= participants:
            problem = (
                f"participant {max(teacher, student)} does not exist; "
                f"this federation has {participants}, numbered 0 to {participants - 1}"
            )
            raise PlanError(source="command line", field="--pair", problem=problem)
        return cls(teacher=teacher, student=student)


def derive_seed(*parts: str | int) -> int:
    """A seed in [0, 2⁶³) that depends on nothing but names and numbers, on every machine the same."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
