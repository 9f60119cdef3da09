"""Which study recipes the service knows: the shipped ones, files named at its start, those in its home."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Literal

from autokd.config.mistakes import NAME
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config, shipped
from autokd.errors import InputError, PlanError, UnknownName
from autokd.text.quoting import quoted
from autokd.workspace import Workspace

FOLDER: Final = "recipes"
"""Folder of the home that holds study recipes, as `<name>.yaml`."""
_SUFFIXES: Final = (".yaml", ".yml")

Origin = Literal["shipped", "named", "home"]


@dataclass(frozen=True, slots=True)
class KnownStudy:
    """A study recipe.

    Attributes:
        name: Name in addresses: that of the shipped recipe, or of the file without its ending.
        origin: Where it is from: shipped with autokd, named when the service started, or in its home.
        source: What `--study` of other commands takes.
    """

    name: str
    origin: Origin
    source: str


class Catalogue:
    """The study recipes, looked up anew each time; of several of one name the first is taken.

    Args:
        home: Folder of everything.
        storage: Database URL.
        named: Files that were named when the service started.

    Raises:
        InputError: If one of those is no file, or has a name that is taken or that no address can hold.
    """

    def __init__(self, home: Path, storage: str, named: tuple[Path, ...] = ()) -> None:
        self.home, self._storage = home, storage
        self._named = tuple(_named(file) for file in named)
        self._read: dict[str, tuple[object, StudyConfig]] = {}
        self._workspaces: dict[tuple[str, str | None], Workspace] = {}
        self._lock = Lock()
        taken = set(shipped("studies"))
        for study in self._named:
            if study.name in taken:
                problem = (
                    f"a study of that name is served already; give the file another name than {study.name}"
                )
                raise InputError(f"--study {study.source}: {problem}")
            taken.add(study.name)

    def studies(self) -> tuple[KnownStudy, ...]:
        """Return all study recipes, sorted by name."""
        return tuple(sorted(self._all().values(), key=lambda study: study.name))

    def study(self, name: str) -> KnownStudy:
        """Return the study recipe of a name.

        Raises:
            UnknownName: If there is none.
        """
        known = self._all()
        if name not in known:
            raise UnknownName(kind="study", name=name, known=known)
        return known[name]

    def config(self, study: KnownStudy) -> StudyConfig:
        """Return the content of a study recipe; a file is read again when it has changed.

        Raises:
            PlanError: If it is not valid.
        """
        state = None if study.origin == "shipped" else _state(Path(study.source))
        with self._lock:
            kept = self._read.get(study.name)
        if kept is None or kept[0] != (study.source, state):
            kept = (study.source, state), read_study_config(study.source)
            with self._lock:
                self._read[study.name] = kept
        return kept[1]

    def workspace(self, name: str, space: str | None) -> Workspace:
        """Return where and what a study is, the same object until the recipe changes; see `Workspace.open`.

        Args:
            space: Name of a shipped space in place of the study's own.

        Raises:
            UnknownName: If there is no such study, or no such space.
            PlanError: If the recipe is not valid.
        """
        if space is not None and space not in shipped("search_spaces"):
            raise UnknownName(kind="search space", name=space, known=shipped("search_spaces"))
        config = self.config(self.study(name))
        with self._lock:
            kept = self._workspaces.get((name, space))
        if kept is None or kept.config is not config:
            named = config.space if space is None else space
            kept = Workspace.open(config, home=self.home, storage=self._storage, space=named)
            with self._lock:
                self._workspaces[name, space] = kept
        return kept

    def _all(self) -> dict[str, KnownStudy]:
        studies: dict[str, KnownStudy] = {}
        for study in (*_shipped(), *self._named, *self._in_home()):
            studies.setdefault(study.name, study)
        return studies

    def _in_home(self) -> Iterator[KnownStudy]:
        folder = self.home / FOLDER
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.suffix in _SUFFIXES and re.fullmatch(NAME, file.stem):
                yield KnownStudy(file.stem, "home", str(file))


def _shipped() -> Iterator[KnownStudy]:
    return (KnownStudy(name, "shipped", name) for name in shipped("studies"))


def _named(file: Path) -> KnownStudy:
    if file.suffix not in _SUFFIXES or not re.fullmatch(NAME, file.stem):
        problem = "its name must be letters, digits, dots, hyphens or underscores, and end in .yaml"
        raise InputError(f"--study {quoted(str(file))}: {problem}")
    if not file.is_file():
        raise InputError(f"--study {quoted(str(file))}: there is no such file")
    return KnownStudy(file.stem, "named", str(file.absolute()))


def _state(file: Path) -> object:
    """Return what changes when a file is written."""
    try:
        seen = file.stat()
    except OSError as error:
        raise PlanError(source=file.name, problem=f"cannot be read: {error.strerror}") from None
    return seen.st_ino, seen.st_size, seen.st_mtime_ns
