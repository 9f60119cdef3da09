"""Preparing a study's federation."""

from __future__ import annotations

from autokd.compute.device import Compute
from autokd.federation.federation import Federation
from autokd.federation.preparation import Progress
from autokd.federation.preparation import prepare as prepare_federation
from autokd.workspace import Workspace


def prepare(
    workspace: Workspace,
    compute: Compute | None = None,
    *,
    workers: int | None = None,
    address: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Federation:
    """Return the federation, pre-trained now unless it was before; see `autokd.federation.prepare`."""
    return prepare_federation(
        workspace.config.federation,
        home=workspace.home,
        compute=compute or Compute(),
        workers=workers,
        address=address,
        progress=progress,
    )
