"""Names of federations: any change of data, layout, recipe or weights gives another name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autokd.config.base import Frozen, content_hash
from autokd.config.external import ExternalFederation
from autokd.config.federation import ArchitectureConfig, ExternalArchitecture, FederationConfig
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import Arrays, pieces
from autokd.data.temporary_arrays import concatenate
from autokd.federation.federation import Federation, Participant
from autokd.federation.layout import Layout
from autokd.federation.pretraining import Pretrained
from autokd.models.weights import Weights


class Hashes(Frozen):
    """SHA-256 of each part of a federation's content, in hex.

    Attributes:
        data: Images and labels.
        layout: Indices of all parts.
        weights: State dicts, by participant.
        logits: Logits; not part of the name, since weights and data determine them.
    """

    data: str
    layout: str
    weights: tuple[str, ...]
    logits: str

    @classmethod
    def of(cls, federation: Federation) -> Hashes:
        """Return the hashes of what a federation holds."""
        return cls(
            data=digest(data_arrays(federation.data)),
            layout=digest(layout_arrays(federation)),
            weights=tuple(digest(one.weights) for one in federation.participants),
            logits=digest({"logits": federation.logits}),
        )

    def name(
        self,
        recipe: FederationConfig | ExternalFederation,
        data: Dataset,
        architectures: Sequence[ExternalArchitecture] = (),
    ) -> str:
        """Return the recipe's name with a hash of recipe, data, layout and weights, e.g. `digits-1a2b3c4d`.

        Args:
            recipe: Recipe of the federation.
            data: Data set with class names and moments.
            architectures: Networks of participants that were trained elsewhere.
        """
        meaning = [list(data.classes), list(data.mean), list(data.std)]
        content: list[object] = [recipe, meaning, self.data, self.layout, list(self.weights), *architectures]
        return f"{recipe.name}-{content_hash(*content)}"


def assemble(
    recipe: FederationConfig | ExternalFederation,
    data: Dataset,
    layout: Layout,
    pretrained: Sequence[Pretrained],
    architectures: Sequence[ExternalArchitecture] = (),
) -> Federation:
    """Return the federation of these parts with its name; all arrays become read-only.

    Args:
        recipe: Recipe of the federation.
        data: Data set of the recipe.
        layout: Result of `lay_out(recipe, data)`.
        pretrained: Models, by participant.
        architectures: Networks of participants that were trained elsewhere, by participant.

    Raises:
        ValueError: If an architecture is missing.
    """
    unnamed = combine(
        recipe,
        data,
        layout,
        weights=[one.weights for one in pretrained],
        logits=concatenate([one.logits[None] for one in pretrained]),
        architectures=architectures,
    )
    return replace(unnamed, name=Hashes.of(unnamed).name(recipe, data, architectures))


def combine(
    recipe: FederationConfig | ExternalFederation,
    data: Dataset,
    layout: Layout,
    *,
    weights: Sequence[Weights],
    logits: NDArray[np.float32],
    architectures: Sequence[ExternalArchitecture],
) -> Federation:
    """Return the federation without its name, which would need a hash of everything; nothing is copied.

    Args:
        weights: State dicts, by participant.
        logits: Shape (participants, n, classes).
    """
    networks: Sequence[ArchitectureConfig]
    if isinstance(recipe, ExternalFederation):
        networks = [one.located(recipe.folder / "recipe") for one in architectures]
    else:
        networks = [recipe.architecture(number) for number in range(len(weights))]
    participants = tuple(
        Participant(
            number=number,
            architecture=network,
            weights={name: read_only(value) for name, value in one.items()},
            private=read_only(own),
        )
        for number, (own, one, network) in enumerate(zip(layout.private, weights, networks, strict=True))
    )
    return Federation(
        name="",
        recipe=recipe,
        data=replace(data, images=read_only(data.images), labels=read_only(data.labels)),
        splits={split: read_only(where) for split, where in layout.splits.items()},
        public=read_only(layout.public),
        participants=participants,
        logits=read_only(logits),
    )


def data_arrays(data: Dataset) -> Arrays:
    """Return the arrays of a data set."""
    return {"images": data.images, "labels": data.labels}


def layout_arrays(federation: Federation) -> Arrays:
    """Return the indices of all parts by name: `validation`, ..., `public`, `private.0`, ..."""
    private = {f"private.{one.number}": one.private for one in federation.participants}
    return {
        **{str(split): where for split, where in federation.splits.items()},
        "public": federation.public,
        **private,
    }


def digest(arrays: Arrays) -> str:
    """Return SHA-256 in hex of names, types, shapes and values of arrays, whatever their memory layout."""
    total = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype.newbyteorder('<').str} {array.shape}\n".encode())
        for piece in pieces(array):
            total.update(piece.data)
    return total.hexdigest()


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view."""
    view = array.view()
    view.setflags(write=False)
    return view
