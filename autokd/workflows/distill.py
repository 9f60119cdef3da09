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
    """Make the recommended student in this process, and write its weights with a card beside them.

    Args:
        workspace: Study, home and store.
        pair: The pair to distill.
        out: File of the weights, `*.safetensors`; the card is written beside it as `.json` and `.md`.
        setting: In place of what is recommended; the store is then not read.
        seed: Which run of this setting, from 0; search, race and confirmation have used none of them.
        force: Distill even if the recommendation is against it, and replace existing files.
        compute: How the run computes.
        callbacks: Called with the progress.

    Raises:
        NotRecommended: If the recommendation is to leave the model as it is; nothing was changed.
        NotTuned: If there is none.
        InputError: If the files cannot or may not be written, or the device is not there.
        AutokdError: If the run fails, or store or federation do.
    """
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
