"""The common splits of a federation whose participants were trained elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.external import ExternalFederation, HeldOutSplits, SeparateSplits, SharedSplits
from autokd.config.sources import AnySource
from autokd.core.setting import derive_seed
from autokd.data.sources.labelled_images import LabelledImages, join
from autokd.errors import PlanError
from autokd.federation.findings import Findings
from autokd.federation.partition import interleaved, whole_counts

_PARTS: Final = ("validation", "confirmation", "test", "public")


CommonSplits = dict[str, tuple[str, LabelledImages]]
"""Examples of `validation`, `confirmation`, `test` and `public`, in this order, each after the field of the
recipe under which its problems are reported."""


def common_splits(
    recipe: ExternalFederation, read: Callable[[AnySource, str], LabelledImages | None], findings: Findings
) -> CommonSplits | None:
    """Return the common splits, or None if a source of them cannot be read.

    `read` returns the examples of a source for a field of the recipe, or None after it has noted a problem.
    """
    rng = np.random.default_rng(derive_seed("common splits", recipe.name, recipe.seed))
    match recipe.splits:
        case SeparateSplits() as sources:
            named = {name: getattr(sources, name) for name in _PARTS if getattr(sources, name) is not None}
            return _separate({name: read(source, f"splits.{name}") for name, source in named.items()})
        case SharedSplits() as sizes:
            data = read(sizes.data, "splits.data")
            if data is None:
                return None
            with findings.noting("splits"):
                return _cut(data, [getattr(sizes, name) for name in _PARTS], rng)
        case HeldOutSplits() as shares:
            held_out = [
                read(participant.held_out, f"participants.{number}.held_out")
                for number, participant in enumerate(recipe.participants)
                if participant.held_out is not None
            ]
            return _divide(held_out, np.array([getattr(shares, name) for name in _PARTS], np.float64), rng)
    return None


def _separate(parts: Mapping[str, LabelledImages | None]) -> CommonSplits | None:
    readable = {name: part for name, part in parts.items() if part is not None}
    if len(readable) < len(parts):
        return None
    # Without public examples: an empty array of the same shape.
    readable.setdefault("public", readable["test"].take(np.empty(0, dtype=np.int64)))
    return {name: (f"splits.{name}", readable[name]) for name in _PARTS}


def _cut(data: LabelledImages, sizes: list[int], rng: np.random.Generator) -> CommonSplits:
    if sum(sizes) > len(data.labels):
        problem = f"the parts add up to {sum(sizes)}, and there are only {len(data.labels)} examples"
        raise PlanError(source="shared benchmark", problem=problem)
    pieces = np.split(interleaved(data.labels, rng), np.cumsum(sizes))[: len(_PARTS)]
    parts = [data.take(np.sort(piece)) for piece in pieces]
    return _under("splits.data", dict(zip(_PARTS, parts, strict=True)))


def _divide(
    sources: list[LabelledImages | None], shares: NDArray[np.float64], rng: np.random.Generator
) -> CommonSplits | None:
    """Divide every source in the same proportions, each part with the class shares of its source."""
    readable = [source for source in sources if source is not None]
    if len(readable) < len(sources):
        return None
    ragged = [source for source in readable if source.images.shape[1:] != readable[0].images.shape[1:]]
    if ragged:
        # Images of several shapes cannot be joined; the check of shapes reports these.
        return _under("participants", dict.fromkeys(_PARTS, ragged[0]))
    pieces: dict[str, list[LabelledImages]] = {name: [] for name in _PARTS}
    for source in readable:
        counts = whole_counts(shares, len(source.labels))
        cuts = np.split(interleaved(source.labels, rng), np.cumsum(counts)[:-1])
        for name, piece in zip(_PARTS, cuts, strict=True):
            pieces[name].append(source.take(np.sort(piece)))
    classes = tuple(dict.fromkeys(name for source in readable for name in source.classes))
    return _under("participants", {name: join(parts, classes) for name, parts in pieces.items()})


def _under(field: str, parts: Mapping[str, LabelledImages]) -> CommonSplits:
    return {name: (f"{field} ({name})", part) for name, part in parts.items()}
