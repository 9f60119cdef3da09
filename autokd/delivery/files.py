"""Weights and card on disk: whole or not at all, and nobody's file is replaced by mistake."""

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
    """Where a model and its card go: `student.safetensors`, beside it `student.json` and `student.md`."""

    weights: Path

    def __post_init__(self) -> None:
        if self.weights.suffix != _SUFFIX:
            raise InputError(
                f"--out {self.weights}: the name must end in {_SUFFIX}, as what is written there does"
            )

    @property
    def card(self) -> Path:
        return self.weights.with_suffix(".json")

    @property
    def markdown(self) -> Path:
        return self.weights.with_suffix(".md")

    def check(self, *, force: bool) -> None:
        """Find out before training what would keep the files from being written.

        Raises:
            InputError: If one of them is there and may not be replaced, or the folder takes no files.
        """
        there = [path for path in (self.weights, self.card, self.markdown) if path.exists()]
        if there and not force:
            raise InputError(f"--out {self.weights}: {there[0]} is there already; --force replaces it")
        for path in there:
            if not path.is_file():
                raise InputError(f"--out {self.weights}: {path} is no file; choose another name")
        folder = self.weights.absolute().parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise InputError(f"--out {self.weights}: nothing can be written in {folder}")

    def write(self, made: Delivered, *, folder: Path, force: bool) -> None:
        """Write all three; the weights come into place last.

        Args:
            folder: Of the federation, for the script on the card.
            force: Whether what is there may be replaced.

        Raises:
            InputError: As `check`.
        """
        self.check(force=force)
        card = json.dumps(made.card.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        content = {
            self.card: card.encode(),
            self.markdown: markdown(made.card, folder=folder.as_posix()).encode(),
            self.weights: made.content,
        }
        write_together(content, option=f"--out {self.weights}")
