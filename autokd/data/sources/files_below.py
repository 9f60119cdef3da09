"""The images below a folder, and what is left out there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from autokd.data.sources.labelled_images import unreadable
from autokd.errors import PlanError
from autokd.text.quoting import counted

SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)
_NOT_THEIRS: Final = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information")
"""Folders that systems put beside what people keep."""


@dataclass(slots=True)
class Below:
    """Images below a folder.

    Attributes:
        folders: Images by the name of the subfolder, in torchvision's order; one without images has none.
        beside: Images in the folder itself.
        nested: Images in folders below a subfolder.
        hidden: Files and folders that begin with a dot, or that a system has put there.
        others: Files whose names are not those of images.
    """

    folders: dict[str, list[Path]] = field(default_factory=dict)
    beside: list[Path] = field(default_factory=list)
    nested: list[Path] = field(default_factory=list)
    hidden: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)

    def notes(self, by_class: bool) -> tuple[str, ...]:
        """Return what was left out, or read in a way that somebody may not expect."""
        said = [
            _note(self.hidden, "hidden path", "left out"),
            _note(self.others, "file", "left out: names are not those of images"),
        ]
        if by_class:
            empty = [name for name, files in self.folders.items() if not files]
            said += [
                _note(self.beside, "image", "beside the class folders left out"),
                _note(
                    self.nested,
                    "image",
                    "below a class folder, read as torchvision's ImageFolder does",
                ),
                _note([Path(name) for name in empty], "class folder", "without images counted as a class"),
            ]
        return tuple(note for note in said if note)


def _note(files: list[Path], noun: str, words: str) -> str:
    return f"{counted(len(files), noun)} {words}, e.g. {files[0].name}" if files else ""


def images_below(folder: Path) -> Below:
    """List the images below a folder; links are followed.

    Raises:
        PlanError: If it cannot be read.
    """
    below = Below()
    try:
        for entry in sorted(folder.iterdir(), key=lambda path: path.name):
            if _is_hidden(entry):
                below.hidden.append(entry)
            elif entry.is_dir():
                below.folders[entry.name] = _images_of_class(entry, below)
            else:
                (below.beside if entry.suffix.lower() in SUFFIXES else below.others).append(entry)
    except OSError as error:
        raise unreadable(error.filename or folder, error) from error
    return below


def _images_of_class(folder: Path, below: Below) -> list[Path]:
    images = []
    for file in _walked(folder, below.hidden):
        if file.suffix.lower() not in SUFFIXES:
            below.others.append(file)
            continue
        images.append(file)
        if file.parent != folder:
            below.nested.append(file)
    return images


def _walked(folder: Path, hidden: list[Path]) -> Iterator[Path]:
    """Yield the files below a folder in the order of torchvision's ImageFolder."""
    for root, names, files in sorted(_walk(folder, hidden), key=lambda walked: walked[0]):
        del names
        for name in sorted(files):
            file = Path(root, name)
            if _is_hidden(file):
                hidden.append(file)
            else:
                yield file


def _walk(folder: Path, hidden: list[Path]) -> Iterator[tuple[str, list[str], list[str]]]:
    seen: set[tuple[int, int]] = set()

    def refuse(error: OSError) -> None:
        raise error

    for root, names, files in os.walk(folder, followlinks=True, onerror=refuse):
        status = Path(root).stat()
        if (status.st_dev, status.st_ino) in seen:
            problem = "is a link to a folder that is read already; take it out"
            raise PlanError(source=root, problem=problem)
        seen.add((status.st_dev, status.st_ino))
        left_out = [name for name in names if _is_hidden(Path(root, name))]
        hidden += [Path(root, name) for name in left_out]
        names[:] = [name for name in names if name not in left_out]
        yield root, names, files


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name in _NOT_THEIRS
