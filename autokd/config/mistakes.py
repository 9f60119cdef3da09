"""Says in plain words what is wrong with the fields of a recipe: one line for each mistake.

pydantic finds the mistakes. Its own words, which speak of types, schemas and unions, reach nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from autokd.config.numbers import MOST
from autokd.errors import PlanError
from autokd.text.quoting import did_you_mean, one_of, quoted

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
NETWORK: Final = r"^([A-Za-z_][\w.]*(:[A-Za-z_][\w.]*)?|hf:[^\x00]+)$"
CODE: Final = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
PATH: Final = r"^[^\x00]*$"
_PATTERNS: Final = {
    NAME: "a name: a letter or digit, then up to 63 letters, digits, dots, hyphens or underscores",
    NETWORK: "the name of a network, timm:name, hf:folder, or module:function of your own code "
    "(zoo.nets:make for zoo/nets.py)",
    CODE: "module:function of your own code, e.g. datasets:make, or zoo.data:make for zoo/data.py",
    PATH: "a path",
}
_FIELDS: Final = "must hold fields (name: value)"
_DEEPEST: Final = 50
_Place = tuple[int | str, ...]


def problems_of(error: ValidationError, content: object, *, source: str, model: type[BaseModel]) -> PlanError:
    """Return what pydantic found wrong with `content` as one error that has all mistakes, each once."""
    mistakes = error.errors(include_url=False)
    # Unknown fields come first: a misspelt field is often why another one is missing.
    mistakes.sort(key=lambda details: (details["type"] != "extra_forbidden", len(details["loc"])))
    by_place: dict[_Place, list[ErrorDetails]] = {}
    for details in mistakes:
        by_place.setdefault(_place(details, content), []).append(details)
    return PlanError.together(
        [
            PlanError(source=source, field=_written(place), problem=problem)
            for place, group in by_place.items()
            if not _follows(place, group, by_place)
            for problem in _said_of(group, model)
        ]
    )


def _follows(place: _Place, group: list[ErrorDetails], places: Iterable[_Place]) -> bool:
    """Return whether a list is said to be too short only because what it lists is wrong."""
    below = any(len(other) > len(place) and other[: len(place)] == place for other in places)
    return below and all(details["type"] in ("too_short", "too_long") for details in group)


def too_large(content: object, *, source: str) -> None:
    """Refuse whole numbers that nothing can hold; Python itself cannot even write the largest of them.

    Raises:
        PlanError: If there are some; it has the places of all.
    """
    mistakes = [
        PlanError(
            source=source, field=_written(place), problem=f"must have at most 19 digits, not {quoted(value)}"
        )
        for place, value in _wholes(content, ())
        if abs(value) > MOST
    ]
    if mistakes:
        raise PlanError.together(mistakes)


def _wholes(content: object, place: _Place) -> Iterator[tuple[_Place, int]]:
    if isinstance(content, int):
        yield place, content
    elif len(place) < _DEEPEST:
        inside = dict(enumerate(content)) if isinstance(content, list | tuple) else content
        for name, value in inside.items() if isinstance(inside, Mapping) else ():
            yield from _wholes(value, (*place, name))


def words_of(error: ValidationError) -> str:
    """Return what is wrong with a single value, such as an option of the command line."""
    (details, *_) = error.errors(include_url=False)
    return _own(details) if details["type"] == "value_error" else _words(details, BaseModel)


def _said_of(group: list[ErrorDetails], model: type[BaseModel]) -> Iterable[str]:
    """Return the messages about one place; several forms that a value could have had are one message."""
    own = list(dict.fromkeys(_own(details) for details in group if details["type"] == "value_error"))
    if own:
        return own
    said = list(dict.fromkeys(_words(details, model) for details in group))
    musts = [words.removeprefix("must be ") for words in said if words.startswith("must be ")]
    if len(said) == 1 or len(musts) < len(said):
        return said[:1]
    return [f"must be {one_of(dict.fromkeys(must.partition(', not ')[0] for must in musts))}{_not(group[0])}"]


def _own(details: ErrorDetails) -> str:
    """Return the message of one of autokd's own validators, with what was written if it does not say."""
    said, value = details["msg"].removeprefix("Value error, "), details["input"]
    if ", not " in said or isinstance(value, list | tuple | Mapping | BaseModel):
        return said
    return f"{said}, not {quoted(value)}"


