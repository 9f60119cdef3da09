"""Names of participants beside their numbers: what may be one, how it is typed, and how it is shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from autokd.core.arguments import whole
from autokd.core.pair import AnyPair, Pair
from autokd.core.pair_text import splits, words
from autokd.errors import ArgumentError, PlanError
from autokd.text.quoting import did_you_mean, listed, quoted

P = TypeVar("P", bound=AnyPair)
LONGEST: Final = 40
"""Characters of a name: tables have a column for it."""
_SEPARATORS: Final = (",", "->", "{", "}")
"""What stands between participants in a pair or a group."""
_SEVERAL: Final = re.compile(r"all|best:[0-9]+")
"""What `--teachers` takes for several participants."""


def participant_name(written: object) -> str:
    """Return a participant's name in its one form, Unicode NFC.

    Raises:
        ValueError: If it can be no name, or could be taken for a number, an option or several participants.
    """
    if not isinstance(written, str):
        raise ValueError(f"must be a text, not {quoted(written)}")
    name = unicodedata.normalize("NFC", written)
    if not 0 < len(name) <= LONGEST or not name.isprintable() or name != name.strip():
        problem = f"is 1 to {LONGEST} characters that can be printed, without blanks at its ends"
        raise ValueError(f"a name {problem}, unlike {quoted(written)}")
    if _is_like_a_number(name):
        raise ValueError(f"{quoted(name)} looks like a number, and numbers mean participants; add a letter")
    if name.startswith("-"):
        raise ValueError(
            f"{quoted(name)} looks like an option; let it begin with something other than a hyphen"
        )
    if _SEVERAL.fullmatch(name):
        raise ValueError(f"{quoted(name)} means several participants (--teachers); take another name")
    for separator in _SEPARATORS:
        if separator in name:
            raise ValueError(f"{quoted(name)} has {separator!r}, which separates participants; leave it out")
    return name


def _is_like_a_number(name: str) -> bool:
    plain = unicodedata.normalize("NFKC", name).replace("_", "").replace(" ", "")
    try:
        float(plain)
    except ValueError:
        return not any(map(str.isalpha, plain)) and any(map(str.isnumeric, plain))
    return True


def same_name(names: Sequence[str | None]) -> tuple[int, int] | None:
    """Return the first two participants whose names are the same but for case; None if there are none."""
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if name and first.setdefault(_key(name), number) != number:
            return first[_key(name)], number
    return None


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


@dataclass(frozen=True, slots=True)
class ParticipantNames:
    """The names of a federation's participants, by number; an empty one where there is a number only.

    Attributes:
        names: One for each participant, or none at all.
        count: Number of participants; None if it is not known.
        untrained: Participants that only learn, since nobody has trained them yet.
    """

    names: tuple[str, ...] = ()
    count: int | None = None
    untrained: frozenset[int] = frozenset()

    @classmethod
    def of(cls, names: Sequence[str | None]) -> ParticipantNames:
        """Return the names of all participants of a federation."""
        return cls(tuple(name or "" for name in names), len(names))

    def __bool__(self) -> bool:
        return any(self.names)

    def has(self, name: str) -> bool:
        """Return whether a participant is called so."""
        return bool(name) and name in self.names

    def name(self, number: int) -> str:
        """Return the name of a participant; empty if it has none."""
        return self.names[number] if number < len(self.names) else ""

    def word(self, number: int) -> str:
        """Return how texts call a participant: by its name, or else its number."""
        return self.name(number) or str(number)

    def label(self, number: int) -> str:
        """Return number and name, e.g. `4 hospital_a`."""
        return f"{number} {self.name(number)}".rstrip()

    def arrow(self, pair: AnyPair) -> str:
        """Return a pair or group as texts call it, e.g. `hospital_a->hospital_b`."""
        teachers = ",".join(map(self.word, pair.teachers))
        return f"{teachers if isinstance(pair, Pair) else f'{{{teachers}}}'}->{self.word(pair.student)}"

    def beside(self, pair: AnyPair) -> dict[str, dict[str, object]]:
        """Return what JSON has beside the numbers of a pair: `names`; nothing if no participant has one."""
        if not self:
            return {}
        teachers = [self.name(number) or None for number in pair.teachers]
        taught: dict[str, object] = (
            {"teacher": teachers[0]} if isinstance(pair, Pair) else {"teachers": teachers}
        )
        return {"names": {**taught, "student": self.name(pair.student) or None}}

    def number(self, typed: object, *, option: str) -> int:
        """Return the participant that a number or a name means.

        Raises:
            PlanError: If there is none; it names the option.
        """
        text = unicodedata.normalize("NFC", typed.strip()) if isinstance(typed, str) else typed
        if isinstance(text, str) and not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
            if self.has(text):
                return self.names.index(text)
            known = [name for name in self.names if name]
            numbers = "numbered" if self.count is None else f"numbered 0 to {self.count - 1}"
            called = f", and called {listed(known, most=_SHOWN)}" if known else ""
            hint = did_you_mean(text, known)
            problem = f"there is no participant {quoted(text)}; they are {numbers}{called}{hint}"
            raise PlanError.of_option(option, problem)
        try:
            number = whole(option, int(text) if isinstance(text, str) else text)
        except ArgumentError as error:
            raise PlanError.of_option(option, error.problem) from None
        if self.count is not None and number >= self.count:
            numbers = f"they are numbered 0 to {self.count - 1}"
            raise PlanError.of_option(option, f"participant {number} does not exist; {numbers}")
        return number

    def pair(self, text: str) -> Pair:
        """Read `"hospital_a,hospital_b"`, `"4,9"`, `"4->9"`, `"4>9"` or `"4:9"`: teacher first.

        Raises:
            PlanError: If the text is not a pair of different participants.
        """
        sides = list(splits(text))
        named = [each for each in sides if any(map(self.has, each))]
        # A name may have a mark in it, so the mark that both sides make sense of is the one.
        splits_of_names = [each for each in named if all(self.has(side) or side.isdigit() for side in each)]
        if not splits_of_names and len(sides) == 1 and (named or (self and not _is_numbers(sides[0]))):
            splits_of_names = sides
        if not splits_of_names:
            return self.taught(Pair.parse(text, participants=self.count), option="--pair")
        teacher, student = (self.number(side, option="--pair") for side in splits_of_names[0])
        if teacher == student:
            problem = f"{text!r}: a participant cannot teach itself; name two different participants"
            raise PlanError.of_option("--pair", problem)
        return self.taught(Pair(teacher=teacher, student=student), option="--pair")

    def pairs(self, text: str) -> tuple[Pair, ...]:
        """Read one pair, or several with blanks or semicolons between them; see `pair`.

        Raises:
            PlanError: If something in the text is not a pair of different participants.
        """
        pairs: list[Pair] = []
        for part in filter(str.strip, text.split(";")) if ";" in text else (text,):
            try:
                pairs.append(self.pair(part))
            except PlanError:
                several = words(part)
                if len(several) == 1:
                    raise
                pairs += map(self.pair, several)
        return tuple(pairs)

    def taught(self, pair: P, *, option: str) -> P:
        """Return the pair or group itself.

        Raises:
            PlanError: If a teacher is not trained.
        """
        for number in self.untrained.intersection(pair.teachers):
            problem = f"participant {self.word(number)} is not trained (checkpoint: none)"
            raise PlanError.of_option(option, f"{problem}, so it teaches nobody; it can be the student")
        return pair


def _is_numbers(sides: tuple[str, str]) -> bool:
    return all(side.isascii() and side.isdigit() for side in sides)


_DIGITS: Final = 9
_SHOWN: Final = 5
"""Names of participants that a message lists."""
NUMBERS_ONLY: Final = ParticipantNames()
"""For a federation whose participants have no names."""
