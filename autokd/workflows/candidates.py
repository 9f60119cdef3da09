"""Who may teach a participant, as the command line says it: `0,3,7`, `all` or `best:4`."""

from __future__ import annotations

import re
from typing import Final

from autokd.core.pair import AnyPair, Group
from autokd.core.setting import Split
from autokd.errors import NotTuned, PlanError
from autokd.search.objective import scalarise
from autokd.search.transfer import warm_started_sampler
from autokd.workflows.results import open_results
from autokd.workspace import Workspace

_OPTION: Final = "--teachers"


def groups_of(workspace: Workspace, text: str, student: int | None) -> tuple[AnyPair, ...]:
    """Return the group of a student, or of each participant; with one candidate it is a pair.

    Args:
        text: Candidates as numbers or names with commas between, `all`, or `best:4` for those of which most
            is known or predicted to be gained. Who learns is left out of its own candidates.
        student: None for each participant.

    Raises:
        PlanError: If a participant does not exist, or nobody is left to teach.
        NotTuned: If the best ones are asked for, and no pair has been tuned.
    """
    size, names = workspace.config.federation.size, workspace.names
    students = range(size) if student is None else [student]
    if student is not None and not 0 <= student < size:
        problem = f"participant {student} does not exist; they are numbered 0 to {size - 1}"
        raise PlanError.of_option("--student", problem)
    if match := re.fullmatch(r"best:([1-9][0-9]{0,5})", text):
        return tuple(_best(workspace, int(match[1]), list(students)))
    if text == "all":
        numbers = sorted({*range(size)} - {*names.untrained})
    else:
        listed = [teacher.strip() for teacher in text.split(",")]
        if not all(listed):
            problem = f"{text!r} names no teachers; write them with commas, e.g. 0,3,7, or all, or best:4"
            raise PlanError.of_option(_OPTION, problem)
        if listed[0].partition(":")[0] == "best" and not names.has(listed[0]):
            problem = f"{text!r}: say how many of the best, at least one, e.g. best:4"
            raise PlanError.of_option(_OPTION, problem)
        numbers = [names.number(teacher, option=_OPTION) for teacher in listed]
    named = student is not None and text != "all"
    groups = (_group(numbers, number, named=named) for number in students)
    return tuple(names.taught(group, option=_OPTION) for group in groups)


def _group(numbers: list[int], student: int, *, named: bool) -> AnyPair:
    if named and student in numbers:
        raise PlanError.of_option(_OPTION, f"participant {student} cannot teach itself; leave it out")
    others = [number for number in numbers if number != student]
    if not others:
        raise PlanError.of_option(_OPTION, f"nobody is left to teach participant {student}")
    return Group.of(others, student)


def _best(workspace: Workspace, count: int, students: list[int]) -> list[AnyPair]:
    """Return for each student the candidates with the largest gains: those on validation of tuned pairs, and
    what the surrogate expects of others.
    """
    way_out = "run autokd tune on some pairs first, or name the teachers"
    with open_results(workspace, way_out) as (federation, results):
        best: list[AnyPair] = []
        for student in students:
            pairs = [pair for pair in workspace.pairs if pair.student == student]
            names = {pair: results.study(pair) for pair in pairs}
            initial = results.facts.participants[student].accuracy(Split.VALIDATION)
            learner = warm_started_sampler(
                results.store,
                config=workspace.config,
                space=results.space,
                federation=federation,
                facts=results.facts,
                names=names,
            )
            for pair, name in names.items():
                for trial in results.searched(pair).trials:
                    learner.learn(name, scalarise(trial, workspace.config.aims, initial))
            if not learner.runs:
                raise NotTuned(f"--teachers best:{count}: no pair has been tuned; {way_out}")
            expected = {pair.teacher: learner.expectation(name)[1] for pair, name in names.items()}
            ranked = sorted(expected, key=lambda number: (-expected[number], number))
            best.append(Group.of(ranked[:count], student))
        return best
