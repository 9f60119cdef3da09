"""Sweeping: every setting of a grid on each pair; what the store has already is not run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from autokd.claims.best_swept import BestSwept, best_swept
from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.core.public_calls import checked, only_pairs
from autokd.core.setting import AnyPair, Pair
from autokd.errors import NotTuned, PlanError
from autokd.execution.run_queue import FixedRunQueue, RunQueueProgress
from autokd.recommendation.decision import Decision
from autokd.search.study_names import sweep_name
from autokd.workflows.callbacks import Callbacks
from autokd.workflows.readable import leaving_out
from autokd.workflows.results import StoredResults
from autokd.workflows.session import RunSession, run_session
from autokd.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The result of a sweep.

    Attributes:
        federation: Name of the federation.
        progress: Runs that are done.
        interrupted: Whether Ctrl-C ended it; the same call goes on.
        found: The best setting of each pair that has one; empty if it was interrupted.
        decisions: What `autokd tune` answers for these pairs, for those that have an answer.
    """

    federation: str
    progress: RunQueueProgress
    interrupted: bool
    found: tuple[BestSwept, ...] = ()
    decisions: Mapping[Pair, Decision] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return what `autokd sweep --json` prints."""
        progress = self.progress
        return {
            "federation": self.federation,
            "runs": {"done": progress.done, "failed": progress.failed, "new": progress.ended},
            "best": [
                {
                    "pair": best.pair.to_json(),
                    **best.to_json(),
                    "decision": self.decisions[best.pair].brief() if best.pair in self.decisions else None,
                }
                for best in self.found
            ],
        }


@checked(pairs=only_pairs)
def sweep(
    workspace: Workspace,
    pairs: Sequence[Pair],
    *,
    seeds: int = 1,
    compute: Compute | None = None,
    workers: Resources | None = None,
    callbacks: Callbacks | None = None,
) -> Swept:
    """Run every setting of the workspace's grid on each pair.

    Raises:
        InputError: If the space is no grid, or as in `tune`; nothing was changed.
        AutokdError: If federation or store fail; what was stored is kept, and the same call goes on.

    >>> import autokd
    >>> workspace = autokd.Workspace.open("mine.yaml", space="grid.yaml")
    >>> swept = autokd.sweep(workspace, [autokd.Pair(0, 2)])
    >>> swept.progress.done == len(workspace.space.grid())
    True
    """
    config, space = workspace.config, workspace.space
    if not space.is_grid:
        problem = f"space {space.name} has a continuous dimension; a sweep needs lists of values"
        raise PlanError.of_option("--space", problem)
    with run_session(workspace, compute, workers, callbacks) as session:
        names: dict[AnyPair, str] = {
            pair: sweep_name(session.federation.name, config, pair) for pair in pairs
        }
        store = session.acquire(names.values())
        formats = session.tensor_formats(names)
        queue = FixedRunQueue.of_sweep(
            grid=space.grid(),
            names=names,
            seeds=seeds,
            retries=config.search.retries,
            store=store,
            tensor_formats=formats,
            listen=session.callbacks.on_sweep,
            prices=session.results.prices_of(names),
        )
        session.callbacks.on_sweep(queue.progress())
        done = session.drive(queue, store, formats)
        best, decisions = _found(session, pairs) if done else ((), {})
    return Swept(
        federation=session.federation.name,
        progress=queue.progress(),
        interrupted=not done,
        found=best,
        decisions=decisions,
    )


def _found(session: RunSession, pairs: Sequence[Pair]) -> tuple[tuple[BestSwept, ...], dict[Pair, Decision]]:
    """Return the best setting of each pair, and the decisions of those that are tuned."""
    workspace, facts, store = session.workspace, session.results.facts, session.results.store
    swept = StoredResults(workspace.config, workspace.space, facts, store)
    searched = StoredResults.of(workspace.searched, facts, store)
    best = (
        best_swept(swept.swept(pair), facts.participants[pair.student], workspace.config.confirmation)
        for pair in pairs
    )
    decisions = {}
    for pair in pairs:
        with leaving_out(pair), suppress(NotTuned):
            decisions[pair] = searched.recommendation(pair).decision
    return tuple(swept for swept in best if swept is not None), decisions
