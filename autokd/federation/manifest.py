"""The manifest of a prepared federation: what it was made from, what its data mean, and its hashes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import Field, ValidationError

from autokd.config.base import Frozen
from autokd.config.federation import AnyFederation, ExternalArchitecture
from autokd.config.mistakes import problems_of
from autokd.core.finding import Finding
from autokd.core.regular_files import regular_size
from autokd.errors import FederationError
from autokd.federation.hashing import Hashes

FORMAT: Final = 1
OF_TENSORS: Final = 2
"""Format of a federation whose inputs are no images, which earlier versions would not understand."""
MANIFEST: Final = "manifest.json"
_LONGEST: Final = 2**26
"""Bytes of a manifest; that of a hundred participants has some thousand."""
_WAY_OUT: Final = "delete that folder, then run `autokd prepare`"


class Meaning(Frozen):
    """Attributes of a data set that are not arrays."""

    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Manifest(Frozen):
    """Content of `manifest.json`.

    Attributes:
        architectures: Networks of participants that were trained elsewhere.
        checkpoints: SHA-256 of their checkpoint files, in hex, by participant.
        sources: Fingerprints of the files of images, by field of the recipe; see `source_changes`.
        code: As in `Federation`.
        warnings: Those of `Federation`, each with file, field and problem.
    """

    omit_if_default: ClassVar[frozenset[str]] = frozenset(
        {"architectures", "checkpoints", "sources", "code", "warnings"}
    )
    format: Literal[1, 2]
    name: str
    recipe: AnyFederation
    meaning: Meaning
    sha256: Hashes
    versions: dict[str, str]
    architectures: tuple[ExternalArchitecture, ...] = ()
    checkpoints: tuple[str, ...] = ()
    sources: dict[str, str] = Field(default_factory=dict)
    code: dict[str, dict[str, str]] = Field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a prepared federation.

    Raises:
        FederationError: If it is missing, damaged or of another format.
    """
    file = folder / MANIFEST
    try:
        regular_size(file, most=_LONGEST)
        written = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(written, dict) and written.get("format", FORMAT) not in (FORMAT, OF_TENSORS):
            raise FederationError(
                f"{file}: written by another version of autokd (format {written['format']}, this one reads "
                f"{FORMAT} and {OF_TENSORS}); install that version, or choose another --home"
            )
        return Manifest.model_validate(written)
    except OSError as error:
        raise unreadable(file, error) from error
    except ValidationError as error:
        problems = problems_of(error, written, source="", model=Manifest)
        raise damaged(file, f"{problems.field}: {problems.problem}") from error
    except (RecursionError, ValueError) as error:
        raise damaged(file, f"is no JSON ({error})") from error


def damaged(file: Path, problem: str) -> FederationError:
    """Return the error that a file is not as it was written, with a way out."""
    return FederationError(f"{file}: {problem}; {_WAY_OUT}")


def unreadable(file: Path, error: OSError) -> FederationError:
    """Return the error that the system does not let a file be read; only what is gone is damage."""
    problem = f"cannot be read ({error.strerror or error})"
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return damaged(file, problem)
    return FederationError(
        f"{file}: {problem}; the federation itself may be sound: mend what the system complains of, then run "
        "the same command again"
    )
