"""Base classes of all parts of a recipe, and the hash of their content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
)

Option = bool | int | float | str | tuple[int, ...]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class Frozen(BaseModel):
    """An immutable model that refuses unknown fields, so that no typo is ignored silently.

    Attributes:
        omit_if_default: Fields that were added after the first release. They are left out of the dump while
            they have their default, so that older recipes keep their hash and their stored results.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    omit_if_default: ClassVar[frozenset[str]] = frozenset()

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


def content_hash(*parts: object, digits: int = 8) -> str:
    """Return a short hash of models and plain values that is the same on every machine.

    Stored names contain it. It covers field names and values; names of classes are not part of it.
    """
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
