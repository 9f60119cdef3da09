"""Base classes of all parts of a recipe, and the hash of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from autokd.config.mistakes import NAME, problems_of, too_large
from autokd.config.numbers import number, whole
from autokd.errors import PlanError
from autokd.text.quoting import quoted


def _option(value: object) -> object:
    """Return an option of a network or of own code; as a member of a union it would be refused five times."""
    if isinstance(value, list | tuple):
        return tuple(map(whole, value))
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return whole(value) if isinstance(value, int) else number(value)
    raise ValueError(
        f"must be a number, text, true or false, or a list of whole numbers, not {quoted(value)}"
    )


def _name(value: object) -> object:
    """Return a whole number as the text that it is: 2026 is a name as good as others."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return quoted(value) if is_number else value


Option = Annotated[bool | int | float | str | tuple[int, ...], BeforeValidator(_option)]
Name = Annotated[str, BeforeValidator(_name), Field(pattern=NAME)]


class Frozen(BaseModel):
    """An immutable model that refuses unknown fields, so that no typo is ignored silently.

    Attributes:
        omit_if_default: Fields that were added after the first release. They are left out of the dump while
            they have their default, so that older recipes keep their hash and their stored results.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    omit_if_default: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, written: object) -> object:
        """Take one value where a list is wanted, and nothing (null) where there is a default."""
        if not isinstance(written, Mapping):
            return written
        lists, words, defaults = _meant(cls)
        return {
            name: (value,) if isinstance(value, lists.get(name, ())) and value not in words else value
            for name, value in written.items()
            if value is not None or name not in defaults
        }

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        for name in self.omit_if_default:
            if getattr(self, name) == fields[name].default:
                content.pop(name, None)
        return content


class FileBacked(Frozen):
    """A recipe that names files. Paths stay as written and are relative to the folder of the recipe's file.

    The location of that file is not part of the content: a recipe that is moved with its files stays equal.
    """

    _file: Path | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path:
        """The folder that paths are relative to."""
        return Path() if self._file is None else self._file.parent

    @property
    def code_folder(self) -> Path | None:
        """The absolute folder that code is imported from; None if the recipe was made in a program."""
        return None if self._file is None else self._file.parent.absolute()

    @property
    def source(self) -> str:
        """The name of the recipe in error messages."""
        return "federation" if self._file is None else str(self._file)

    def located(self, file: Path) -> Self:
        """Return the same recipe with `file` as its location."""
        copy = self.model_copy()
        copy._file = file
        return copy

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(content_hash(self))


class Recipe(Frozen):
    """A model that users make in Python, too: its mistakes are `PlanError`s, as in a file."""

    def __init__(self, /, **fields: Any) -> None:
        too_large(fields, source=type(self).__name__)
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise problems_of(error, fields, source=type(self).__name__, model=type(self)) from None

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Return the model that some fields describe.

        Raises:
            PlanError: If they do not hold; it has all mistakes.
        """
        if isinstance(obj, Mapping) and not all(isinstance(name, str) for name in obj):
            raise PlanError(source=cls.__name__, problem="the names of fields must be texts")
        too_large(obj, source=cls.__name__)
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise problems_of(error, obj, source=cls.__name__, model=cls) from None


@cache
def _meant(model: type[Frozen]) -> tuple[Mapping[str, tuple[type, ...]], tuple[str, ...], frozenset[str]]:
    """Return the types that stand for a list of one, by field; words that may stand in place of a list; and
    the fields whose default null means.
    """
    lists: dict[str, tuple[type, ...]] = {}
    words: list[str] = []
    defaults = set()
    for name, field in model.model_fields.items():
        written = field.alias or name
        members = _members(field.annotation)
        if any(get_origin(member) is tuple for member in members) and not {str, int, float} & set(members):
            has_fields = any(isinstance(member, type) and issubclass(member, BaseModel) for member in members)
            lists[written] = (str, int, float) if has_fields else (str, int, float, Mapping)
            words += [
                word for member in members if get_origin(member) is Literal for word in get_args(member)
            ]
        if not field.is_required() and type(None) not in members:
            defaults.add(written)
    return lists, tuple(words), frozenset(defaults)


def _members(annotation: object) -> tuple[Any, ...]:
    """Return the members of a union, however they are annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(member for argument in get_args(annotation) for member in _members(argument))
    return (annotation,)


def content_hash(*parts: object, digits: int = 8) -> str:
    """Return a short hash of models and plain values that is the same on every machine.

    Stored names contain it. It covers field names and values; names of classes are not part of it.
    """
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
