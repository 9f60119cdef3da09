"""What all parts of a recipe are made of: frozen models that refuse unknown fields, and their hash."""

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
    """Unknown fields are refused: a typo must not be ignored silently.

    Attributes:
        newer: Fields that a part was given later: written only where they are not at their default, so that
            recipes from before keep their hash, and what was tuned under it is found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    newer: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_newer_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        for name in self.newer:
            if getattr(self, name) == fields[name].default:
                content.pop(name, None)
        return content


class Located(Frozen):
    """A recipe that names files: paths are as written, and start from the folder of the recipe's own file.

    That file is no part of its content: a recipe that was moved together with its files is the same recipe.
    """

    _file: Path | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path:
        """Which paths start from."""
        return Path() if self._file is None else self._file.parent

    @property
    def source(self) -> str:
        """How errors name the recipe."""
        return "federation" if self._file is None else str(self._file)

    def located(self, file: Path) -> Self:
        """The same recipe, as it lies in a file."""
        copy = self.model_copy()
        copy._file = file
        return copy

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(content_hash(self))


def content_hash(*parts: object, digits: int = 8) -> str:
    """A short hash of models and plain values; the same on every machine."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
