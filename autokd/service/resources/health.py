"""`/healthz`, `/readyz` and `/metrics`: for those who keep the service running."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse

from autokd.errors import AutokdError
from autokd.service.auth import reads
from autokd.service.context import Context, InContext, errors
from autokd.service.counters import family
from autokd.store.inventory import stored_studies

_DISK_BYTES: Final = 100 * 2**20
"""With less room on the disk of the home, the service is not ready."""

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Whether the service runs; needs no token")
async def healthz() -> dict[str, str]:
    """Answer as long as the process does."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Whether the store answers and the disk has room; needs no token",
    responses={503: {"description": "Not ready; the checks say why.", "content": {"application/json": {}}}},
)
def readyz(context: InContext) -> JSONResponse:
    """Say yes or no to each check, and nothing more, since anybody may ask."""
    checks = {"store": _store_answers(context), "disk": _has_room(context)}
    ready = all(checks.values())
    return JSONResponse(
        {"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503
    )


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=PlainTextResponse,
    dependencies=[reads],
    responses=errors(),
)
def metrics(context: InContext) -> PlainTextResponse:
    """Return counters of requests, and what the store holds."""
    lines = [*context.counters.lines(), *_of_store(context)]
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _of_store(context: Context) -> Iterator[str]:
    studies = stored_studies(context.opened.store)
    drivers = context.opened.store.leases.drivers()
    alive = [driver for driver in drivers if driver.alive]
    gauges: dict[str, tuple[str, float]] = {
        "autokd_studies": ("Pairs that have a study or runs in the store.", len(studies)),
        "autokd_trials": ("Trials in the store.", sum(study.trials for study in studies)),
        "autokd_runs": ("Race, confirmation and other runs.", sum(study.runs for study in studies)),
        "autokd_drivers": ("Commands at work.", len(alive)),
        "autokd_leases": ("Studies that they hold.", sum(len(driver.studies) for driver in alive)),
    }
    for name, (help, value) in gauges.items():
        yield from family(name, "gauge", help, [({}, value)])
    verdicts = Counter(study.verdict for study in studies if study.verdict)
    yield from family(
        "autokd_verdicts",
        "gauge",
        "Stored recommendations by verdict.",
        [({"verdict": verdict}, count) for verdict, count in sorted(verdicts.items())],
    )


def _store_answers(context: Context) -> bool:
    try:
        context.opened.store.federations()
    except AutokdError:
        return False
    return True


def _has_room(context: Context) -> bool:
    home: Any = context.settings.home
    while not home.exists() and home != home.parent:
        home = home.parent
    try:
        return os.access(home, os.W_OK) and shutil.disk_usage(home).free >= _DISK_BYTES
    except OSError:
        return False
