"""`/v1/studies`: the study recipes, and what is known of each: participants, splits, cost so far."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from autokd.core.records import FederationFacts
from autokd.errors import PlanError
from autokd.service.auth import reads
from autokd.service.catalogue import Catalogue, KnownStudy
from autokd.service.context import InContext, SpaceName, StudyName, errors
from autokd.service.json_text import json_text
from autokd.service.places import plain_without_place
from autokd.service.problems import FieldProblem
from autokd.service.views import OpenStudy
from autokd.workflows.status import DriverStatus, status_in

router = APIRouter(prefix="/v1/studies", tags=["studies"], dependencies=[reads])


class StudyEntry(BaseModel):
    """A study recipe."""

    name: str
    origin: str = Field(description="shipped, named (when the service started), or home (recipes/ in it).")
    federation: str | None = Field(description="Its federation's name, without the hash of its content.")
    participants: int | None
    pairs: int | None
    problems: list[FieldProblem] = Field(description="Why it cannot be used; empty if it can.")


@router.get("", summary="The study recipes", responses=errors())
def list_studies(context: InContext) -> list[StudyEntry]:
    """List the shipped study recipes, those that were named at the start, and those in the home."""
    settings = context.settings
    return [
        StudyEntry(**plain_without_place(entry.model_dump(), settings.home, settings.root))
        for entry in (_entry(context.catalogue, study) for study in context.catalogue.studies())
    ]


@router.get("/{name}", summary="One study", response_model=dict[str, Any], responses=errors(404))
def read_study(context: InContext, name: StudyName, space: SpaceName = None) -> Response:
    """Return the recipe, the federation with its participants and splits, and where its pairs stand.

    What is measured is null until the federation is prepared.
    """
    known = context.catalogue.study(name)
    study, names = context.views.answer(name, space, "study", _study)
    recipe = plain_without_place(study["recipe"], context.settings.home, context.settings.root)
    status = study["status"]
    if status is not None:
        # They tell how far they are all the time, and the rest changes with results only.
        drivers = map(DriverStatus.of, context.opened.store.leases.drivers(names))
        status = {**status, "drivers": [driver.to_json() for driver in drivers]}
    content = {"name": name, "origin": known.origin, **study, "recipe": recipe, "status": status}
    return Response(json_text(content), media_type="application/json")


def _entry(catalogue: Catalogue, study: KnownStudy) -> StudyEntry:
    try:
        config = catalogue.config(study)
    except PlanError as error:
        # Its name is enough: where the file lies is not told.
        problems = [{**problem.to_json(), "file": f"{study.name}.yaml"} for problem in error.all]
        return StudyEntry(
            name=study.name,
            origin=study.origin,
            federation=None,
            participants=None,
            pairs=None,
            problems=[FieldProblem(**problem) for problem in problems],
        )
    count = config.federation.size
    untrained = len(config.federation.untrained)
    return StudyEntry(
        name=study.name,
        origin=study.origin,
        federation=config.federation.name,
        participants=count,
        pairs=(count - untrained) * (count - 1),
        problems=[],
    )


def _study(study: OpenStudy) -> tuple[dict[str, Any], list[str]]:
    """Return what is shown of a study, and the names under which commands may be at work on it."""
    workspace, results = study.workspace, study.results
    status: dict[str, Any] | None = None
    names: list[str] = []
    if results.is_prepared:
        every, groups = results.store.studies(), map(results.study, results.groups())
        names = sorted({*map(results.study, workspace.pairs), *groups}.intersection(every))
        status = status_in(workspace, results).to_json()
        del status["pairs"]
        status.pop("groups", None)
    return {
        "space": results.space.name,
        # A space in a file has the place of that file in its name, which is nobody's business.
        "recipe": {**workspace.config.model_dump(mode="json"), "space": results.space.name},
        "federation": None if study.facts is None else _federation(study, study.facts),
        "status": status,
    }, names


def _federation(study: OpenStudy, facts: FederationFacts) -> dict[str, Any]:
    names = study.workspace.names
    return {
        "name": facts.name,
        "classes": list(facts.classes),
        "splits": {
            **{split.value: len(labels) for split, labels in facts.labels.items()},
            "public": facts.public,
        },
        "participants": [
            {
                "number": participant.number,
                "name": names.name(participant.number) or None,
                "architecture": participant.architecture,
                "private": sum(participant.histogram),
                "trained": not participant.is_untrained,
                "accuracy": {
                    split.value: round(participant.accuracy(split), 6) for split in participant.correct
                },
            }
            for participant in facts.participants
        ],
        "warnings": [warning.to_json() for warning in facts.warnings],
    }
