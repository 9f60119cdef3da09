"""Preparing a study's federation."""

from __future__ import annotations

import functools
import logging

from autokd.compute.device import Compute
from autokd.core.arguments import whole
from autokd.core.public_calls import checked
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.federation.preparation import Progress, check
from autokd.federation.preparation import prepare as prepare_federation
from autokd.workflows.study_warnings import tell_warnings
from autokd.workspace import Workspace

_log = logging.getLogger(__name__)


@checked(workers=functools.partial(whole, least=1))
def prepare(
    workspace: Workspace,
    compute: Compute | None = None,
    *,
    workers: int | None = None,
    address: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Federation:
    """Return the federation, pre-trained now unless it was before; see `autokd.federation.prepare`.

    Raises:
        PlanError: If the study's target does not fit the federation; nothing was changed.
    """
    config, home = workspace.config, workspace.home
    prepared = find(home, config.federation)
    checked = check(config.federation) if prepared is None else None
    tell_warnings(config, prepared or checked, source=workspace.source, logger=_log)
    return prepare_federation(
        config.federation,
        home=home,
        checked=checked,
        compute=compute or Compute(),
        workers=workers,
        address=address,
        progress=progress,
    )
