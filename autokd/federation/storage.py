"""A prepared federation on disk.

    <home>/federations/digits-1a2b3c4d/
        manifest.json               recipe, what data means, hashes of all content, versions that made it
        data.safetensors            images, labels
        layout.safetensors          indices of each part
        logits.safetensors          of every participant on all of the data
        participants/0.safetensors  weights, ...

Reading never runs code, and content whose hash is not in the folder's name is refused. A folder is complete
or absent: it is written under another name and moved.
"""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from safetensors import SafetensorError

from autokd._version import __version__
from autokd.config.base import Frozen
from autokd.config.external import ExternalFederation
from autokd.config.federation import AnyFederation, ExternalArchitecture
from autokd.config.mistakes import problems_of
from autokd.core.atomic_write import make_folder, replacing
from autokd.core.finding import Finding
from autokd.core.setting import Split
from autokd.data import mapped_arrays
from autokd.data.dataset import Dataset
from autokd.errors import FederationError, HomeNotWritable
from autokd.federation.federation import Federation
from autokd.federation.hashing import Hashes, combine, data_arrays, layout_arrays
from autokd.federation.initial import initial_arrays, initial_of
from autokd.federation.integrity import problems
from autokd.federation.layout import Layout
from autokd.federation.own_sources import changed_code, recorded_code
from autokd.federation.source_changes import changed, checkpoint_hash

_FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_DATA: Final = "data.safetensors"
_LAYOUT: Final = "layout.safetensors"
_LOGITS: Final = "logits.safetensors"
_INITIAL: Final = "initial.safetensors"
"""What untrained students get right; only where there are some."""
_WAY_OUT: Final = "delete that folder, then run `autokd prepare`"


class _Meaning(Frozen):
    """Attributes of a data set that are not arrays."""

    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


class _Manifest(Frozen):
    """Content of `manifest.json`.

    Attributes:
        architectures: Networks of participants that were trained elsewhere.
        checkpoints: SHA-256 of their checkpoint files, in hex, by participant.
        sources: Fingerprints of the files of images, by field of the recipe; see `source_changes`.
        code: As in `Federation`.
        warnings: Likewise; each with file, field and problem.
    """

    omit_if_default: ClassVar[frozenset[str]] = frozenset(
        {"architectures", "checkpoints", "sources", "code", "warnings"}
    )
    format: Literal[1]
    name: str
    recipe: AnyFederation
    meaning: _Meaning
    sha256: Hashes
    versions: dict[str, str]
    architectures: tuple[ExternalArchitecture, ...] = ()
    checkpoints: tuple[str, ...] = ()
    sources: dict[str, str] = Field(default_factory=dict)
    code: dict[str, dict[str, str]] = Field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()


def save(
    federation: Federation,
    folder: Path,
    *,
    checkpoints: Sequence[str] = (),
    sources: Mapping[str, str] | None = None,
) -> None:
    """Write a federation to the folder of its name; no other process sees a part of it.

    If another process writes the same folder meanwhile, that one is kept: the same name is the same content.

    Args:
        federation: Federation with the name of its content.
        folder: Folder with that name.
        checkpoints, sources: Values as in the manifest; none if autokd trained the weights.

    Raises:
        FederationError: If the folder cannot be written.
    """
    # Imported here: who only reads a federation needs no PyTorch, and who writes one has trained with it.
    import torch

    manifest = _Manifest(
        format=_FORMAT,
        name=federation.name,
        recipe=federation.recipe,
        meaning=_Meaning(classes=federation.data.classes, mean=federation.data.mean, std=federation.data.std),
        sha256=Hashes.of(federation),
        versions={
            "autokd": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
        architectures=tuple(
            participant.architecture
            for participant in federation.participants
            if isinstance(participant.architecture, ExternalArchitecture)
        ),
        checkpoints=tuple(checkpoints),
        sources=dict(sources or {}),
        code={field: dict(files) for field, files in federation.code.items()},
        warnings=federation.warnings,
    )
    try:
        make_folder(folder.parent)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder.parent) as temporary:
            draft = Path(temporary) / folder.name
            make_folder(draft / "participants")
            mapped_arrays.write(draft / _DATA, data_arrays(federation.data))
            mapped_arrays.write(draft / _LAYOUT, layout_arrays(federation))
            mapped_arrays.write(draft / _LOGITS, {"logits": federation.logits})
            if federation.initial:
                mapped_arrays.write(draft / _INITIAL, initial_arrays(federation))
            for participant in federation.participants:
                mapped_arrays.write(draft / _weights(participant.number), participant.weights)
            with replacing(draft / _MANIFEST) as file:
                file.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
            try:
                draft.rename(folder)
            except OSError:
                if not (folder / _MANIFEST).is_file():
                    raise
    except OSError as error:
        raise FederationError(_unwritable(folder, error)) from error


