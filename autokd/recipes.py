"""Recipes at the file border: find a YAML file by path or shipped name, and read it into a checked model.

Shipped recipes lie in the top-level folders `studies/` and `search_spaces/` of a checkout, and inside the
package in an installed wheel; both are found by bare name from any working folder.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from autokd.errors import PlanError, UnknownName
from autokd.plan import StudyPlan

Kind = Literal["studies", "search_spaces"]
_SINGULAR: dict[Kind, str] = {"studies": "study", "search_spaces": "search space"}
_LONGEST_QUOTE = 300
_Model = TypeVar("_Model", bound=BaseModel)


def shipped(kind: Kind) -> tuple[str, ...]:
    """Names of the recipes that come with autokd, sorted."""
    names = (entry.name for entry in _folder(kind).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def read(kind: Kind, name_or_path: str, model: type[_Model]) -> _Model:
    """Read a recipe by shipped name (`digits`) or from a YAML file (anything with a slash or `.yaml`).

    Raises:
        UnknownName: No shipped recipe has that name.
        PlanError: The file cannot be read, or a field in it does not hold.
    """
    if _is_path(name_or_path):
        path = Path(name_or_path).expanduser()
        try:
            return _parse(path.read_text(encoding="utf-8"), source=str(path), model=model)
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
            raise PlanError(source=str(path), field="", problem=problem) from None
        except UnicodeDecodeError:
            raise PlanError(source=str(path), field="", problem="is not a text file in UTF-8") from None
    names = shipped(kind)
    if name_or_path not in names:
        hint = f"For a file of your own give its path, e.g. ./{name_or_path or 'my'}.yaml."
        raise UnknownName(kind=_SINGULAR[kind], name=name_or_path, known=names, hint=hint)
    file = f"{name_or_path}.yaml"
    return _parse((_folder(kind) / file).read_text(encoding="utf-8"), source=f"{kind}/{file}", model=model)


def read_plan(name_or_path: str) -> StudyPlan:
    """Read a study; relative paths in it are taken from the study file's own folder.

    A shipped study has no such folder: its paths start from the present one.

    Raises:
        UnknownName: No shipped study has that name.
        PlanError: The file cannot be read, or a field in it does not hold.
    """
    plan = read("studies", name_or_path, StudyPlan)
    if not _is_path(name_or_path):
        return plan
    file = Path(name_or_path).expanduser()
    changes: dict[str, object] = {"federation": plan.federation.located(file)}
    if _is_path(plan.space):
        changes["space"] = str(file.parent / Path(plan.space).expanduser())
    return plan.model_copy(update=changes)


def _is_path(name_or_path: str) -> bool:
    return name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path or "\\" in name_or_path


def _folder(kind: Kind) -> Traversable:
    inside = files("autokd") / "shipped" / kind
    return inside if inside.is_dir() else Path(__file__).parent.parent / kind


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is written twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} twice", key_node.start_mark)
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _parse(text: str, *, source: str, model: type[_Model]) -> _Model:
    try:
        content = yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f"line {where.line + 1}" if where is not None else ""
        problem = f"is not valid YAML: {getattr(error, 'problem', None) or error}"
        raise PlanError(source=source, field=line, problem=problem) from None
    except RecursionError:
        raise PlanError(source=source, field="", problem="is nested too deeply") from None
    if not isinstance(content, dict):
        raise PlanError(source=source, field="", problem="must hold fields (name: value), one a line")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _in_our_words(error, content, source=source, model=model) from None


def _in_our_words(
    error: ValidationError, content: dict[str, Any], *, source: str, model: type[BaseModel]
) -> PlanError:
    """Pydantic's complaints as one error, which has all others with it.

    A misspelt field comes first: it is often why another one is missing.
    """
    problems = error.errors(include_url=False, include_context=False)
    problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
    return PlanError.together([_problem(one, content, source=source, model=model) for one in problems])


def _problem(one: ErrorDetails, content: dict[str, Any], *, source: str, model: type[BaseModel]) -> PlanError:
    location = _as_written(one["loc"], content)
    if one["type"] == "missing":
        location.append(one["loc"][-1])
    problem = one["msg"].removeprefix("Value error, ")
    if one["type"] == "extra_forbidden":
        known = _fields_at(model, one["loc"][:-1])
        problem = "unknown field" + (f"; known here: {', '.join(known)}" if known else "")
    elif one["type"] == "missing":
        problem = "is missing"
    elif not isinstance(one["input"], dict | list):
        problem = f"{problem}, not {_shortly(one['input'])}"
    return PlanError(source=source, field=".".join(map(str, location)), problem=problem)


def _shortly(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."


def _as_written(location: tuple[int | str, ...], content: object) -> list[int | str]:
    """What of a location is in the file, without the levels that pydantic adds for the members of a union."""
    written: list[int | str] = []
    for part in location:
        try:
            content = content[part]  # type: ignore[index]
        except (TypeError, LookupError):
            continue
        written.append(part)
    return written


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, ...]:
    """Names of the fields that the model at `location` knows; empty where it cannot be told."""
    here: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, int):
            continue
        fields = [one.model_fields[part].annotation for one in here if part in one.model_fields]
        tagged = [one for one in here if _has_tag(one, part)]
        if fields:
            here = [found for annotation in fields for found in _models_in(annotation)]
        elif tagged:
            here = tagged
    return tuple(here[0].model_fields) if len(here) == 1 else ()


def _has_tag(model: type[BaseModel], tag: str) -> bool:
    if model.__name__ == tag:
        return True
    return any(tag in get_args(field.annotation) for field in model.model_fields.values())


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_in(argument)]
