"""One decision for each participant, from what the store has of all its pairs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from autokd.core.public_calls import checked
from autokd.core.setting import Pair
from autokd.errors import ArgumentError, NotTuned
from autokd.recommendation.participant import ParticipantDecision, decide_for
from autokd.workflows.readable import leaving_out
from autokd.workflows.results import StoredResults, open_results
from autokd.workspace import Workspace


@checked()
def advise(workspace: Workspace, student: int) -> ParticipantDecision:
    """Return what a participant's owner should do, of all that was measured with all its partners.

    Raises:
        ArgumentError: If there is no such participant.
        NotTuned: If none of its pairs has a recommendation.
    """
    count = workspace.config.federation.size
    if not 0 <= student < count:
        problem = f"participant {student} does not exist; they are numbered 0 to {count - 1}"
        raise ArgumentError("student", problem)
    with open_results(workspace, f"run autokd tune --student {student}") as (_, results):
        return decision_of(results, student, count)


@checked()
def advise_all(workspace: Workspace) -> tuple[ParticipantDecision, ...]:
    """Return the decisions of all participants that have a pair with a recommendation.

    Raises:
        NotTuned: If there is none.
    """
    with open_results(workspace, "run autokd tune --all") as (_, results):
        return decisions(results, range(workspace.config.federation.size))


def decisions(results: StoredResults, participants: Sequence[int]) -> tuple[ParticipantDecision, ...]:
    """Return the decisions of those participants that have a pair with a recommendation."""
    results.only_read()
    decided = []
    for student in participants:
        try:
            decided.append(decision_of(results, student, len(participants)))
        except NotTuned:
            continue
    if not decided:
        raise NotTuned("no pair has a recommendation; run autokd tune --all")
    return tuple(decided)


def decision_of(results: StoredResults, student: int, participants: int) -> ParticipantDecision:
    """Return the decision of one participant; see `advise`."""
    recommendations, unknown = [], []
    teachers = sorted({*range(participants)} - {student, *results.config.federation.untrained})
    for pair in (Pair(other, student) for other in teachers):
        with leaving_out(pair):
            try:
                recommendations.append(results.recommendation(pair))
            except NotTuned:
                unknown.append(pair.teacher)
    for group in (group for group in results.groups() if group.student == student):
        with leaving_out(group), suppress(NotTuned):
            recommendations.append(results.recommendation(group))
    return decide_for(student, recommendations, unknown=unknown)
