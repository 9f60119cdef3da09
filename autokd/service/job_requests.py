"""What may be asked of a job: the requests of `POST /v1/jobs`, and the pairs that each is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from autokd.config.base import content_hash
from autokd.config.effort import Effort
from autokd.config.mistakes import NAME
from autokd.config.study import StudyConfig
from autokd.config.target import target
from autokd.config.yaml_files import read_study_config, shipped
from autokd.core.pair import AnyPair, Pair
from autokd.core.setting import Position, Setting, TransferSet
from autokd.errors import PlanError, UnknownName
from autokd.workspace import Workspace

_LONGEST: Final = 200
"""Characters of what names a participant, a pair or a list of candidates."""
_MOST: Final = 1_000_000
_NAMED: Final = 10_000
"""Pairs that are named one by one: a hundred participants make 9,900."""
_MOST_CLASSES: Final = 10_000
_GRID: Final = "poster_sweep"
"""What a sweep runs unless another grid is named."""
Typed = Annotated[str, Field(min_length=1, max_length=_LONGEST)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class _JobRequest(BaseModel):
    """What all requests have."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    study: Annotated[str, Field(pattern=NAME, description="A study recipe, as /v1/studies lists it.")]
    space: Annotated[str, Field(pattern=NAME)] | None = Field(
        default=None,
        description="A shipped search space; by default the recipe's own, and for a sweep poster_sweep.",
    )


class _OfPairs(_JobRequest):
    """Also which pairs: `pairs`, or those of `teacher` or `student`."""

    pairs: Literal["all"] | Annotated[list[Typed], Field(min_length=1, max_length=_NAMED)] | None = Field(
        default=None, description='Pairs as the command line takes them, e.g. ["4,9", "9,4"], or "all".'
    )
    teacher: Typed | None = Field(default=None, description="All pairs in which this participant teaches.")
    student: Typed | None = Field(default=None, description="All pairs in which this participant learns.")

    def chosen(self, workspace: Workspace) -> tuple[AnyPair, ...]:
        """Return the pairs, in order and each once.

        Raises:
            PlanError: If none or several of the fields were given, or a pair or participant does not exist.
        """
        names, by_role = workspace.names, self.teacher is not None or self.student is not None
        if (self.pairs is None) != by_role:
            raise _problem(
                "pairs", 'say which pairs: "pairs": ["4,9"], "pairs": "all", or teacher or student'
            )
        if self.pairs is not None:
            if self.pairs == "all":
                return tuple(workspace.pairs)
            return tuple(dict.fromkeys(pair for text in self.pairs for pair in names.pairs(text)))
        teacher = None if self.teacher is None else names.number(self.teacher, option="teacher")
        student = None if self.student is None else names.number(self.student, option="student")
        if teacher is not None and student is not None:
            return (names.taught(_pair(teacher, student), option="teacher"),)
        chosen = [pair for pair in workspace.pairs if teacher in (None, pair.teacher)]
        chosen = [pair for pair in chosen if student in (None, pair.student)]
        if not chosen:
            raise _problem("teacher", "this participant is not trained, so it teaches nobody")
        return tuple(chosen)


class JobBudget(BaseModel):
    """The most that may be spent on the pairs, with what was spent on them before; one of these."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    seconds: float | None = Field(default=None, gt=0)
    epochs: int | None = Field(default=None, ge=1)
    share_of_sweep: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(value is not None for value in (self.seconds, self.epochs, self.share_of_sweep)) != 1:
            raise ValueError("give one of seconds, epochs and share_of_sweep")
        return self


class TuneRequest(_OfPairs):
    """Search pairs, confirm and judge them, as `autokd tune` does; with `teachers` several teach at once."""

    what: Literal["tune"]
    teachers: Typed | None = Field(
        default=None, description="Several candidates to teach student at once: 0,3,7, all, or best:4."
    )
    all_students: bool = Field(
        default=False, description="With teachers: each participant learns from its own."
    )
    position: Position | None = Field(default=None, description="Search only this position of the student.")
    trials: int | None = Field(default=None, ge=2, le=_MOST, description="The most trials of a pair.")
    effort: Effort | None = None
    try_: list[Typed] = Field(
        default=[], alias="try", max_length=100, description="Settings to try, e.g. T=4,alpha=0.9."
    )
    budget: JobBudget | None = None

    @property
    def of_several(self) -> bool:
        """Whether groups are asked for, and not pairs."""
        return self.teachers is not None or self.all_students

    @property
    def names_each(self) -> bool:
        """Whether pairs are named one by one, so that a single one is answered as such, not as a list."""
        return self.of_several or isinstance(self.pairs, list)

    def chosen(self, workspace: Workspace) -> tuple[AnyPair, ...]:
        """Return the pairs or groups; see `_OfPairs.chosen`."""
        if not self.of_several:
            return super().chosen(workspace)
        if self.pairs is not None or self.teacher is not None:
            raise _problem("teachers", "goes with student or all_students, not with pairs or teacher")
        return _groups(workspace, self.teachers, self.student, self.all_students)


class SweepRequest(_OfPairs):
    """Run every setting of a grid on each pair, as `autokd sweep` does."""

    what: Literal["sweep"]
    seeds: int = Field(default=1, ge=1, le=1000, description="Runs of each setting.")


class _OfOne(_JobRequest):
    """Also one pair, or several teachers of one student."""

    pair: Typed | None = Field(default=None, description="Teacher and student, e.g. 4,9.")
    student: Typed | None = Field(default=None, description="Who learns from teachers.")
    teachers: Typed | None = Field(default=None, description="Several candidates: 0,3,7, all, or best:4.")

    def chosen(self, workspace: Workspace) -> tuple[AnyPair, ...]:
        """Return the only pair or group; raise `PlanError` if it is not named, or does not exist."""
        if (self.pair is None) == (self.student is None and self.teachers is None):
            raise _problem("pair", 'say who learns: "pair": "4,9", or student and teachers')
        if self.pair is None:
            return _groups(workspace, self.teachers, self.student, all_students=False)
        return (workspace.names.pair(self.pair),)


class ExplainRequest(_OfOne):
    """Compare a recommendation with its alternatives, as `autokd explain` does."""

    what: Literal["explain"]


class JobSetting(BaseModel):
    """A setting to use in place of the recommended one, as results write it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    temperature: float
    alpha: float | None = None
    transfer_set: TransferSet
    method: Typed | None = None
    learning_rate: float | None = None
    epochs: int | None = None
    batch_norm: Typed | None = None
    label_prior: Typed | None = None
    schedule: Typed | None = None
    teachers: Typed | None = Field(default=None, description="Who of a group teaches, e.g. 0 3 7.")

    def setting(self) -> Setting:
        """Return the setting.

        Raises:
            PlanError: If it is not valid.
        """
        if self.transfer_set is TransferSet.VALIDATION:
            raise _problem("setting.transfer_set", "validation is held out; choose another one")
        try:
            return Setting.from_json(self.model_dump(mode="json", exclude_none=True))
        except ValueError as error:
            raise _problem("setting", str(error)) from None


