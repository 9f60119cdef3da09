"""`/healthz`, `/readyz` and `/metrics`: for those who keep the service running."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse

from autokd.core.job import JobState
from autokd.service.auth import reads
from autokd.service.context import Context, InContext, errors
from autokd.service.counters import family
from autokd.store.inventory import stored_studies, trained_epochs
from autokd.store.job_queue import JobQueue

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Whether the service runs; needs no token")
async def healthz() -> dict[str, str]:
    """Answer as long as the process does."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Whether the store, Ray and the disk are ready; needs no token",
    responses={503: {"description": "Not ready; the checks say why.", "content": {"application/json": {}}}},
)
def readyz(context: InContext) -> JSONResponse:
    """Say yes or no to each check, and nothing more, since anybody may ask."""
    checks = context.readiness.answers()
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
    """Return counters of requests and of waits for the database, and what the store holds."""
    lines = [*context.counters.lines(), *_of_database(context), *_of_store(context)]
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _of_database(context: Context) -> Iterator[str]:
    waits = context.opened.waits
    totals: dict[str, tuple[str, float]] = {
        "autokd_database_statements_total": ("Statements that the database has answered.", waits.statements),
        "autokd_database_seconds_total": ("Time until it had answered them.", round(waits.seconds, 6)),
        "autokd_database_failures_total": ("Calls that it did not answer.", waits.failures),
    }
    for name, (help, value) in totals.items():
        yield from family(name, "counter", help, [({}, value)])


def _of_store(context: Context) -> Iterator[str]:
    store = context.opened.store
    studies = stored_studies(store)
    alive = [driver for driver in store.leases.drivers() if driver.alive]
    gauges: dict[str, tuple[str, float]] = {
        "autokd_studies": ("Pairs that have a study or runs in the store.", len(studies)),
        "autokd_trials": ("Trials in the store.", sum(study.trials for study in studies)),
        "autokd_runs": ("Race, confirmation and other runs.", sum(study.runs for study in studies)),
        "autokd_epochs": ("Epochs that trials and runs were trained for.", trained_epochs(store)),
        "autokd_drivers": ("Jobs and commands that hold studies.", len(alive)),
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
    jobs = JobQueue(store).counts()
    samples = [({"state": state.value}, jobs.get(state, 0)) for state in JobState]
    yield from family("autokd_jobs", "gauge", "Jobs by state.", samples)
