"""Whether the files that a federation's images came from are still as they were.

By their names, sizes and times of change: looking inside would take as long as preparing the federation anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from autokd.config.external import (
    AnySource,
    CodeSource,
    ExternalFederation,
    FolderSource,
    HeldOutSplits,
    MemorySource,
    NpzSource,
    ParquetSource,
    SeparateSplits,
    SharedSplits,
    TorchvisionSource,
)
from autokd.config.federation import FederationConfig


def fingerprints(recipe: FederationConfig | ExternalFederation) -> dict[str, str]:
    """What the files of each source look like now, by the recipe's field; of those that are there."""
    found = {}
    for field, source in _sources(recipe):
        files = sorted(_files(source, recipe.folder))
        if files:
            found[field] = _digest(files, recipe.folder)
    return found


def changed(recipe: FederationConfig | ExternalFederation, written: Mapping[str, str]) -> list[str]:
    """The fields whose files look otherwise than was written once; data that are gone may be gone."""
    now = fingerprints(recipe) if written else {}
    return [field for field, before in written.items() if now.get(field, before) != before]


def _sources(recipe: FederationConfig | ExternalFederation) -> Iterator[tuple[str, AnySource]]:
    if isinstance(recipe, FederationConfig):
        if not isinstance(recipe.dataset, str):
            yield "federation.dataset", recipe.dataset
        return
    for number, one in enumerate(recipe.participants):
        yield f"participants.{number}.data", one.data
        if one.held_out is not None:
            yield f"participants.{number}.held_out", one.held_out
    match recipe.splits:
        case SharedSplits() as shared:
            yield "splits.data", shared.data
        case SeparateSplits() as given:
            for name in ("validation", "confirmation", "test", "public"):
                source = getattr(given, name)
                if source is not None:
                    yield f"splits.{name}", source
        case HeldOutSplits():
            pass  # Participants have them.


def _files(source: AnySource, base: Path) -> Iterator[Path]:
    if source.indices is not None:
        yield from _below(base / source.indices)
    match source:
        case FolderSource() | NpzSource() | ParquetSource():
            yield from _below(base / Path(source.path).expanduser())
        case TorchvisionSource():
            # What is published does not change; image folders in its place may.
            yield from _below(base / Path(source.root).expanduser() / ("train" if source.train else "test"))
        case CodeSource() | MemorySource():
            pass  # What code reads is not known.


def _below(path: Path) -> Iterator[Path]:
    """A file, or all files below a folder; nothing, if there is none."""
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (one for one in path.rglob("*") if one.is_file())


def _digest(files: list[Path], base: Path) -> str:
    total = hashlib.sha256()
    for file in files:
        try:
            about = file.stat()
        except OSError:
            continue  # It has gone meanwhile.
        name = file.relative_to(base) if file.is_relative_to(base) else file
        total.update(f"{name.as_posix()} {about.st_size} {about.st_mtime_ns}\n".encode())
    return total.hexdigest()
