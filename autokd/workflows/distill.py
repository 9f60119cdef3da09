"""Distilling the recommended student, for use elsewhere."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from autokd.compute.device import Compute
from autokd.config.target import ClassShares, TargetName
from autokd.core.setting import AnyPair, Setting
from autokd.core.tensor_format import TensorFormat
from autokd.delivery import Card, DistillationRequest, Files, choose_setting, deliver, expected_gain
from autokd.errors import NotTuned
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.federation.storage import federations_folder
from autokd.workflows.callbacks import Callbacks
from autokd.workflows.recommend import tune_command
from autokd.workflows.results import StoredResults, nothing_tuned, open_results
from autokd.workflows.tensor_formats import chosen_format, filled_from_store, tensor_formats
from autokd.workspace import Workspace


def distill(
    workspace: Workspace,
    pair: AnyPair,
    out: Path,
    *,
    setting: Setting | None = None,
    seed: int = 0,
    force: bool = False,
    target: TargetName | ClassShares = "common",
    compute: Compute | None = None,
    callbacks: Callbacks | None = None,
) -> Card:
    """Train the recommended student and write its files; see `autokd.distill` for arguments and errors."""
    files = Files(out)
    files.check(force=force)
    compute, expected = compute or Compute(), None
    if setting is None:
        with open_results(workspace, f"run {tune_command(pair)}") as (federation, results):
            recommendation = results.recommendation(pair)
            tensor_format = tensor_formats(results, federation, [pair], compute)[pair]
        setting = choose_setting(recommendation, force=force)
        expected = expected_gain(recommendation)
    else:
        prepared = find(workspace.home, workspace.config.federation)
        if prepared is None:
            raise nothing_tuned(workspace, "run autokd prepare")
        federation = prepared
        tensor_format = _tensor_format(workspace, federation, pair, compute)
    request = DistillationRequest(
        pair=pair,
        setting=setting,
        expected=expected,
        seed=seed,
        study=workspace.study or workspace.config.name,
        home=str(workspace.home),
        file=out.name,
        compute=compute.in_format(tensor_format),
        target=target,
    )
    made = deliver(federation, workspace.config, request, progress=(callbacks or Callbacks()).on_distill)
    files.write(made, folder=federations_folder(workspace.home) / federation.name, force=force)
    return made.card


def _tensor_format(
    workspace: Workspace, federation: Federation, pair: AnyPair, compute: Compute
) -> TensorFormat:
    """Return the tensor format of a setting given by hand: what is left open is as in the pair's stored runs.

    If nothing is left open, as in the command of a card, no store is needed.
    """
    asked = compute
    if compute.tensor_format is None:
        with suppress(NotTuned), workspace.open_store(create=False) as store:
            results = StoredResults.of(workspace, federation.facts(), store)
            asked = filled_from_store(results, pair, compute)
    return chosen_format(federation, pair.student, asked)
