"""Which pairs a command is for: one, some, all, or those of one participant."""

from __future__ import annotations

from collections.abc import Sequence

from autokd.core.setting import Pair
from autokd.errors import PlanError


def selected(
    *,
    participants: int,
    pair: str | None,
    pairs: Sequence[str],
    every: bool,
    teacher: int | None,
    student: int | None,
) -> tuple[Pair, ...]:
    """The pairs that were asked for, in order and each once.

    Args:
        participants: Of the federation.
        pair: `--pair 4,9`.
        pairs: `--pairs 4,9 9,4`.
        every: `--all`.
        teacher: `--teacher 4`: all pairs in which it teaches.
        student: `--student 9`: all pairs in which it learns; with `teacher`, the one of both.

    Raises:
        PlanError: If none or several of these were given, or a pair or participant does not exist.
    """
    by_role = teacher is not None or student is not None
    asked = [pair is not None, bool(pairs), every, by_role]
    if sum(asked) != 1:
        problem = "say which pairs: one of --pair 4,9, --pairs 4,9 9,4, --all, --teacher 4, --student 9"
        raise PlanError(source="command line", field="--pair", problem=problem)
    if pair is not None:
        return (Pair.parse(pair, participants=participants),)
    if pairs:
        return tuple(dict.fromkeys(Pair.parse(text, participants=participants) for text in pairs))
    for name, number in (("--teacher", teacher), ("--student", student)):
        if number is not None and not 0 <= number < participants:
            problem = f"participant {number} does not exist; they are numbered 0 to {participants - 1}"
            raise PlanError(source="command line", field=name, problem=problem)
    if teacher is not None and teacher == student:
        problem = f"participant {teacher} cannot teach itself"
        raise PlanError(source="command line", field="--student", problem=problem)
    return tuple(
        Pair(t, s)
        for t in range(participants)
        for s in range(participants)
        if t != s and teacher in (None, t) and student in (None, s)
    )
