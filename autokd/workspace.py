"""A workspace: study recipe, search space, home folder and store, which all use cases work on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autokd.config.defaults import usual_home, usual_space, usual_storage, usual_study
from autokd.config.space import Space, former_spaces, read_space
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.arguments import constructed, instance, path, text
from autokd.core.participant_names import ParticipantNames
from autokd.core.public_calls import checked, only_pair
from autokd.core.setting import Pair, Setting
from autokd.errors import ArgumentError
from autokd.store import Store, redacted, sqlite_url
from autokd.text.quoting import quoted


def storage_url(storage: str | None, home: Path) -> str:
    """Return the address of the database: `storage`, or else the SQLite file in `home`."""
    return storage or sqlite_url(home / "autokd.db")


def _settings(name: str, value: object) -> Iterable[object]:
    """Return the settings to try; one is a list of one."""
    if isinstance(value, Setting | str | Mapping):
        return (value,)
    if not isinstance(value, Iterable):
        raise ArgumentError(name, f"must list settings, not {quoted(value)}")
    return value


@constructed
@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where and what; it holds no connection and costs nothing to make.

    Attributes:
        home: Folder of everything that autokd writes, except a store elsewhere.
        storage: Database URL; it may hold a password and is never printed.
        study: Name or file of the recipe as it was given; by default the recipe's name.
        former: What a shipped space was before, the newest first: studies that began with it keep it.
    """

    config: StudyConfig
    space: Space
    home: Path
    storage: str
    study: str = ""
    former: tuple[Space, ...] = ()

    def __post_init__(self) -> None:
        instance("StudyConfig")("config", self.config)
        instance("Space")("space", self.space)
        object.__setattr__(self, "home", path("home", self.home))
        text("storage", self.storage)

    def __repr__(self) -> str:
        what = f"study={self.source!r}, space={self.space.name!r}"
        return f"<Workspace {what}, home={str(self.home)!r}, storage={redacted(self.storage)!r}>"

    @property
    def source(self) -> str:
        """The name of the study recipe in error messages."""
        return self.study or self.config.name

    @classmethod
    @checked(try_=_settings)
    def open(
        cls,
        study: str | Path | StudyConfig | None = None,
        *,
        home: str | Path | None = None,
        storage: str | None = None,
        space: str | Path | None = None,
        trials: int | None = None,
        try_: Iterable[Setting | str | Mapping[str, Any]] = (),
        effort: str | None = None,
    ) -> Workspace:
        """Read the recipes.

        Args:
            study: Name of a shipped study, a YAML file, or a `StudyConfig` made in Python; by default
                `$AUTOKD_STUDY`, or else `digits`.
            home: Folder for everything, made when something is written; by default `$AUTOKD_HOME`, or else
                `autokd-home` in the current folder.
            storage: Database URL; by default `$AUTOKD_STORAGE`, or else a SQLite file in `home`.
            space: Name of a shipped space, or a YAML file, in place of the study's own; by default
                `$AUTOKD_SPACE`, or else the study's own.
            trials: Trials per pair, in place of the study's own number.
            effort: `quick`, `normal` or `thorough`: how much to search and confirm, in place of what the
                study says (`autokd.config.effort`); `trials` goes before it.
            try_: Settings to run in each pair right after the default setting, beside the study's own
                `search.try`: `Setting`s, or e.g. `"T=4,alpha=0.9,transfer_set=both"`.

        Raises:
            InputError: If a recipe does not exist or is not valid.

        >>> Workspace.open("digits").config.federation.size
        10
        """
        study = usual_study() if study is None else study
        space = usual_space() if space is None else space
        config = study if isinstance(study, StudyConfig) else read_study_config(str(study))
        config = config if effort is None else config.with_effort(effort)
        config = config if trials is None else config.with_(trials=trials)
        config = config.with_asked(try_)
        folder = Path(home) if home else usual_home()
        named = str(config.space if space is None else space)
        today, *before = (
            space.permitted(config.forbidden).resolved(config)
            for space in (read_space(named), *former_spaces(named))
        )
        return cls(
            config=config,
            space=today,
            former=tuple(before),
            home=folder,
            storage=storage_url(storage or usual_storage(), folder),
            study=config.name if isinstance(study, StudyConfig) else str(study),
        )

    @property
    def searched(self) -> Workspace:
        """The same with the study recipe's own space, which `autokd tune` searches."""
        return Workspace.open(self.config, home=self.home, storage=self.storage, space=str(self.config.space))

    def pair(self, text: str) -> Pair:
        """Read a pair of this study's federation, by numbers or names.

        Raises:
            ArgumentError: If the federation has no such pair.
        """
        return only_pair("text", text, names=self.names)

    @property
    def names(self) -> ParticipantNames:
        """Names of the federation's participants."""
        return self.config.federation.names

    @property
    def pairs(self) -> list[Pair]:
        """All pairs of the federation; who is not trained teaches nobody."""
        everybody, untrained = range(self.config.federation.size), self.config.federation.untrained
        return [Pair(*sides) for sides in permutations(everybody, 2) if sides[0] not in untrained]

    def open_store(self, *, create: bool) -> Store:
        """Open the store; see `Store.open`."""
        return Store.open(self.storage, create=create)

    if not TYPE_CHECKING:  # Else a checker would take any name for a method.

        def __getattr__(self, name: str) -> Any:
            return import_module("autokd.workflows.deprecated").former_attribute(self, name)
