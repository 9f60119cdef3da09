"""`/v1/studies/{name}/pairs`: what the store has of all pairs, and of one with its trials and curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from autokd.core.pair_records import PairRecords
from autokd.core.records import RungReport, RunRecord, TrialRecord
from autokd.core.setting import AnyPair
from autokd.service.accepted import preferred
from autokd.service.auth import reads
from autokd.service.context import (
    LARGEST,
    InContext,
    PairName,
    Participant,
    SpaceName,
    StudyName,
    errors,
    known_pair,
    known_participant,
    pair_of,
)
from autokd.service.json_text import json_text
from autokd.service.problems import Problem
from autokd.service.views import OpenStudy
from autokd.workflows.recommend import PairResult, answers_in, partners_in, prediction_in
from autokd.workflows.result_table import pairs_csv
from autokd.workflows.results import StoredResults

router = APIRouter(prefix="/v1/studies/{name}", tags=["pairs"], dependencies=[reads])

_JSON, _CSV = "application/json", "text/csv"
Verdict = Literal["tuned", "default", "skip", "undecided", "failed", "none"]


@router.get(
    "/pairs",
    summary="What the store has of each pair",
    response_model=list[dict[str, Any]],
    responses={
        **errors(404, 406),
        200: {"description": "The pairs.", "content": {_CSV: {"schema": {"type": "string"}}}},
    },
)
def list_pairs(
    context: InContext,
    name: StudyName,
    verdict: Annotated[
        Verdict | None, Query(description="Only pairs with this verdict; none: without one.")
    ] = None,
    student: Participant = None,
    teacher: Participant = None,
    space: SpaceName = None,
    accept: Annotated[str | None, Header(description="application/json or text/csv.")] = None,
) -> Response:
    """Return what `autokd recommend --all --json` lists, or with `Accept: text/csv` what `--csv` does."""
    form = preferred(accept, (_JSON, _CSV))
    if form is None:
        raise Problem(
            406,
            "format",
            "pairs are listed as application/json or text/csv",
            field="Accept",
            way_out=f"send Accept: {_JSON} or Accept: {_CSV}",
        )
    entries = context.views.answer(name, space, "pairs", _entries)
    wanted = {"student": student, "teacher": teacher}
    shown = [
        entry
        for entry in entries
        if (verdict is None or (entry.content["verdict"] or "none") == verdict)
        and all(
            number is None or entry.content["pair"].get(side) == number for side, number in wanted.items()
        )
    ]
    headers = {"Vary": "Accept"}
    if form == _CSV:
        headers["Content-Disposition"] = f'attachment; filename="{name}-pairs.csv"'
        return Response(pairs_csv([entry.content for entry in shown]), media_type=_CSV, headers=headers)
    return Response(f"[{','.join(entry.text for entry in shown)}]", media_type=_JSON, headers=headers)


@router.get(
    "/pairs/{pair}",
    summary="One pair, with its trials and curves",
    response_model=dict[str, Any],
    responses=errors(404),
)
def read_pair(context: InContext, name: StudyName, pair: PairName, space: SpaceName = None) -> Response:
    """Return the entry of the pair as `/pairs` has it, its trials with their curves, and its other runs."""
    text = context.views.answer(name, space, ("pair", pair), lambda study: json_text(_pair(study, pair)))
    return Response(text, media_type=_JSON)


@router.get("/partners/{student}", summary="The best partners of a participant", responses=errors(404))
def read_partners(
    context: InContext,
    name: StudyName,
    student: Annotated[int, Path(ge=0, le=LARGEST, description="Number of a participant.")],
    space: SpaceName = None,
) -> dict[str, Any]:
    """Return what `autokd recommend --student S --json` prints."""

    def partners(study: OpenStudy) -> dict[str, Any]:
        number = known_participant(study, student)
        study.prepared(f"run autokd tune --student {number}")
        return dict(partners_in(study.results, number).to_json())

    return context.views.answer(name, space, ("partners", student), partners)


@router.get("/predict", summary="What other pairs suggest for a pair", responses=errors(404))
def read_prediction(
    context: InContext,
    name: StudyName,
    teacher: Annotated[int, Query(ge=0, le=LARGEST)],
    student: Annotated[int, Query(ge=0, le=LARGEST)],
    space: SpaceName = None,
) -> dict[str, Any]:
    """Return what `autokd recommend --pair T,S --predict --json` prints."""

    def prediction(study: OpenStudy) -> dict[str, Any]:
        pair = known_pair(study, teacher, student)
        federation = study.prepared("run autokd tune on other pairs first")
        return prediction_in(federation, study.results, pair).to_json()

    return context.views.answer(name, space, ("predict", teacher, student), prediction)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A pair in the list, and the same as the JSON that is sent, since many ask for all pairs."""

    content: dict[str, Any]
    text: str