def _words(details: ErrorDetails, model: type[BaseModel]) -> str:
    """Return what is wrong in one place, without its name."""
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "extra_forbidden":
        return _unknown(details["loc"], model)
    if kind == "missing":
        return "is missing"
    if kind in ("union_tag_invalid", "literal_error", "enum"):
        expected = context.get("expected_tags") or context.get("expected", "")
        choices = re.findall(r"'([^']*)'", expected) or re.split(r", | or ", expected)
        if kind == "union_tag_invalid" and isinstance(value, Mapping):
            value = value.get(_discriminator(details))
        field = f"{_discriminator(details)} " if kind == "union_tag_invalid" else ""
        return f"{field}must be {_choices(choices)}{_not(details, value)}{did_you_mean(value, choices)}"
    if kind == "union_tag_not_found":
        field, kinds = _discriminator(details), _tags(model, details)
        return f"{field} is missing; write {_choices(kinds)}" if kinds else f"{field} is missing"
    if kind == "string_pattern_mismatch":
        wanted = _PATTERNS.get(context.get("pattern", ""), "written otherwise")
        return f"must be {wanted}{_not(details)}"
    if kind == "string_type":
        hint = "" if value is None or isinstance(value, list | tuple | Mapping) else "; put it into quotes"
        return f"must be text{_not(details)}{hint}"
    if kind == "too_short":
        return f"must list at least {context['min_length']} of them, not {context['actual_length']}"
    say = _SAID.get(kind)
    return say(context) + _not(details) if say is not None else f"cannot be read{_not(details)}"


_SAID: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "greater_than": lambda context: f"must be greater than {context['gt']:g}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']:g}",
    "less_than": lambda context: f"must be less than {context['lt']:g}",
    "less_than_equal": lambda context: f"must be at most {context['le']:g}",
    "int_type": lambda context: "must be a whole number",
    "int_parsing": lambda context: "must be a whole number",
    "int_parsing_size": lambda context: "must be a whole number of fewer digits",
    "int_from_float": lambda context: "must be a whole number",
    "float_type": lambda context: "must be a number",
    "float_parsing": lambda context: "must be a number",
    "finite_number": lambda context: "must be a number",
    "path_type": lambda context: "must be a path",
    "too_long": lambda context: f"must list at most {context['max_length']} of them",
    "string_too_short": lambda context: "must be text that is not empty",
    "string_too_long": lambda context: f"must be text of at most {context['max_length']} characters",
    "string_unicode": lambda context: "must be text in UTF-8",
    "bool_type": lambda context: "must be true or false",
    "bool_parsing": lambda context: "must be true or false",
    "tuple_type": lambda context: "must be a list",
    "list_type": lambda context: "must be a list",
    "dict_type": lambda context: _FIELDS,
    "model_type": lambda context: _FIELDS,
    "model_attributes_type": lambda context: _FIELDS,
    "mapping_type": lambda context: _FIELDS,
    "invalid_key": lambda context: "must be called by a text",
}


def _not(details: ErrorDetails, value: object = ...) -> str:
    return f", not {quoted(details['input'] if value is ... else value)}"


def _choices(names: Iterable[str]) -> str:
    return one_of(f"'{name}'" if not name.isdecimal() else name for name in names)


def _place(details: ErrorDetails, content: object) -> _Place:
    """Return where a mistake stands in the file, without the levels that pydantic adds for unions."""
    place: list[int | str] = []
    for part in details["loc"]:
        try:
            content = _inside(content, part)
        except (TypeError, LookupError):
            continue
        place.append(part)
    if details["type"] == "missing":
        place.append(details["loc"][-1])
    return tuple(place)


def _inside(content: object, part: int | str) -> object:
    if isinstance(content, Mapping | list | tuple):
        return content[part]  # type: ignore[index]
    if isinstance(content, BaseModel) and part in type(content).model_fields:
        return getattr(content, str(part))
    raise LookupError(part)


def _written(place: _Place) -> str:
    return ".".join(part if isinstance(part, str) and len(part) <= 80 else quoted(part) for part in place)


def _unknown(location: _Place, model: type[BaseModel]) -> str:
    fields = _fields_at(model, location[:-1])
    hint = did_you_mean(location[-1], fields)
    return f"unknown field{hint}" + (f"; known here: {', '.join(fields)}" if fields else "")


def _fields_at(model: type[BaseModel], location: _Place) -> tuple[str, ...]:
    """Return the names of the fields of the model at `location`; empty if it is ambiguous."""
    models = _models_at(model, location)
    if len(models) != 1:
        return ()
    return tuple(field.alias or name for name, field in models[0].model_fields.items())


def _models_at(model: type[BaseModel], location: _Place) -> list[type[BaseModel]]:
    models: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, int):
            continue
        fields = [owner.model_fields[part] for owner in models if part in owner.model_fields]
        tagged = [member for member in models if _has_tag(member, part)]
        models = [member for field in fields for member in _models_in(field.annotation)] or tagged or models
    return models


def _tags(model: type[BaseModel], details: ErrorDetails) -> tuple[str, ...]:
    """Return the values that the field may have that tells one model from another, such as `kind`."""
    name = _discriminator(details)
    members = _models_at(model, details["loc"])
    fields = [member.model_fields[name] for member in members if name in member.model_fields]
    return tuple(str(tag) for field in fields for tag in get_args(field.annotation))


def _discriminator(details: ErrorDetails) -> str:
    """Return the name of the field that tells one model from another."""
    return str(details.get("ctx", {}).get("discriminator", "")).strip("'")


def _has_tag(model: type[BaseModel], tag: str) -> bool:
    fields = model.model_fields.values()
    return model.__name__ == tag or any(tag in get_args(field.annotation) for field in fields)


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [member for argument in get_args(annotation) for member in _models_in(argument)]
