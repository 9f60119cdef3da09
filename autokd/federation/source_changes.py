"""Detection of changes in the files that a federation's images and weights came from.

Of images, the names, sizes and times of change are compared: reading them would take as long as preparing
anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from autokd.config.federation import AnyFederation, FederationConfig
from autokd.config.sources import AnySource, FolderSource, NpzSource, ParquetSource, TorchvisionSource
from autokd.data.sources.table_files import places


def fingerprints(recipe: AnyFederation) -> dict[str, str]:
    """Return a fingerprint of the files of each source that exist, by field of the recipe."""
    files = {field: sorted(_files(source, recipe.folder)) for field, source in sources(recipe)}
    return {field: _digest(paths, recipe.folder) for field, paths in files.items() if paths}


def changed(recipe: AnyFederation, written: Mapping[str, str]) -> list[str]:
    """Return the fields whose files have changed since; files that were removed do not count."""
    now = fingerprints(recipe) if written else {}
    return [field for field, before in written.items() if now.get(field, before) != before]


def checkpoint_hash(file: Path) -> str:
    """Return SHA-256 of a file, in hex.

    Raises:
        OSError: If it cannot be read.
    """
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sources(recipe: AnyFederation) -> Iterator[tuple[str, AnySource]]:
    """Yield all sources of examples of a recipe, with their fields."""
    if isinstance(recipe, FederationConfig):
        if not isinstance(recipe.dataset, str):
            yield "federation.dataset", recipe.dataset
        return
    yield from recipe.sources()


def _files(source: AnySource, base: Path) -> Iterator[Path]:
    """Yield the files of a source; those that code reads are not known."""
    if source.indices is not None:
        yield from _below(base / source.indices)
    match source:
        case FolderSource() | NpzSource():
            yield from _below(base / Path(source.path).expanduser())
        case ParquetSource():
            for path in (source.path,) if isinstance(source.path, str) else source.path:
                for file in places(base / Path(path).expanduser()):
                    yield from _below(file)
        case TorchvisionSource():
            # Published data do not change, but image folders in their place may.
            yield from _below(base / Path(source.root).expanduser() / ("train" if source.train else "test"))


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
            status = file.stat()
        except OSError:
            continue  # It has been removed meanwhile.
        name = file.relative_to(base) if file.is_relative_to(base) else file
        total.update(
            f"{name.as_posix()} {status.st_size} {status.st_mtime_ns}\n".encode(errors="surrogateescape")
        )
    return total.hexdigest()
