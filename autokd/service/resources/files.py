"""`/v1/studies/{name}/report.html` and `/export.parquet`: what other commands write into files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from autokd.service.auth import reads
from autokd.service.context import InContext, SpaceName, StudyName, errors
from autokd.service.views import OpenStudy
from autokd.workflows.export import export_results
from autokd.workflows.report import report_of

router = APIRouter(prefix="/v1/studies/{name}", tags=["files"], dependencies=[reads])

_PAGE_HEADERS = {
    # The page brings its own policy, which lets its own scripts run and forbids requests.
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox "
    "allow-scripts allow-downloads allow-popups",
}


@router.get(
    "/report.html", summary="The report as one page", response_class=HTMLResponse, responses=errors(404)
)
def read_report(context: InContext, name: StudyName, space: SpaceName = None) -> HTMLResponse:
    """Return the page that `autokd report` writes; where results are missing it says so."""
    page = context.views.answer(name, space, "report", _page)
    return HTMLResponse(page, headers=_PAGE_HEADERS)


@router.get(
    "/export.parquet",
    summary="All measurements as one table",
    response_class=Response,
    responses={
        **errors(404),
        200: {
            "description": "The table.",
            "content": {"application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}}},
        },
    },
)
def read_export(context: InContext, name: StudyName, space: SpaceName = None) -> Response:
    """Return the Parquet table that `autokd export` writes."""

    def table(study: OpenStudy) -> bytes:
        federation = study.prepared("run autokd tune or autokd sweep")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "table.parquet")
            export_results(study.workspace, federation, study.results, path)
            return path.read_bytes()

    headers = {"Content-Disposition": f'attachment; filename="{name}.parquet"'}
    content = context.views.fresh(name, space, table)
    return Response(content, media_type="application/vnd.apache.parquet", headers=headers)


def _page(study: OpenStudy) -> str:
    # Imported here: drawing takes a while to import, and a service may never be asked for it.
    from autokd.report import ReportFacts, page

    data = report_of(study.workspace, study.federation, study.facts, study.results)
    return page(ReportFacts(data))
