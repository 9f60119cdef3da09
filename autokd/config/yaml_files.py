"""Finds recipes by path or shipped name, and reads their YAML into validated models.

Shipped recipes are in the folders `studies/` and `search_spaces/` of a checkout, and inside the package in an
installed wheel. Both are found by name from any working folder.
"""

from __future__ import annotations

import errno
import os
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, Literal, TypeVar

from autokd.config.base import Recipe
from autokd.config.study import StudyConfig
from autokd.config.yaml_text import parse
from autokd.core.text_files import expanded, read_text
from autokd.errors import PlanError, UnknownName
from autokd.text.escaping import shell_word

Kind = Literal["studies", "search_spaces"]
_SINGULAR: dict[Kind, str] = {"studies": "study", "search_spaces": "search space"}
_FORMER: Final = "former"
_Model = TypeVar("_Model", bound=Recipe)


def shipped(kind: Kind) -> tuple[str, ...]:
    """Return the sorted names of the recipes that come with autokd."""
    names = (entry.name for entry in _folder(kind).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def former(name: str) -> tuple[str, ...]:
    """Return the paths of what a shipped search space was before, the newest first.

    They are `search_spaces/former/<name>_<number>.yaml`, and stay as they are for ever.
    """
    folder = _folder("search_spaces") / _FORMER
    numbers = [
        int(number)
        for entry in folder.iterdir()
        if (stem := entry.name.removesuffix(".yaml")).startswith(f"{name}_")
        and (number := stem.removeprefix(f"{name}_")).isdecimal()
    ]
    return tuple(str(folder / f"{name}_{number}.yaml") for number in sorted(numbers, reverse=True))


def read(kind: Kind, name_or_path: str, model: type[_Model]) -> _Model:
    """Read a recipe by shipped name (`digits`) or from a YAML file (anything with a slash or `.yaml`).

    Raises:
        UnknownName: If no shipped recipe has that name.
        PlanError: If the file cannot be read, or one of its fields is not valid.
    """
    file: Path | Traversable = expanded(name_or_path)
    source = str(file)
    if not _is_path(name_or_path):
        names = shipped(kind)
        if name_or_path not in names:
            if name_or_path in (".", ".."):
                problem = (
                    f"is a folder; give the path of a YAML file, e.g. {Path(name_or_path) / 'mine.yaml'}"
                )
                raise PlanError(source=source, problem=problem)
            hint = f"For a file of your own give its path, e.g. ./{name_or_path or 'my'}.yaml."
            raise UnknownName(kind=_SINGULAR[kind], name=name_or_path, known=names, hint=hint)
        file, source = _folder(kind) / f"{name_or_path}.yaml", f"{kind}/{name_or_path}.yaml"
    try:
        text = read_text(file)
    except ValueError as error:
        raise PlanError(source=source, problem=f"{error}{_way_out(kind, name_or_path, str(error))}") from None
    return _parse(text, source=source, model=model)


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
    file = expanded(name_or_path)
    changes: dict[str, object] = {"federation": config.federation.located(file)}
    if _is_path(config.space):
        changes["space"] = str(file.parent / expanded(config.space))
    return config.model_copy(update=changes)


def _way_out(kind: Kind, path: str, problem: str) -> str:
    """Return what somebody may have meant by a path at which no file is, as the end of a message."""
    name = Path(path).stem
    if not problem.endswith(os.strerror(errno.ENOENT)):
        return ""
    if name in shipped(kind):
        return f"; the shipped one is called {name}, without the ending"
    return f"; autokd init {shell_word(path)} writes a template" if kind == "studies" else ""


def _is_path(name_or_path: str) -> bool:
    return name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path or "\\" in name_or_path


def _folder(kind: Kind) -> Traversable:
    packaged = files("autokd") / "shipped" / kind
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / kind


def _parse(text: str, *, source: str, model: type[_Model]) -> _Model:
    content = parse(text, source=source)
    try:
        return model.model_validate(content)
    except PlanError as error:
        raise error.within(source) from None
