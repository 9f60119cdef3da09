"""What a job does: the use case that its command has, with the result that the command prints as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.core.pair import AnyPair, Pair
from autokd.core.setting import Position
from autokd.errors import InputError
from autokd.service.job_folders import MODEL
from autokd.service.job_requests import (
    AnyRequest,
    DistillRequest,
    ExplainRequest,
    SweepRequest,
    TuneRequest,
    chosen_pairs,
)
from autokd.workflows.callbacks import Callbacks
from autokd.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a job has ended.

    Attributes:
        result: What the command prints with `--json`.
        interrupted: Whether it was stopped; the same request goes on.
    """

    result: Any = None
    interrupted: bool = False


def work(
    request: AnyRequest,
    workspace: Workspace,
    *,
    folder: Path,
    compute: Compute,
    workers: Resources,
    callbacks: Callbacks,
) -> Done:
    """Do what a request asks for; what the store has already is not done again.

    Args:
        folder: Where a model goes; one that is there is replaced, since an earlier driver has died.

    Raises:
        AutokdError: As the use cases of `autokd.workflows`.
    """
    pairs = chosen_pairs(request, workspace)
    more: dict[str, Any] = {"compute": compute, "workers": workers, "callbacks": callbacks}
    if isinstance(request, TuneRequest):
        return _tune(request, workspace, pairs, more)
    if isinstance(request, SweepRequest):
        from autokd.workflows.sweep import sweep

        swept = sweep(
            workspace, [pair for pair in pairs if isinstance(pair, Pair)], seeds=request.seeds, **more
        )
        return Done(result=swept.to_json(), interrupted=swept.interrupted)
    if isinstance(request, ExplainRequest):
        return _explain(workspace, pairs[0], more)
    return _distill(request, workspace, pairs[0], folder / MODEL, compute, callbacks)


def _tune(
    request: TuneRequest, workspace: Workspace, pairs: tuple[AnyPair, ...], more: dict[str, Any]
) -> Done:
    from autokd.workflows.tune import BatchBudget, tune, tune_all

    position = request.position
    if request.of_several:
        # With one teacher left it is a pair, and the question is still what this student should do.
        position = position or Position.STUDENT
    limits = BatchBudget() if request.budget is None else BatchBudget(**request.budget.model_dump())
    more |= {"position": position, "budget": limits}
    if len(pairs) > 1 or not request.names_each:
        batch = tune_all(workspace, pairs, **more)
        return Done(result=batch.to_json(), interrupted=batch.interrupted)
    outcome = tune(workspace, pairs[0], **more)
    if outcome.interrupted:
        return Done(interrupted=True)
    if not outcome.recommendations:
        raise InputError("the budget has no room for a single run")
    return Done(result=outcome.to_json())


def _explain(workspace: Workspace, pair: AnyPair, more: dict[str, Any]) -> Done:
    if isinstance(pair, Pair):
        from autokd.workflows.explain import explain

        explained = explain(workspace, pair, **more)
        return _explained(explained.explanation)
    from autokd.workflows.explain_group import explain_group

    return _explained(explain_group(workspace, pair, **more).parts)


def _explained(answer: Any) -> Done:
    return Done(interrupted=True) if answer is None else Done(result=answer.to_json())


def _distill(
    request: DistillRequest,
    workspace: Workspace,
    pair: AnyPair,
    out: Path,
    compute: Compute,
    callbacks: Callbacks,
) -> Done:
    from autokd.workflows.distill import distill

    for former in out.parent.glob(f"{out.stem}.*"):
        former.unlink()
    card = distill(
        workspace,
        pair,
        out,
        setting=None if request.setting is None else request.setting.setting(),
        seed=request.seed,
        force=request.force,
        target=request.target,
        compute=compute,
        callbacks=callbacks,
    )
    return Done(result=card.to_json())
