"""Detection of changes in the files that a federation's images came from.

Names, sizes and times of change are compared: reading the files would take as long as preparing anew.
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
    """Return a fingerprint of the files of each source that exist, by field of the recipe."""
    files = {field: sorted(_files(source, recipe.folder)) for field, source in _sources(recipe)}
    return {field: _digest(paths, recipe.folder) for field, paths in files.items() if paths}


def changed(recipe: FederationConfig | ExternalFederation, written: Mapping[str, str]) -> list[str]:
    """Return the fields whose files have changed since; files that were removed do not count."""
    now = fingerprints(recipe) if written else {}
    return [field for field, before in written.items() if now.get(field, before) != before]


def _sources(recipe: FederationConfig | ExternalFederation) -> Iterator[tuple[str, AnySource]]:
    if isinstance(recipe, FederationConfig):
        if not isinstance(recipe.dataset, str):
            yield "federation.dataset", recipe.dataset
        return
    for number, participant in enumerate(recipe.participants):
        yield f"participants.{number}.data", participant.data
        if participant.held_out is not None:
            yield f"participants.{number}.held_out", participant.held_out
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
            # Published data do not change; image folders in their place may.
            yield from _below(base / Path(source.root).expanduser() / ("train" if source.train else "test"))
        case CodeSource() | MemorySource():
            pass  # The files that code reads are not known.


def _below(path: Path) -> Iterator[Path]:
    """Yield a file, or all files below a folder."""
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from filter(Path.is_file, path.rglob("*"))


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
