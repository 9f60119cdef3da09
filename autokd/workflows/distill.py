"""Distilling the recommended student, for use elsewhere."""

from __future__ import annotations

from pathlib import Path

from autokd.compute.device import Compute
from autokd.core.setting import Pair, Setting
from autokd.delivery import Card, DistillationRequest, Files, choose_setting, deliver, expected_gain
from autokd.federation.storage import federations_folder, find
from autokd.workflows.callbacks import Callbacks
from autokd.workflows.recommend import tune_command
from autokd.workflows.results import nothing_tuned, open_results
from autokd.workspace import Workspace


def distill(
    workspace: Workspace,
    pair: Pair,
    out: Path,
    *,
    setting: Setting | None = None,
    seed: int = 0,
    force: bool = False,
    compute: Compute | None = None,
    callbacks: Callbacks | None = None,
) -> Card:
    """Train the recommended student and write its files; see `autokd.distill` for arguments and errors."""
    files = Files(out)
    files.check(force=force)
    expected = None
    if setting is None:
        with open_results(workspace, f"run {tune_command(pair)}") as (federation, results):
            recommendation = results.recommendation(pair)
        setting = choose_setting(recommendation, force=force)
        expected = expected_gain(recommendation)
    else:
        prepared = find(workspace.home, workspace.config.federation)
        if prepared is None:
            raise nothing_tuned(workspace, "run autokd prepare")
        federation = prepared
    request = DistillationRequest(
        pair=pair,
        setting=setting,
        expected=expected,
        seed=seed,
        study=workspace.study or workspace.config.name,
        home=str(workspace.home),
        file=out.name,
        compute=compute or Compute(),
    )
    made = deliver(federation, workspace.config, request, progress=(callbacks or Callbacks()).on_distill)
    files.write(made, folder=federations_folder(workspace.home) / federation.name, force=force)
    return made.card
