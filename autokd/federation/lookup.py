"""Which prepared federation belongs to a recipe, and whether what it was made from has changed since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autokd.config.external import ExternalFederation
from autokd.config.federation import AnyFederation, ExternalArchitecture
from autokd.federation.federation import Federation
from autokd.federation.manifest import Manifest, read_manifest
from autokd.federation.own_sources import changed_code, recorded_code
from autokd.federation.source_changes import changed, checkpoint_hash
from autokd.federation.storage import federations_folder, load


def find(home: Path, recipe: AnyFederation) -> Federation | None:
    """Return the prepared federation of a recipe, or None if there is none under `home`.

    A recipe is recognised by its content, not its name. The federation holds a copy of data and weights, so
    the data set is not read again. But if a checkpoint file or own code has changed, a federation made from
    the old one does not count. Unfinished folders and those of other recipes are skipped.

    Raises:
        FederationError: If a folder of this recipe may be damaged.
    """
    for folder in _folders(home, recipe):
        manifest = read_manifest(folder)
        if _is_of(manifest, recipe) and not _outdated(recipe, manifest):
            return with_code(load(folder), recipe)
    return None


def superseded(home: Path, recipe: AnyFederation) -> str:
    """Return why the last federation of this recipe does not count any more; empty if there is none."""
    for folder in sorted(_folders(home, recipe), key=lambda path: path.stat().st_mtime, reverse=True):
        manifest = read_manifest(folder)
        reason = _outdated(recipe, manifest) if _is_of(manifest, recipe) else ""
        if reason:
            return f"federation {manifest.name} does not count any more: {reason}"
    return ""


def notices(home: Path, federation: Federation) -> list[str]:
    """Return messages for the user on data that have changed since the federation was prepared."""
    folder = federations_folder(home) / federation.name
    fields = changed(federation.recipe, read_manifest(folder).sources)
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


def _is_of(manifest: Manifest, recipe: AnyFederation) -> bool:
    """Return whether a folder was made from a recipe, whatever it calls the participants."""
    return manifest.recipe.without_names() == recipe.without_names()


def _outdated(recipe: AnyFederation, manifest: Manifest) -> str:
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