def _entries(study: OpenStudy) -> list[_Entry]:
    answers = answers_in(study.workspace, study.results, study.workspace.pairs)
    return [_entry(study.results, answer) for answer in answers]


def _entry(results: StoredResults, answer: PairResult) -> _Entry:
    """Return the entry of a pair; it is made once for each recommendation."""
    kept: dict[str, Any] = results.derived(answer.pair, "entry", dict)
    if answer.recommendation is None or kept.get("recommendation") is not answer.recommendation:
        content: dict[str, Any] = dict(answer.to_json())
        kept |= {"recommendation": answer.recommendation, "entry": _Entry(content, json_text(content))}
    entry: _Entry = kept["entry"]
    return entry


def _pair(study: OpenStudy, name: str) -> dict[str, Any]:
    pair = pair_of(study, name)
    asked: list[AnyPair] = [pair]
    answers = answers_in(study.workspace, study.results, asked)
    if not answers:
        raise Problem(
            500,
            "store",
            f"what the store has of pair {pair} cannot be read",
            way_out="run autokd store check",
        )
    study.prepared(f"run autokd tune {pair.options}")
    return {"recommendation": answers[0].to_json(), **_records(study.results.records(pair))}


def _records(records: PairRecords) -> dict[str, Any]:
    return {
        "study": records.study,
        "trials": [_trial(trial, records.reports.get(trial.number, ())) for trial in records.trials],
        "runs": [_run(run) for run in (*records.runs, *records.sweep_runs, *records.alternative_runs)],
    }


def _trial(trial: TrialRecord, reports: Sequence[RungReport]) -> dict[str, Any]:
    """Return a trial; its curve has the figures of each rung."""
    return {
        "number": trial.number,
        "state": trial.state.value,
        "origin": trial.role.value,
        "setting": trial.setting.to_json(),
        "seed": trial.seed,
        "accuracy": trial.accuracy,
        "epochs": trial.epochs,
        "failure": None if trial.failure is None else trial.failure.value,
        "reason": trial.reason or None,
        "curve": [
            {
                "epoch": report.epoch,
                "accuracy": report.accuracy,
                "forgetting": report.forgetting,
                "soft_loss": report.soft_loss,
                "hard_loss": report.hard_loss,
                "seconds": report.seconds,
            }
            for report in reports
        ],
    }


def _run(run: RunRecord) -> dict[str, Any]:
    """Return a run outside the search; a swept one has a curve."""
    return {
        "stage": run.stage.value,
        "state": run.state.value,
        "setting": run.setting.to_json(),
        "seed": run.seed,
        "epochs": run.epochs,
        "seconds": run.seconds,
        "forgetting": run.forgetting,
        "failure": None if run.failure is None else run.failure.value,
        "reason": run.reason or None,
        "curve": [
            {
                "epoch": rung.epoch,
                "accuracy": {split.value: accuracy for split, accuracy in rung.accuracy.items()},
            }
            for rung in run.curve
        ],
    }
