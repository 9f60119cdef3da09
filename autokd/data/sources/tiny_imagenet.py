"""The validation part of Tiny ImageNet: all images in one folder, their classes in a text file beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from autokd.data.sources.files_below import Below
from autokd.data.sources.labelled_images import unreadable
from autokd.errors import PlanError

_TABLE: Final = "val_annotations.txt"


def annotated(folder: Path, below: Below) -> tuple[list[Path], list[str], list[str]] | None:
    """Return the images of such a folder, the class of each, and all classes in order; None of another one.

    Raises:
        PlanError: If the text file cannot be read, or does not name an image.
    """
    table = folder / _TABLE
    if list(below.folders) != ["images"] or not table.is_file():
        return None
    try:
        lines = table.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise unreadable(table, error) from error
    except UnicodeDecodeError as error:
        raise PlanError(source=str(table), problem="is not a text file in UTF-8") from error
    owner = dict(line.split("\t")[:2] for line in lines if line.count("\t"))
    files = below.folders["images"]
    missing = [file for file in files if file.name not in owner]
    if missing:
        raise PlanError(source=str(table), problem=f"does not say the class of {missing[0].name}")
    below.others[:] = [file for file in below.others if file != table]
    below.nested.clear()
    return files, [owner[file.name] for file in files], sorted(set(owner.values()))
