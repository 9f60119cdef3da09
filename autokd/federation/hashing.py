"""The name that a federation's content has: any change of data, layout, recipe or weights is another name."""

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
        layout: Who holds what.
        weights: By participant.
        logits: Not part of the name, since weights and data determine them.
    """

    data: str
    layout: str
    weights: tuple[str, ...]
    logits: str

    @classmethod
    def of(cls, federation: Federation) -> Hashes:
        """Of what a federation really holds."""
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
        """The recipe's name and a hash of recipe, data, layout and weights, e.g. `digits-1a2b3c4d`.

        Args:
            recipe: What the federation is made from.
            data: What is in it.
            architectures: Of participants that were trained elsewhere.
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
    """The federation that these parts make, under its name; all of its arrays become read-only.

    Args:
        recipe: What it is made from.
        data: As the recipe's data set.
        layout: By `lay_out(recipe, data)`.
        pretrained: By participant.
        architectures: Likewise, of participants that were trained elsewhere; of others the recipe says them.

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
    """The same without a name, which takes looking at all of the content; nothing is copied here.

    Args:
        weights: By participant.
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
    """What of a data set is arrays."""
    return {"images": data.images, "labels": data.labels}


def layout_arrays(federation: Federation) -> Arrays:
    """The indices of all parts by name: `validation`, ..., `public`, `private.0`, ..."""
    private = {f"private.{one.number}": one.private for one in federation.participants}
    return {
        **{str(split): where for split, where in federation.splits.items()},
        "public": federation.public,
        **private,
    }


def digest(arrays: Arrays) -> str:
    """SHA-256 of named arrays, in hex: of their names, types, shapes and values, whatever their layout."""
    total = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype.newbyteorder('<').str} {array.shape}\n".encode())
        for piece in pieces(array):
            total.update(piece.data)
    return total.hexdigest()


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only view."""
    view = array.view()
    view.setflags(write=False)
    return view
