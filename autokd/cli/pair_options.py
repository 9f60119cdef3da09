"""Options that say which pairs a command is for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from autokd.cli.options import Group
from autokd.cli.shell import taken_by_the_shell
from autokd.core.pair_text import is_cut_by_a_shell
from autokd.core.participant_names import ParticipantNames
from autokd.core.setting import Pair
from autokd.errors import PlanError
from autokd.text.escaping import shell_word

if TYPE_CHECKING:
    from autokd.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class PairOptions(Group):
    """Which pairs a command is for: one, several, all, or those of one participant."""

    PANEL: ClassVar = "Pairs"

    pair: Annotated[
        str | None, typer.Option(help="Teacher and student by number or name, e.g. 4,9.", metavar="T,S")
    ] = None
    pairs: Annotated[
        str | None,
        typer.Option(help="Several pairs: --pairs 4,9 9,4 1,2", metavar="T,S..."),
    ] = None
    more: Annotated[list[str] | None, typer.Argument(metavar="T,S", hidden=True)] = None
    every: Annotated[bool, typer.Option("--all", help="All pairs of the federation.")] = False
    teacher: Annotated[
        str | None, typer.Option(help="All pairs in which this participant teaches.", metavar="T")
    ] = None
    student: Annotated[
        str | None, typer.Option(help="All pairs in which this participant learns.", metavar="S")
    ] = None

    @property
    def each_named(self) -> bool:
        """Whether the pairs are named one by one, so that a single one is answered as such."""
        return self.pair is not None or bool(self.pairs) or bool(self.more)

    @property
    def any_given(self) -> bool:
        """Whether an option says which pairs."""
        named = (self.pair, self.pairs, self.teacher, self.student)
        return self.every or bool(self.more) or any(value is not None for value in named)

    def selected(self, names: ParticipantNames) -> tuple[Pair, ...]:
        """Return the selected pairs of a federation with these participants, in order and each once.

        Raises:
            PlanError: If none or several of the options were given, or a pair or participant does not exist.
        """
        listed = [text for text in (self.pairs, *(self.more or ())) if text]
        by_role = self.teacher is not None or self.student is not None

        def may_be(name: str) -> bool:
            return name.isdecimal() or names.has(name)

        if (ways := sum((self.pair is not None, bool(listed), self.every, by_role))) != 1:
            begin = "say which pairs by only one of" if ways else "say which pairs: one of"
            problem = f"{begin} --pair 4,9, --pairs 4,9 9,4, --all, --teacher 4, --student 9"
            problem += _meant_by([self.pair, *self.more] if self.pair else self.more) if self.more else ""
            raise PlanError.of_option("--pair", problem + taken_by_the_shell(may_be))
        if self.pair is not None:
            listed = [self.pair]
        if listed:
            return tuple(dict.fromkeys(pair for text in listed for pair in _typed(names, text)))
        assert names.count is not None
        everybody = list(range(names.count))
        teachers = everybody if self.teacher is None else [names.number(self.teacher, option="--teacher")]
        if self.teacher is None:
            teachers = [number for number in teachers if number not in names.untrained]
        students = everybody if self.student is None else [names.number(self.student, option="--student")]
        if teachers == students != everybody:
            problem = f"participant {names.word(teachers[0])} cannot teach itself"
            raise PlanError.of_option("--student", problem)
        return tuple(
            names.taught(Pair(teacher, student), option="--teacher")
            for teacher in teachers
            for student in students
            if teacher != student
        )


def one_pair(workspace: Workspace, text: str) -> Pair:
    """Return the only pair that is typed; see `ParticipantNames.pair`.

    Raises:
        PlanError: If the text is not one pair of the federation.
    """
    pairs = set(_typed(workspace.names, text))
    if len(pairs) > 1:
        raise PlanError.of_option("--pair", f"takes one pair, not {text!r}")
    return pairs.pop()


def _typed(names: ParticipantNames, text: str) -> Sequence[Pair]:
    try:
        return names.pairs(text)
    except PlanError as error:
        more = taken_by_the_shell() if is_cut_by_a_shell(text) else _meant_by([text])
        raise PlanError.of_option(error.field, error.problem + more) from None


def _meant_by(texts: Sequence[str]) -> str:
    """Return what arguments that are no pairs may be meant for, as the end of a message."""
    from autokd.config.yaml_files import shipped

    if len(texts) == 2 and all(text.isdecimal() for text in texts):
        return f"; did you mean {','.join(texts)}?"
    if len(texts) > 1 and all(re.fullmatch(r"[^,\s]+,[^,\s]+", text) for text in texts):
        return f"; for several pairs, --pairs {' '.join(texts)}"
    first = texts[-1]
    if first.endswith((".yaml", ".yml")) or first in shipped("studies"):
        return f"; a study recipe is named by --study {shell_word(first)}"
    return "; did you mean --all?" if first == "all" else ""
