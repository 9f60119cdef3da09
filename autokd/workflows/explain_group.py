"""Explaining a group: runs its judged setting without each of its teachers."""

from __future__ import annotations

from dataclasses import dataclass

from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.core.pair import AnyPair, Group
from autokd.errors import NotTuned
from autokd.execution.run_queue import FixedRunQueue
from autokd.explanation.leave_one_out import TeacherParts, teacher_parts, wanted
from autokd.recommendation.race import records_of, to_be_run
from autokd.workflows.callbacks import Callbacks
from autokd.workflows.recommend import tune_command
from autokd.workflows.results import open_results
from autokd.workflows.session import run_session
from autokd.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ExplainedGroup:
    """The result of `explain_group`.

    Attributes:
        parts: What each teacher adds; None if it was interrupted, and the same call goes on.
        ran: Number of runs that ended during the call; 0 if the store had everything.
    """

    parts: TeacherParts | None
    ran: int


def explain_group(
    workspace: Workspace,
    group: Group,
    *,
    compute: Compute | None = None,
    workers: Resources | None = None,
    callbacks: Callbacks | None = None,
) -> ExplainedGroup:
    """Run the judged setting of a tuned group without each of its teachers; see `explain` for errors."""
    with open_results(workspace, f"run {tune_command(group)}") as (federation, results):
        recommendation = results.recommendation(group)
        judgement = recommendation.judgement
        if judgement is None:
            raise NotTuned(f"group {group} has nothing to explain: {recommendation.reason}")
        specs = wanted(group, judgement)
        with run_session(workspace, compute, workers, callbacks, (federation, results)) as session:
            names: dict[AnyPair, str] = {group: results.alternatives_study(group)}
            store = session.acquire([results.study(group), *names.values()])
            formats = session.tensor_formats(names)
            retries = workspace.config.search.retries
            queue = FixedRunQueue(
                wanted=lambda runs: specs,
                names=names,
                retries=retries,
                store=store,
                tensor_formats=formats,
                listen=session.callbacks.on_explain,
            )
            if not queue.finished:
                session.callbacks.on_explain(queue.progress())
            done = session.drive(queue, store, formats)
            runs = queue.runs[group]
            owed = sum(
                to_be_run(records_of(runs, spec.stage, spec.setting, spec.seed), retries) for spec in specs
            )
            return ExplainedGroup(
                teacher_parts(recommendation, runs, owed=owed) if done else None, queue.ended
            )
