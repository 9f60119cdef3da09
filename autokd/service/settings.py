"""How the service is set up: options, then the environment, then `autokd.toml`, then defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from autokd.config.defaults import HOME, HOME_VARIABLE, STORAGE_VARIABLE
from autokd.config.mistakes import words_of
from autokd.core.text_files import read_text
from autokd.errors import InputError, PlanError
from autokd.text.quoting import did_you_mean
from autokd.workspace import storage_url

FILE: Final = "autokd.toml"
"""File in the working folder that is read if it is there."""
SECTION: Final = "serve"
DATA: Final = "data"
"""Folder of the home that is the data root by default."""
_PREFIX: Final = "AUTOKD_SERVE_"
_NAMES: Final = {"home": HOME_VARIABLE, "storage": STORAGE_VARIABLE, "ray_address": "RAY_ADDRESS"}
"""Variables that all commands share."""
_LISTS: Final = frozenset({"studies", "cors", "allow_code", "proxies"})
_PATHS: Final = ("home", "data_root")


class ServiceSettings(BaseModel):
    """Where the service listens, what it serves, and whom it lets in.

    Attributes:
        home: Folder that holds everything, as `--home` of other commands.
        storage: Database URL, which may hold a password; None means the SQLite file in `home`.
        studies: Files of study recipes that are served beside the shipped ones and those in `home`.
        no_auth: Whether requests need no token; only on the loopback address.
        cors: Origins whose pages may read, such as `https://tuning.example.org`.
        proxies: Addresses or networks of proxies, whose word is believed on who asks and whether by TLS.
        rate: Most requests a second from one token, or from one address without a token.
        max_body: Largest body of a request in bytes.
        body_seconds: Longest time that a body may take.
        data_root: Folder that recipes which come over HTTP may name data in, and where uploads go; None for
            `data` in the home.
        allow_code: Packages that the code of such recipes may come from.
        max_upload: Largest upload in bytes.
        jobs: Jobs that are done at once; with 0 they wait for another server.
        device, threads: How the runs of jobs compute, as `--device` and `--threads` of other commands.
        concurrency, cpus_per_trial, gpus_per_trial, ray_address: Where they run, in the same way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", min_length=1)
    port: Annotated[int, Field(ge=0, le=65535)] = 8321
    home: Path = HOME
    storage: str | None = Field(default=None, repr=False)
    studies: tuple[Path, ...] = ()
    no_auth: bool = False
    cors: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    rate: Annotated[float, Field(gt=0)] = 50.0
    max_body: Annotated[int, Field(ge=1)] = 2**20
    body_seconds: Annotated[float, Field(gt=0)] = 20.0
    data_root: Path | None = None
    allow_code: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], ...] = ()
    max_upload: Annotated[int, Field(ge=1)] = 2**30
    jobs: Annotated[int, Field(ge=0, le=1000)] = 1
    device: str = Field(default="cpu", min_length=1)
    threads: Annotated[int, Field(ge=1)] = 1
    concurrency: Annotated[int, Field(ge=1)] | None = None
    cpus_per_trial: Annotated[float, Field(ge=0)] = 1.0
    gpus_per_trial: Annotated[float, Field(ge=0)] = 0.0
    ray_address: str | None = None

    @field_validator("cors")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
                raise ValueError(f"{origin!r} is no origin; write e.g. https://tuning.example.org")
        return origins

    @field_validator("proxies")
    @classmethod
    def _are_addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError:
                raise ValueError(f"{proxy!r} is no address; write e.g. 127.0.0.1 or 10.0.0.0/24") from None
        return proxies

    @model_validator(mode="after")
    def _open_on_loopback_only(self) -> Self:
        if self.no_auth and not is_loopback(self.host):
            raise ValueError(
                f"no_auth lets everybody in who reaches {self.host}; serve on 127.0.0.1, or make tokens "
                "(autokd token create)"
            )
        return self

    @model_validator(mode="after")
    def _reserves_something(self) -> Self:
        if self.cpus_per_trial + self.gpus_per_trial == 0:
            raise ValueError("cpus_per_trial 0: a run must reserve something, e.g. gpus_per_trial 0.25")
        return self

    @model_validator(mode="after")
    def _data_are_apart(self) -> Self:
        home, root = self.home.resolve(), self.root.resolve()
        inside = root.is_relative_to(home) and not root.is_relative_to(home / DATA)
        if inside or home.is_relative_to(root):
            raise ValueError(
                f"data_root {self.root}: uploads would reach what the service itself keeps; choose a folder "
                f"outside of the home, or {DATA} in it"
            )
        return self

    @property
    def root(self) -> Path:
        """Absolute path of the data root."""
        return (self.home / DATA if self.data_root is None else self.data_root).absolute()

    @property
    def address(self) -> str:
        """Database URL of the store."""
        return storage_url(self.storage, self.home)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def read_settings(
    options: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None
) -> ServiceSettings:
    """Return the settings: each is the option's if it was given, else the environment's, else the file's.

    Args:
        options: Values by name; None for those that were not given.
        environment: Its variables `AUTOKD_SERVE_<NAME>`, `AUTOKD_HOME` and `AUTOKD_STORAGE` are read; lists
            are separated by commas.
        file: A TOML file with a section `[serve]`; None means `autokd.toml` in this folder if it is there.

    Raises:
        InputError: If a value is not valid; it says where it comes from.
    """
    sources: list[tuple[str, Mapping[str, Any]]] = [
        ("command line", {name: value for name, value in options.items() if value is not None}),
        ("environment", _of_environment(environment)),
        (str(file or FILE), _of_file(file)),
    ]
    values: dict[str, Any] = {}
    where: dict[str, str] = {}
    for source, some in sources:
        for name, value in some.items():
            if name not in values:
                values[name], where[name] = value, source
    try:
        return ServiceSettings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "no_auth"
        raise PlanError(source=where.get(name, "settings"), field=name, problem=words_of(error)) from None


def _of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in ServiceSettings.model_fields:
        value = environment.get(_NAMES.get(name, f"{_PREFIX}{name.upper()}"), "").strip()
        if value:
            values[name] = [part.strip() for part in value.split(",")] if name in _LISTS else value
    return values


def _of_file(file: Path | None) -> Mapping[str, Any]:
    path = Path(FILE) if file is None else file
    if file is None and not path.exists():
        return {}
    try:
        content = tomllib.loads(read_text(path))
    except RecursionError:
        raise PlanError(source=str(path), problem="is nested too deeply") from None
    except ValueError as error:
        raise PlanError(source=str(path), problem=f"{error}") from None
    section = content.get(SECTION, {})
    if not isinstance(section, dict):
        raise PlanError(source=str(path), field=SECTION, problem="must be a section, [serve]")
    for name in section:
        if name not in ServiceSettings.model_fields:
            hint = did_you_mean(name, ServiceSettings.model_fields)
            raise PlanError(source=str(path), field=f"{SECTION}.{name}", problem=f"is no setting{hint}")
    if section.get("storage") is not None and not isinstance(section["storage"], str):
        raise InputError(f"{path}: {SECTION}.storage: must be a text")
    # Paths in a file start from its folder.
    folder = path.parent
    placed = dict(section)
    for name in _PATHS:
        if isinstance(placed.get(name), str):
            placed[name] = folder / Path(placed[name]).expanduser()
    if isinstance(placed.get("studies"), list):
        placed["studies"] = [folder / Path(str(path)).expanduser() for path in placed["studies"]]
    return placed
