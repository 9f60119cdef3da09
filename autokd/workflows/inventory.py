"""What a home and its store hold, and how it is deleted: studies, and federations with their studies."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autokd.errors import InputError, NotTuned
from autokd.federation.storage import federations_folder
from autokd.store import Store, normalise, redacted
from autokd.store.inventory import (
    StoredStudy,
    delete_federation,
    delete_studies,
    free_space,
    stored_studies,
)
from autokd.store.url import sqlite_file
from autokd.text.quoting import did_you_mean, quoted


@dataclass(frozen=True, slots=True)
class Batch:
    """The studies of one federation, recipe and space, or the runs of its sweep or alternatives.

    Attributes:
        name: What the names of its studies begin with, `<federation>/<recipe>`.
    """

    name: str
    studies: tuple[StoredStudy, ...]

    @property
    def trials(self) -> int:
        """Number of trials."""
        return sum(study.trials for study in self.studies)

    @property
    def runs(self) -> int:
        """Number of race, confirmation, sweep or other runs."""
        return sum(study.runs for study in self.studies)

    @property
    def verdicts(self) -> Mapping[str, int]:
        """Number of studies by verdict, the most frequent first; those without a verdict are left out."""
        return dict(Counter(study.verdict for study in self.studies if study.verdict).most_common())

    @property
    def began(self) -> datetime | None:
        """Start of the first trial; None without one."""
        return min((study.began for study in self.studies if study.began), default=None)

    @property
    def ended(self) -> datetime | None:
        """End of the last trial so far; None without one."""
        return max((study.ended for study in self.studies if study.ended), default=None)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; times as ISO 8601."""
        return {
            "name": self.name,
            "pairs": len(self.studies),
            "verdicts": dict(self.verdicts),
            "trials": self.trials,
            "runs": self.runs,
            "began": _iso(self.began),
            "ended": _iso(self.ended),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFederation:
    """A federation, prepared on disk or known to the store, with its batches.

    Attributes:
        prepared: When it was prepared; None if its folder is not in this home.
        size: Bytes of that folder.
    """

    name: str
    prepared: datetime | None = None
    size: int = 0
    batches: tuple[Batch, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values; times as ISO 8601."""
        return {
            "name": self.name,
            "prepared": _iso(self.prepared),
            "bytes": self.size,
            "studies": [batch.to_json() for batch in self.batches],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All that a home and its store hold.

    Attributes:
        storage: Address of the store, without its secrets.
        size: Bytes of the store's file; None for a server, or without a store.
    """

    home: Path
    storage: str
    size: int | None = None
    federations: tuple[StoredFederation, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what `autokd list --json` prints."""
        return {
            "home": str(self.home),
            "storage": self.storage,
            "bytes": self.size,
            "federations": [federation.to_json() for federation in self.federations],
        }


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a name stands for that is to be deleted.

    Attributes:
        federation: Name of the federation whose studies, rows and folder go; None if only studies do.
        folder: That folder, if it is there.
    """

    name: str
    studies: tuple[StoredStudy, ...]
    federation: str | None = None
    folder: Path | None = None
    size: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what `autokd delete --json` prints."""
        return {
            "deleted": self.name,
            "studies": [study.name for study in self.studies],
            "federation": self.federation,
            "bytes": self.size,
        }


def inventory(home: Path, storage: str) -> Inventory:
    """Return what is in a home and a store; both may be missing."""
    with _opened(storage) as store:
        studies = () if store is None else stored_studies(store)
        names = set() if store is None else set(store.federations())
    batches: dict[str, list[StoredStudy]] = {}
    for study in studies:
        batches.setdefault(study.name.rpartition("/")[0], []).append(study)
    names.update(name.partition("/")[0] for name in batches)
    folders = {folder.name: folder for folder in _prepared(home)}
    federations = tuple(
        StoredFederation(
            name=name,
            prepared=_time(folders[name] / "manifest.json") if name in folders else None,
            size=_size(folders[name]) if name in folders else 0,
            batches=tuple(
                Batch(batch, tuple(of)) for batch, of in batches.items() if batch.partition("/")[0] == name
            ),
        )
        for name in sorted(names | folders.keys())
    )
    file = sqlite_file(normalise(storage))
    size = file.stat().st_size if file is not None and file.is_file() else None
    return Inventory(home=home, storage=redacted(storage), size=size, federations=federations)


def to_delete(name: str, home: Path, storage: str) -> Deletion:
    """Return what a name of `autokd list` stands for: a federation, a batch of studies, or one study.

    Raises:
        InputError: If nothing has that name.
    """
    with _opened(storage) as store:
        studies = () if store is None else stored_studies(store)
        federations = set() if store is None else set(store.federations())
    name = name.rstrip("/")
    matching = tuple(study for study in studies if study.name == name or study.name.startswith(f"{name}/"))
    folder = next((folder for folder in _prepared(home) if folder.name == name), None)
    if "/" not in name and (matching or folder or name in federations):
        return Deletion(name, matching, name, folder, _size(folder) if folder else 0)
    if not matching:
        known = {
            *federations,
            *(folder.name for folder in _prepared(home)),
            *(batch for study in studies for batch in (study.name, study.name.rpartition("/")[0])),
        }
        hint = did_you_mean(name, known)
        raise InputError(f"nothing stored has the name {quoted(name)}{hint}; autokd list shows the names")
    return Deletion(name, matching)


def delete(deletion: Deletion, storage: str) -> None:
    """Delete studies from the store, and if it is a federation, then what the store and the disk have of it.

    If that ends on its way, the same call deletes the rest.

    Raises:
        PairBusy: If a driver is at work on one of the studies; nothing was deleted.
        InputError: If one is at work on other pairs of them, or prepares the federation.
    """
    with _opened(storage) as store:
        if store is not None:
            _refuse_if_at_work(store, deletion)
            names = {study.name for study in deletion.studies}
            with store.leases.acquire(names) if names else nullcontext():
                # Somebody may have begun after the first look and before the lease.
                _refuse_if_at_work(store, deletion)
                delete_studies(store, names)
            if deletion.federation is not None:
                delete_federation(store, deletion.federation)
            if not any(driver.alive for driver in store.leases.drivers()):
                free_space(store)
    if deletion.folder is not None:
        # Renamed first, so that no half of it is ever taken for a federation.
        doomed = deletion.folder.with_name(f".deleted-{deletion.folder.name}")
        try:
            shutil.rmtree(doomed, ignore_errors=True)
            deletion.folder.rename(doomed)
            shutil.rmtree(doomed)
        except OSError as error:
            raise InputError(f"{deletion.folder}: cannot be deleted ({error.strerror or error})") from error


def _refuse_if_at_work(store: Store, deletion: Deletion) -> None:
    """Refuse if another process is at work under the name that is deleted, whatever its pairs."""
    # A federation that is being prepared has no hash of its content yet.
    family = f"{deletion.name.rpartition('-')[0]}-" if deletion.federation else f"{deletion.name}/"
    own = {study.name for study in deletion.studies}
    for driver in store.leases.drivers():
        if driver.alive and set(driver.studies) != own:
            for held in driver.studies:
                if held == deletion.name or held.startswith(family):
                    raise InputError(
                        f"{driver.owner} is at work on {held}; nothing was deleted. Wait for it, or end it "
                        "with autokd stop"
                    )


@contextmanager
def _opened(storage: str) -> Iterator[Store | None]:
    """Open a store; None if there is none."""
    try:
        store = Store.open(storage, create=False)
    except NotTuned:
        yield None
        return
    with store:
        yield store


def _prepared(home: Path) -> list[Path]:
    """Return the folders of the federations that are prepared in a home."""
    return sorted(file.parent for file in federations_folder(home).glob("[!.]*/manifest.json"))


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _time(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")