def load(folder: Path) -> Federation:
    """Map a federation into memory and check that all of its content hashes to its name.

    Its arrays are read-only and stay in their files: they take memory only where they are read, and
    `Federation.release_memory` frees it again.

    Raises:
        FederationError: If anything is missing, damaged, changed or of another version; names the file and
            what to do.
    """
    manifest = _read_manifest(folder)
    recipe = manifest.recipe
    data, layout, logits = (_read(folder, name) for name in (_DATA, _LAYOUT, _LOGITS))
    weights = [_read(folder, _weights(number)) for number in range(recipe.size)]
    try:
        federation = combine(
            recipe,
            Dataset(images=data["images"], labels=data["labels"], **manifest.meaning.model_dump()),
            Layout(
                splits={split: layout[split] for split in Split},
                public=layout["public"],
                private=tuple(layout[f"private.{number}"] for number in range(recipe.size)),
            ),
            weights=weights,
            logits=logits["logits"],
            architectures=manifest.architectures,
        )
    except (LookupError, TypeError, ValueError) as error:
        raise _damaged(folder, f"parts are missing or of the wrong shape ({error})") from error
    if recipe.untrained:
        try:
            initial = initial_of(_read(folder, _INITIAL), federation)
        except (LookupError, ValueError) as error:
            raise _damaged(folder / _INITIAL, f"parts are missing or of the wrong shape ({error})") from error
        federation = replace(federation, initial=initial)
    _check(folder, federation, manifest)
    for problem in problems(federation):
        raise _damaged(folder, problem)
    federation.release_memory()
    return replace(federation, name=manifest.name, code=manifest.code, warnings=manifest.warnings)


def find(home: Path, recipe: AnyFederation) -> Federation | None:
    """Return the prepared federation of a recipe, or None if there is none under `home`.

    A recipe is recognised by its content, not its name. The federation holds a copy of data and weights, so
    the data set is not read again. But if a checkpoint file or own code has changed, a federation made from
    the old one does not count. Unfinished folders and those of other recipes are skipped.

    Raises:
        FederationError: If a folder of this recipe may be damaged.
    """
    for folder in _folders(home, recipe):
        manifest = _read_manifest(folder)
        if _is_of(manifest, recipe) and not _outdated(recipe, manifest):
            return with_code(load(folder), recipe)
    return None


def superseded(home: Path, recipe: AnyFederation) -> str:
    """Return why the last federation of this recipe does not count any more; empty if there is none."""
    for folder in sorted(_folders(home, recipe), key=lambda one: one.stat().st_mtime, reverse=True):
        manifest = _read_manifest(folder)
        reason = _outdated(recipe, manifest) if _is_of(manifest, recipe) else ""
        if reason:
            return f"federation {manifest.name} does not count any more: {reason}"
    return ""


def notices(home: Path, federation: Federation) -> list[str]:
    """Return messages for the user on data that have changed since the federation was prepared."""
    folder = federations_folder(home) / federation.name
    fields = changed(federation.recipe, _read_manifest(folder).sources)
    if not fields:
        return []
    more = f" and {len(fields) - 1} more" if len(fields) > 1 else ""
    return [
        f"the files of {fields[0]}{more} have changed since {federation.name} was prepared, which keeps "
        f"a copy of the old ones; to prepare it anew delete {folder}"
    ]


def with_code(federation: Federation, recipe: AnyFederation) -> Federation:
    """Return the federation with the recipe's location, and networks with the sources that workers import."""
    if not isinstance(recipe, ExternalFederation):
        return federation
    participants = tuple(
        replace(
            owner,
            architecture=owner.architecture.with_code(recorded_code(recipe, owner.number, federation.code)),
        )
        for owner in federation.participants
        if isinstance(owner.architecture, ExternalArchitecture)
    )
    return replace(federation, recipe=recipe, participants=participants)


