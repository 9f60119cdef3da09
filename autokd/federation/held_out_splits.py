"""Where the common splits of participants that were trained elsewhere come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autokd.config.external import AnySource, ExternalFederation, HeldOutSplits, SeparateSplits, SharedSplits
from autokd.core.setting import Split, derive_seed
from autokd.data.sources.labelled_images import Labelled, renumbered
from autokd.data.temporary_arrays import concatenate, copy_rows
from autokd.errors import PlanError
from autokd.federation.partition import interleaved, whole_counts

_PARTS = ("validation", "confirmation", "test", "public")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CommonSplits:
    """The common parts with their images.

    Attributes:
        places: By part the field of the recipe that it comes from.
    """

    validation: Labelled
    confirmation: Labelled
    test: Labelled
    public: Labelled
    places: Mapping[str, str]

    def of_parts(self) -> Iterator[tuple[str, Labelled]]:
        """Each part with its name, in a fixed order."""
        for name in _PARTS:
            yield name, getattr(self, name)

    @property
    def parts(self) -> Mapping[str, Labelled]:
        """Each part by a field that its problems are to be told under."""
        return {f"{self.places[name]}": part for name, part in self.of_parts()}

    def splits(self, indices: Mapping[str, NDArray[np.int64]]) -> Mapping[Split, NDArray[np.int64]]:
        """The labelled ones of some indices by part."""
        return {split: indices[split.value] for split in Split}


Reader = Callable[[AnySource, str], Labelled | None]
"""Reads a source for a field; None if it cannot, which is noted then."""


def common_splits(
    recipe: ExternalFederation, read: Reader, noting: Callable[[str], AbstractContextManager[None, bool]]
) -> CommonSplits | None:
    """The parts, as far as they can be read; None if one cannot.

    Args:
        recipe: Which says where they come from.
        read: Called for each source.
        noting: What notes a problem with a field.
    """
    rng = np.random.default_rng(derive_seed("common splits", recipe.name, recipe.seed))
    match recipe.splits:
        case SeparateSplits() as given:
            found = {
                name: read(source, f"splits.{name}")
                for name in _PARTS
                if (source := getattr(given, name)) is not None
            }
            return _of(found, {name: f"splits.{name}" for name in _PARTS})
        case SharedSplits() as sizes:
            data = read(sizes.data, "splits.data")
            if data is None:
                return None
            with noting("splits"):
                return _cut(data, [getattr(sizes, name) for name in _PARTS], rng)
        case HeldOutSplits() as shares:
            given_by = {
                f"participants.{number}.held_out": read(one.held_out, f"participants.{number}.held_out")
                for number, one in enumerate(recipe.participants)
                if one.held_out is not None
            }
            parts = np.array([getattr(shares, name) for name in _PARTS], dtype=np.float64)
            return _divided([one for one in given_by.values() if one], parts, len(given_by), rng)
    return None


def _cut(data: Labelled, sizes: list[int], rng: np.random.Generator) -> CommonSplits:
    if sum(sizes) > len(data.labels):
        problem = f"the parts add up to {sum(sizes)}, and there are only {len(data.labels)} examples"
        raise PlanError(source="shared benchmark", field="", problem=problem)
    order = interleaved(data.labels, rng)
    pieces = [np.sort(piece) for piece in np.split(order, np.cumsum(sizes))][: len(_PARTS)]
    return _common(
        dict(zip(_PARTS, (_some(data, piece) for piece in pieces), strict=True)), "splits.data", _PARTS
    )


def _divided(
    given: list[Labelled], shares: NDArray[np.float64], wanted: int, rng: np.random.Generator
) -> CommonSplits | None:
    """What each participant gives, divided in the same proportions, with the class shares of each."""
    if len(given) < wanted or len({one.images.shape[1:] for one in given}) > 1:
        return None if len(given) < wanted else _ragged(given)
    pieces: dict[str, list[Labelled]] = {name: [] for name in _PARTS}
    for one in given:
        counts = whole_counts(shares, len(one.labels))
        cuts = np.split(interleaved(one.labels, rng), np.cumsum(counts)[:-1])
        for name, piece in zip(_PARTS, cuts, strict=True):
            pieces[name].append(_some(one, np.sort(piece)))
    return _common({name: _merged(parts) for name, parts in pieces.items()}, "participants", _PARTS)


def _ragged(given: list[Labelled]) -> CommonSplits:
    """Images of several shapes cannot be joined: let the check of shapes say whose they are."""
    odd = next(one for one in given if one.images.shape[1:] != given[0].images.shape[1:])
    return _common(dict.fromkeys(_PARTS, odd), "participants", _PARTS)


def _merged(parts: list[Labelled]) -> Labelled:
    classes = tuple(dict.fromkeys(name for one in parts for name in one.classes))
    images = concatenate([one.images for one in parts])
    labels = np.concatenate([renumbered(one, classes) for one in parts])
    return Labelled(images=images, labels=labels, classes=classes)


def _some(data: Labelled, which: NDArray[np.int64]) -> Labelled:
    return Labelled(images=copy_rows(data.images, which), labels=data.labels[which], classes=data.classes)


def _of(found: Mapping[str, Labelled | None], places: Mapping[str, str]) -> CommonSplits | None:
    known = {name: one for name, one in found.items() if one is not None}
    if len(known) < len(found):
        return None
    if "public" not in known:
        # None was asked for: an empty one of the same shape.
        known["public"] = _some(known["test"], np.empty(0, dtype=np.int64))
    return CommonSplits(**known, places=places)


def _common(parts: Mapping[str, Labelled], place: str, names: tuple[str, ...]) -> CommonSplits:
    return CommonSplits(**parts, places={name: f"{place} ({name})" for name in names})
