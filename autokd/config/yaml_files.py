"""Finds recipes by path or shipped name, and reads their YAML into validated models.

Shipped recipes are in the folders `studies/` and `search_spaces/` of a checkout, and inside the package in an
installed wheel. Both are found by name from any working folder.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from autokd.config.study import StudyConfig
from autokd.errors import PlanError, UnknownName

Kind = Literal["studies", "search_spaces"]
_SINGULAR: dict[Kind, str] = {"studies": "study", "search_spaces": "search space"}
_LONGEST_QUOTE = 300
_Model = TypeVar("_Model", bound=BaseModel)


def shipped(kind: Kind) -> tuple[str, ...]:
    """Return the sorted names of the recipes that come with autokd."""
    names = (entry.name for entry in _folder(kind).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def read(kind: Kind, name_or_path: str, model: type[_Model]) -> _Model:
    """Read a recipe by shipped name (`digits`) or from a YAML file (anything with a slash or `.yaml`).

    Raises:
        UnknownName: If no shipped recipe has that name.
        PlanError: If the file cannot be read, or one of its fields is not valid.
    """
    file: Path | Traversable = Path(name_or_path).expanduser()
    source = str(file)
    if not _is_path(name_or_path):
        names = shipped(kind)
        if name_or_path not in names:
            hint = f"For a file of your own give its path, e.g. ./{name_or_path or 'my'}.yaml."
            raise UnknownName(kind=_SINGULAR[kind], name=name_or_path, known=names, hint=hint)
        file, source = _folder(kind) / f"{name_or_path}.yaml", f"{kind}/{name_or_path}.yaml"
    try:
        return _parse(file.read_text(encoding="utf-8"), source=source, model=model)
    except OSError as error:
        raise PlanError(source=source, problem=f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise PlanError(source=source, problem="is not a text file in UTF-8") from None


def read_study_config(name_or_path: str) -> StudyConfig:
    """Read a study recipe by shipped name or path.

    Relative paths in it start from the folder of its file, and for a shipped recipe from the working folder.

    Raises:
        UnknownName: If no shipped study has that name.
        PlanError: If the file cannot be read, or one of its fields is not valid.
    """
    config = read("studies", name_or_path, StudyConfig)
    if not _is_path(name_or_path):
        return config
    file = Path(name_or_path).expanduser()
    changes: dict[str, object] = {"federation": config.federation.located(file)}
    if _is_path(config.space):
        changes["space"] = str(file.parent / Path(config.space).expanduser())
    return config.model_copy(update=changes)


def _is_path(name_or_path: str) -> bool:
    return name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path or "\\" in name_or_path


def _folder(kind: Kind) -> Traversable:
    packaged = files("autokd") / "shipped" / kind
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / kind


class _StrictLoader(yaml.SafeLoader):
    """Refuses duplicate keys, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str):
                if key in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key!r} twice", key_node.start_mark)
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _parse(text: str, *, source: str, model: type[_Model]) -> _Model:
    try:
        content = yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark is not None else ""
        problem = f"is not valid YAML: {getattr(error, 'problem', None) or error}"
        raise PlanError(source=source, field=line, problem=problem) from None
    except RecursionError:
        raise PlanError(source=source, problem="is nested too deeply") from None
    if not isinstance(content, dict):
        raise PlanError(source=source, problem="must hold fields (name: value), one a line")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        # Unknown fields come first: a misspelt field is often why another one is missing.
        problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
        raise PlanError.together(
            [_plan_error(problem, content, source=source, model=model) for problem in problems]
        ) from None


def _plan_error(
    details: ErrorDetails, content: dict[str, Any], *, source: str, model: type[BaseModel]
) -> PlanError:
    location = _location_in_file(details["loc"], content)
    problem = details["msg"].removeprefix("Value error, ")
    if details["type"] == "extra_forbidden":
        fields = _fields_at(model, details["loc"][:-1])
        problem = "unknown field" + (f"; known here: {', '.join(fields)}" if fields else "")
    elif details["type"] == "missing":
        location.append(details["loc"][-1])
        problem = "is missing"
    elif not isinstance(details["input"], dict | list):
        text = repr(details["input"])
        problem += f", not {text[:_LONGEST_QUOTE]}{'...' if len(text) > _LONGEST_QUOTE else ''}"
    return PlanError(source=source, field=".".join(map(str, location)), problem=problem)


def _location_in_file(location: tuple[int | str, ...], content: object) -> list[int | str]:
    """Return a location without the levels that pydantic adds for the members of a union."""
    written: list[int | str] = []
    for part in location:
        try:
            content = content[part]  # type: ignore[index]
        except (TypeError, LookupError):
            continue
        written.append(part)
    return written


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return the names of the fields of the model at `location`; empty if it is ambiguous."""
    models: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, int):
            continue
        fields = [owner.model_fields[part] for owner in models if part in owner.model_fields]
        tagged = [member for member in models if _has_tag(member, part)]
        models = [member for field in fields for member in _models_in(field.annotation)] or tagged or models
    if len(models) != 1:
        return ()
    return tuple(field.alias or name for name, field in models[0].model_fields.items())


def _has_tag(model: type[BaseModel], tag: str) -> bool:
    fields = model.model_fields.values()
    return model.__name__ == tag or any(tag in get_args(field.annotation) for field in fields)


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [member for argument in get_args(annotation) for member in _models_in(argument)]
