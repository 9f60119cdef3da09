"""Writes weights and card together, and replaces existing files only if told to."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autokd.core.atomic_write import write_together
from autokd.delivery.deliver import Delivered
from autokd.delivery.markdown import markdown
from autokd.errors import InputError

_SUFFIX: Final = ".safetensors"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a model and its card: `student.safetensors`, `student.json` and `student.md`."""

    weights: Path

    def __post_init__(self) -> None:
        if self.weights.suffix != _SUFFIX:
            raise InputError(f"--out {self.weights}: the name must end in {_SUFFIX}, the format of the file")

    @property
    def card(self) -> Path:
        return self.weights.with_suffix(".json")

    @property
    def markdown(self) -> Path:
        return self.weights.with_suffix(".md")

    def check(self, *, force: bool) -> None:
        """Check before training that the files can be written.

        Raises:
            InputError: If one of them exists and must not be replaced, or the folder is not writable.
        """
        existing = [path for path in (self.weights, self.card, self.markdown) if path.exists()]
        if existing and not force:
            raise InputError(f"--out {self.weights}: {existing[0]} is there already; --force replaces it")
        for path in existing:
            if not path.is_file():
                raise InputError(f"--out {self.weights}: {path} is no file; choose another name")
        folder = self.weights.absolute().parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise InputError(f"--out {self.weights}: nothing can be written in {folder}")

    def write(self, made: Delivered, *, folder: Path, force: bool) -> None:
        """Write all three files, the weights last.

        Args:
            folder: Folder of the federation, for the script on the card.
            force: Whether existing files may be replaced.

        Raises:
            InputError: If `check` fails, or a file cannot be written.
        """
        self.check(force=force)
        card = json.dumps(made.card.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        content = {
            self.card: card.encode(),
            self.markdown: markdown(made.card, folder=folder.as_posix()).encode(),
            self.weights: made.content,
        }
        write_together(content, option=f"--out {self.weights}")