def _is_of(manifest: _Manifest, recipe: AnyFederation) -> bool:
    """Return whether a folder was made from a recipe, whatever it calls the participants."""
    return manifest.recipe.without_names() == recipe.without_names()


def _outdated(recipe: AnyFederation, manifest: _Manifest) -> str:
    """Return why a federation of the same recipe does not count any more; empty if it does."""
    return _trained_again(recipe, manifest.checkpoints) or changed_code(recipe, manifest.code)


def _folders(home: Path, recipe: AnyFederation) -> list[Path]:
    return sorted(federations_folder(home).glob(f"{recipe.name}-{'[0-9a-f]' * 8}"))


def _trained_again(recipe: AnyFederation, written: Sequence[str]) -> str:
    """Return that a checkpoint file is not the one that was read, if there is such a file."""
    if not isinstance(recipe, ExternalFederation):
        return ""
    for participant, expected in zip(recipe.participants, written, strict=False):
        if participant.is_untrained:
            continue
        try:
            if checkpoint_hash(recipe.folder / Path(participant.checkpoint).expanduser()) != expected:
                return f"{participant.checkpoint} has changed since"
        except OSError:
            continue
    return ""


def federations_folder(home: Path) -> Path:
    """Return the folder of all federations under `home`."""
    return home / "federations"


def check_writable(home: Path) -> None:
    """Check, before hours of pre-training, that the result can be written.

    Raises:
        HomeNotWritable: If nothing can be written under `home`.
    """
    folder = federations_folder(home)
    try:
        make_folder(folder)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise HomeNotWritable(_unwritable(folder, error)) from error


def _weights(participant: int) -> str:
    return f"participants/{participant}.safetensors"


def _read_manifest(folder: Path) -> _Manifest:
    file = folder / _MANIFEST
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(written, dict) and written.get("format", _FORMAT) != _FORMAT:
            raise FederationError(
                f"{file}: written by another version of autokd (format {written['format']}, this one reads "
                f"{_FORMAT}); {_WAY_OUT}"
            )
        return _Manifest.model_validate(written)
    except OSError as error:
        raise _damaged(file, f"cannot be read ({error.strerror or error})") from error
    except ValidationError as error:
        found = problems_of(error, written, source="", model=_Manifest)
        raise _damaged(file, f"{found.field}: {found.problem}") from error
    except ValueError as error:
        raise _damaged(file, f"is no JSON ({error})") from error


def _read(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    try:
        return mapped_arrays.read(folder / name)
    except (OSError, SafetensorError, ValueError) as error:
        raise _damaged(folder / name, f"cannot be read ({error})") from error


def _check(folder: Path, federation: Federation, manifest: _Manifest) -> None:
    """Raise FederationError if the hashes are not those of the manifest."""
    actual, written = Hashes.of(federation), manifest.sha256
    if len(written.weights) != len(actual.weights):
        raise _damaged(folder / _MANIFEST, "does not list every participant's weights")
    for file, sha256 in _by_file(written).items():
        if _by_file(actual)[file] != sha256:
            raise _damaged(folder / file, "is not what was written there")
    name = actual.name(manifest.recipe, federation.data, manifest.architectures, manifest.code)
    if not name == manifest.name == folder.name:
        raise _damaged(folder / _MANIFEST, f"its content has the name {name}")


def _by_file(hashes: Hashes) -> dict[str, str]:
    weights = {_weights(number): sha256 for number, sha256 in enumerate(hashes.weights)}
    initial = {_INITIAL: hashes.initial} if hashes.initial else {}
    return {_DATA: hashes.data, _LAYOUT: hashes.layout, _LOGITS: hashes.logits, **initial, **weights}


def _damaged(file: Path, problem: str) -> FederationError:
    return FederationError(f"{file}: {problem}; {_WAY_OUT}")


def _unwritable(folder: Path, error: OSError) -> str:
    return f"{folder}: cannot be written: {error.strerror or error}; choose another --home"
