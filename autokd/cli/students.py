"""Options for pairs and for several teachers of one student."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from autokd.cli import options
from autokd.cli.pair_options import PairOptions, one_pair
from autokd.core.pair import AnyPair
from autokd.errors import PlanError

if TYPE_CHECKING:
    from autokd.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class TeacherOptions(PairOptions):
    """Also several teachers of one participant, or of each."""

    teachers: Annotated[
        str | None,
        typer.Option(
            help="Several candidates to teach --student at once: 0,3,7, all, or best:4 by tuned or predicted "
            "pairs.",
            metavar="T,T,...",
        ),
    ] = None
    all_students: Annotated[
        bool, typer.Option("--all-students", help="With --teachers: each participant learns from its own.")
    ] = False

    @property
    def of_several(self) -> bool:
        """Whether groups are asked for, and not pairs."""
        return self.teachers is not None or self.all_students

    def chosen(self, workspace: Workspace) -> tuple[AnyPair, ...]:
        """Return the selected pairs or groups; see `selected`.

        Raises:
            PlanError: If options contradict each other, or a participant does not exist.
            NotTuned: If the best candidates are asked for, and nothing is known of them.
        """
        if not self.of_several:
            return self.selected(workspace.names)
        from autokd.workflows.candidates import groups_of

        if self.pair is not None or self.pairs or self.more or self.every or self.teacher is not None:
            problem = "goes with --student 9, or with --all-students, and with no other option for pairs"
            raise PlanError.of_option("--teachers", problem)
        if self.teachers is None:
            raise PlanError.of_option("--teachers", "is missing; e.g. --teachers all")
        if (self.student is None) != self.all_students:
            raise PlanError.of_option("--student", "say who learns: --student 9, or --all-students")
        names = workspace.names
        student = None if self.student is None else names.number(self.student, option="--student")
        return groups_of(workspace, self.teachers, student)


@dataclass(frozen=True, kw_only=True)
class StudentOptions(options.Group):
    """Who learns from whom."""

    PANEL: ClassVar = "Pair"

    pair: Annotated[str | None, typer.Option(help="Teacher and student, e.g. 4,9.", metavar="T,S")] = None
    student: Annotated[str | None, typer.Option(help="Who learns from --teachers.", metavar="S")] = None
    teachers: Annotated[
        str | None,
        typer.Option(help="Several candidates to teach --student, as in autokd tune.", metavar="T,T,..."),
    ] = None

    def chosen(self, workspace: Workspace) -> AnyPair:
        """Return the pair or group; raise `PlanError` if it is not named, or twice."""
        if (self.pair is None) == (self.student is None and self.teachers is None):
            raise PlanError.of_option("--pair", "say who learns: --pair 4,9, or --student 9 --teachers 0,3,7")
        if self.pair is not None:
            return one_pair(workspace, self.pair)
        named = TeacherOptions(student=self.student, teachers=self.teachers)
        (group,) = named.chosen(workspace) if named.of_several else (None,)
        if group is None:
            raise PlanError.of_option("--teachers", "is missing; e.g. --teachers 0,3,7")
        return group
