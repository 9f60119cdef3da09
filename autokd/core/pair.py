"""Pairs and groups: who teaches whom; a pair is what a group of one candidate is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from autokd.core.arguments import constructed, whole
from autokd.core.pair_text import MARKS, hint
from autokd.errors import ArgumentError, PlanError

_MOST_PARTICIPANTS: Final = 10**9
_TYPED: Final = re.compile(
    rf"\s*(\d{{1,9}})\s*(?:{'|'.join(map(re.escape, MARKS))})\s*(\d{{1,9}})\s*", flags=re.ASCII
)
_LONGEST_KEY: Final = 120
"""Characters of the longest key of a group that names its candidates."""


@constructed
@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """A directed pair, written `4->9`: participant 4 teaches participant 9."""

    teacher: int
    student: int

    def __post_init__(self) -> None:
        for name in ("teacher", "student"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= _MOST_PARTICIPANTS:
                object.__setattr__(self, name, whole(name, value, most=_MOST_PARTICIPANTS))
        if self.teacher == self.student:
            raise ArgumentError("student", f"{self}: a participant cannot teach itself")

    def __str__(self) -> str:
        return f"{self.teacher}->{self.student}"

    @property
    def teachers(self) -> tuple[int, ...]:
        """The teacher, as those of a `Group`."""
        return (self.teacher,)

    @property
    def key(self) -> str:
        """What the names of the pair's studies end with."""
        return str(self)

    @property
    def options(self) -> str:
        """The options of the command line that name the pair."""
        return f"--pair {self.teacher},{self.student}"

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {"teacher": self.teacher, "student": self.student}

    @property
    def reverse(self) -> Pair:
        """The other pair of the same meeting."""
        return Pair(teacher=self.student, student=self.teacher)

    @property
    def meeting(self) -> frozenset[int]:
        """The two participants, in either direction."""
        return frozenset((self.teacher, self.student))

    @classmethod
    def parse(cls, text: str, *, participants: int | None = None) -> Pair:
        """Read `"4,9"`, `"4->9"`, `"4>9"` or `"4:9"`: teacher first.

        Args:
            participants: Number of participants, if it is known.

        Raises:
            PlanError: If the text is not a pair of different participants.
        """
        match = _TYPED.fullmatch(text)
        teacher, student = map(int, match.groups()) if match else (0, 0)
        last = max(teacher, student)
        if match is None:
            written = "write teacher,student as two numbers, e.g. --pair 4,9"
            problem = f"{text!r} is not a pair; {written}{hint(text)}"
        elif teacher == student:
            problem = f"{text!r}: a participant cannot teach itself; name two different participants"
        elif participants is not None and last >= participants:
            numbers = f"this federation has {participants}, numbered 0 to {participants - 1}"
            problem = f"participant {last} does not exist; {numbers}"
        else:
            return cls(teacher=teacher, student=student)
        raise PlanError.of_option("--pair", problem)


@dataclass(frozen=True, slots=True)
class Group:
    """A student and several candidates to teach it, written `{0,3,7}->9`; which of them teach is searched.

    Attributes:
        teachers: The candidates, ascending, at least two; without the student.
    """

    teachers: tuple[int, ...]
    student: int

    def __post_init__(self) -> None:
        if len(self.teachers) < 2 or list(self.teachers) != sorted(set(self.teachers)):
            raise ValueError(f"{self}: a group has at least two candidates, in increasing order")
        if self.student < 0 or self.teachers[0] < 0:
            raise ValueError(f"participants are numbered from 0, not {self}")
        if self.student in self.teachers:
            raise ValueError(f"{self}: a participant cannot teach itself")

    def __str__(self) -> str:
        return f"{{{','.join(map(str, self.teachers))}}}->{self.student}"

    def __lt__(self, other: AnyPair) -> bool:
        return (self.teachers, self.student) < (other.teachers, other.student)

    def __gt__(self, other: AnyPair) -> bool:
        return (self.teachers, self.student) > (other.teachers, other.student)

    @property
    def key(self) -> str:
        """What the names of the group's studies end with: its text, or if that is long, number and hash."""
        text = str(self)
        if len(text) <= _LONGEST_KEY:
            return text
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{{{len(self.teachers)} of {digest}}}->{self.student}"

    @property
    def options(self) -> str:
        """The options of the command line that name the group."""
        return f"--student {self.student} --teachers {','.join(map(str, self.teachers))}"

    @property
    def meeting(self) -> frozenset[int]:
        """All of its participants."""
        return frozenset((*self.teachers, self.student))

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {"teachers": list(self.teachers), "student": self.student}

    @classmethod
    def of(cls, teachers: Iterable[int], student: int) -> Group | Pair:
        """Return the group of these candidates; with one it is a pair."""
        ascending = tuple(sorted(set(teachers)))
        return cls(ascending, student) if len(ascending) > 1 else Pair(ascending[0], student)


AnyPair = Pair | Group
"""Whose runs a study holds."""


def sides_of(pair: AnyPair) -> tuple[AnyPair, ...]:
    """Return the studies of a meeting: a pair and its reverse; a group has no reverse."""
    return (pair, pair.reverse) if isinstance(pair, Pair) else (pair,)


def parse_key(text: str) -> AnyPair | None:
    """Return the pair or group of a study whose name ends with this text; None if a hash stands for it.

    Raises:
        PlanError: If the text is neither.
    """
    if not text.startswith("{"):
        return Pair.parse(text)
    match = re.fullmatch(r"\{(\d+(?:,\d+)+)\}->(\d+)", text, flags=re.ASCII)
    return Group(tuple(map(int, match[1].split(","))), int(match[2])) if match else None
