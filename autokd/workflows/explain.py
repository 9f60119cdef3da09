"""Explaining: runs the alternatives to a pair's recommendation, and compares them with it."""

from __future__ import annotations

from dataclasses import dataclass

from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.core.public_calls import checked, only_pair
from autokd.core.setting import AnyPair, Pair
from autokd.execution.run_queue import FixedRunQueue
from autokd.explanation.explanation import Explanation
from autokd.workflows.callbacks import Callbacks
from autokd.workflows.recommend import tune_command
from autokd.workflows.results import open_results
from autokd.workflows.session import run_session
from autokd.workflows.stored_explanation import ExplanationTask
from autokd.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Explained:
    """The result of explaining a pair.

    Attributes:
        explanation: None if it was interrupted; the same call goes on.
        ran: Number of runs that ended during this call; 0 if the store had everything.
    """

    explanation: Explanation | None
    ran: int


@checked(pair=only_pair)
def explain(
    workspace: Workspace,
    pair: Pair,
    *,
    compute: Compute | None = None,
    workers: Resources | None = None,
    callbacks: Callbacks | None = None,
) -> Explained:
    """Run the alternatives to the recommendation of a tuned pair; what the store has is not run again.

    Raises:
        NotTuned: If there is no recommendation yet; nothing was changed.
        InputError: As in `tune`; nothing was changed.
        AutokdError: If federation or store fail; what was stored is kept, and the same call goes on.

    >>> import autokd
    >>> explained = autokd.explain(autokd.Workspace.open("mine.yaml"), autokd.Pair(0, 2))
    >>> explained.explanation.to_json()["pair"]
    {'teacher': 0, 'student': 2}
    """
    with open_results(workspace, f"run {tune_command(pair)}") as (federation, results):
        # Before anything is started: without a recommendation there is nothing to explain.
        task = ExplanationTask.of(results, federation, pair)
        with run_session(workspace, compute, workers, callbacks, (federation, results)) as session:
            names: dict[AnyPair, str] = {
                side: results.alternatives_study(side) for side in (pair, pair.reverse)
            }
            store = session.acquire([*map(results.study, names), *names.values()])
            formats = session.tensor_formats(names)
            queue = FixedRunQueue(
                wanted=task.wanted,
                names=names,
                retries=task.compared.retries,
                store=store,
                tensor_formats=formats,
                listen=session.callbacks.on_explain,
                prices=session.results.prices_of(names),
            )
            if not queue.finished:
                session.callbacks.on_explain(queue.progress())
            done = session.drive(queue, store, formats)
            return Explained(task.explanation(queue.runs) if done else None, queue.ended)
