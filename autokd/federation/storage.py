"""A prepared federation on disk.

    <home>/federations/digits-1a2b3c4d/
        manifest.json               recipe, what data means, hashes of all content, versions that made it
        data.safetensors            images (or tensors), labels
        layout.safetensors          indices of each part
        logits.safetensors          of every participant on all of the data
        participants/0.safetensors  weights, ...

Reading never runs code, and content whose hash is not in the folder's name is refused. A folder is complete
or absent: it is written under another name and moved.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from autokd._version import __version__
from autokd.config.federation import ExternalArchitecture
from autokd.core.atomic_write import make_folder, replacing
from autokd.core.scratch_folder import scratch_folder
from autokd.core.setting import Split
from autokd.data import mapped_arrays
from autokd.data.dataset import Dataset
from autokd.errors import FederationError, HomeNotWritable
from autokd.federation.federation import Federation
from autokd.federation.hashing import Hashes, combine, data_arrays, layout_arrays
from autokd.federation.initial import initial_arrays, initial_of
from autokd.federation.integrity import problems
from autokd.federation.layout import Layout
from autokd.federation.manifest import (
    FORMAT,
    MANIFEST,
    OF_TENSORS,
    Manifest,
    Meaning,
    damaged,
    read_manifest,
    unreadable,
)

_DATA: Final = "data.safetensors"
_LAYOUT: Final = "layout.safetensors"
_LOGITS: Final = "logits.safetensors"
_INITIAL: Final = "initial.safetensors"
"""What untrained students get right; only where there are some."""


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

    manifest = Manifest(
        format=OF_TENSORS if federation.data.is_tensor else FORMAT,
        name=federation.name,
        recipe=federation.recipe,
        meaning=Meaning(classes=federation.data.classes, mean=federation.data.mean, std=federation.data.std),
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
        with scratch_folder(folder.parent, ".unfinished-") as temporary:
            draft = temporary / folder.name
            make_folder(draft / "participants")
            mapped_arrays.write(draft / _DATA, data_arrays(federation.data))
            mapped_arrays.write(draft / _LAYOUT, layout_arrays(federation))
            mapped_arrays.write(draft / _LOGITS, {"logits": federation.logits})
            if federation.initial:
                mapped_arrays.write(draft / _INITIAL, initial_arrays(federation))
            for participant in federation.participants:
                mapped_arrays.write(draft / _weights(participant.number), participant.weights)
            with replacing(draft / MANIFEST) as file:
                file.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
            try:
                draft.rename(folder)
            except OSError:
                if not (folder / MANIFEST).is_file():
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
    manifest = read_manifest(folder)
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
        raise damaged(folder, f"parts are missing or of the wrong shape ({error})") from error
    if recipe.untrained:
        try:
            initial = initial_of(_read(folder, _INITIAL), federation)
        except (LookupError, ValueError) as error:
            raise damaged(folder / _INITIAL, f"parts are missing or of the wrong shape ({error})") from error
        federation = replace(federation, initial=initial)
    _check(folder, federation, manifest)
    for problem in problems(federation):
        raise damaged(folder, problem)
    federation.release_memory()
    return replace(federation, name=manifest.name, code=manifest.code, warnings=manifest.warnings)


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


def _read(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    try:
        return mapped_arrays.read(folder / name)
    except OSError as error:
        raise unreadable(folder / name, error) from error
    except (SafetensorError, ValueError) as error:
        raise damaged(folder / name, f"cannot be read ({error})") from error


def _check(folder: Path, federation: Federation, manifest: Manifest) -> None:
    """Raise FederationError if the hashes are not those of the manifest."""
    actual, written = Hashes.of(federation), manifest.sha256
    if len(written.weights) != len(actual.weights):
        raise damaged(folder / MANIFEST, "does not list every participant's weights")
    for file, sha256 in _by_file(written).items():
        if _by_file(actual)[file] != sha256:
            raise damaged(folder / file, "is not what was written there")
    name = actual.name(manifest.recipe, federation.data, manifest.architectures, manifest.code)
    if not name == manifest.name == folder.name:
        raise damaged(folder / MANIFEST, f"its content has the name {name}")


def _by_file(hashes: Hashes) -> dict[str, str]:
    weights = {_weights(number): sha256 for number, sha256 in enumerate(hashes.weights)}
    initial = {_INITIAL: hashes.initial} if hashes.initial else {}
    return {_DATA: hashes.data, _LAYOUT: hashes.layout, _LOGITS: hashes.logits, **initial, **weights}


def _unwritable(folder: Path, error: OSError) -> str:
    return f"{folder}: cannot be written: {error.strerror or error}; choose another --home"