class DistillRequest(_OfOne):
    """Train the recommended student and write its weights and card, as `autokd distill` does."""

    what: Literal["distill"]
    setting: JobSetting | None = None
    seed: Seed = 0
    target: Literal["common", "own"] | Annotated[dict[Typed, float], Field(max_length=_MOST_CLASSES)] = Field(
        default="common", description="Class distribution that the model is for: what --for takes."
    )
    force: bool = Field(default=False, description="Distill even against the recommendation.")

    def chosen(self, workspace: Workspace) -> tuple[AnyPair, ...]:
        """Return the only pair or group; raise `PlanError` if anything of the request does not hold."""
        if self.setting is not None:
            self.setting.setting()
        try:
            target(self.target)
        except ValueError as error:
            raise _problem("target", str(error)) from None
        return super().chosen(workspace)


AnyRequest = TuneRequest | SweepRequest | ExplainRequest | DistillRequest
JobRequest = Annotated[AnyRequest, Field(discriminator="what")]


def recipe_hash(config: StudyConfig) -> str:
    """Return what tells a study recipe from all others, also from what it was before."""
    return content_hash(config, digits=32)


def request_json(request: AnyRequest) -> dict[str, Any]:
    """Return a request as it is stored and shown: what was given, and nothing else."""
    return request.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"what": request.what}


def opened(request: AnyRequest, study: str, *, home: Path, storage: str) -> Workspace:
    """Return where and what a request is for.

    Args:
        study: Name or file of its study recipe.

    Raises:
        InputError: If the recipe is not valid, or there is no such space.
    """
    if request.space is not None and request.space not in shipped("search_spaces"):
        raise UnknownName(kind="search space", name=request.space, known=shipped("search_spaces"))
    space = _GRID if request.space is None and isinstance(request, SweepRequest) else request.space
    more: dict[str, Any] = {}
    if isinstance(request, TuneRequest):
        more = {"trials": request.trials, "effort": request.effort, "try_": request.try_}
    if space is None:
        # The service's own environment must not choose another one.
        space = str(read_study_config(study).space)
    workspace = Workspace.open(study, home=home, storage=storage, space=space, **more)
    # Where its file lies is nobody's business; findings and cards name it as whoever has asked does.
    return replace(workspace, study=request.study)


def chosen_pairs(request: AnyRequest, workspace: Workspace) -> tuple[AnyPair, ...]:
    """Return the pairs or groups that a request is for.

    Raises:
        PlanError: If they do not exist; it names the field of the request.
    """
    try:
        return request.chosen(workspace)
    except PlanError as error:
        raise _of_body(error.all) from None


def _of_body(problems: Sequence[PlanError]) -> PlanError:
    """Return problems of options as those of the fields of the same names."""
    named: Mapping[str, str] = {"--pair": "pairs"}
    return PlanError.together(
        [
            PlanError(
                source="body",
                field=named.get(problem.field, problem.field.lstrip("-").replace("-", "_")),
                problem=problem.problem,
            )
            for problem in problems
        ]
    )


def _groups(
    workspace: Workspace, teachers: str | None, student: str | None, all_students: bool
) -> tuple[AnyPair, ...]:
    if teachers is None:
        raise _problem("teachers", "is missing; e.g. 0,3,7 or all")
    if (student is None) != all_students:
        raise _problem("student", 'say who learns: "student": "9", or "all_students": true in a tune job')
    # Imported here: it may have to predict, and a service may never be asked for that.
    from autokd.workflows.candidates import groups_of

    number = None if student is None else workspace.names.number(student, option="student")
    return groups_of(workspace, teachers, number)


def _pair(teacher: int, student: int) -> Pair:
    if teacher == student:
        raise _problem("student", f"participant {student} cannot teach itself")
    return Pair(teacher, student)


def _problem(field: str, problem: str) -> PlanError:
    return PlanError(source="body", field=field, problem=problem)
