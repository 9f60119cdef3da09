"""Names of federations: any change of data, layout, recipe or weights gives another name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autokd.config.base import Frozen, content_hash
from autokd.config.external import ExternalFederation
from autokd.config.federation import AnyFederation, ArchitectureConfig, ExternalArchitecture
from autokd.core.weights import Weights
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import Arrays, pieces
from autokd.data.sources.labelled_images import LabelledImages
from autokd.data.temporary_arrays import concatenate
from autokd.federation.federation import Federation, Participant
from autokd.federation.initial import initial_arrays
from autokd.federation.layout import Layout

if TYPE_CHECKING:  # Who reads a federation needs no PyTorch, and pretraining imports it.
    from autokd.federation.pretraining import Pretrained

CodeDigests = Mapping[str, Mapping[str, str]]
"""SHA-256 of each file of own code, in hex, by field of the recipe and path below its folder."""


class Hashes(Frozen):
    """SHA-256 of each part of a federation's content, in hex.

    Attributes:
        data: Images and labels.
        layout: Indices of all parts.
        weights: State dicts, by participant.
        logits: Logits; not part of the name, since weights and data determine them.
        initial: What untrained students get right, no part of the name either; empty if there
            are none.
    """

    omit_if_default = frozenset({"initial"})

    data: str
    layout: str
    weights: tuple[str, ...]
    logits: str
    initial: str = ""

    @classmethod
    def of(cls, federation: Federation) -> Hashes:
        """Return the hashes of what a federation holds."""
        return cls(
            data=digest(data_arrays(federation.data)),
            layout=digest(layout_arrays(federation)),
            weights=tuple(digest(participant.weights) for participant in federation.participants),
            logits=digest({"logits": federation.logits}),
            initial=digest(initial_arrays(federation)) if federation.initial else "",
        )

    def name(
        self,
        recipe: AnyFederation,
        data: Dataset,
        architectures: Sequence[ExternalArchitecture] = (),
        code: CodeDigests | None = None,
    ) -> str:
        """Return the recipe's name with a hash of everything but the logits, e.g. `digits-1a2b3c4d`.

        Names of participants are not content, either.
        """
        meaning = [list(data.classes), list(data.mean), list(data.std)]
        content: list[object] = [
            recipe.without_names(),
            meaning,
            self.data,
            self.layout,
            list(self.weights),
            *architectures,
        ]
        # Federations without own code keep the names that earlier versions gave them.
        content += [{field: dict(files) for field, files in code.items()}] if code else []
        return f"{recipe.name}-{content_hash(*content)}"


def assemble(
    recipe: AnyFederation,
    data: Dataset,
    layout: Layout,
    pretrained: Sequence[Pretrained],
    architectures: Sequence[ExternalArchitecture] = (),
    code: CodeDigests | None = None,
) -> Federation:
    """Return the federation of these parts with its name; all arrays become read-only.

    Models and networks are in the order of participants; networks only if they were trained elsewhere. `code`
    is as in `Federation`.

    Raises:
        ValueError: If an architecture is missing.
    """
    unnamed = combine(
        recipe,
        data,
        layout,
        weights=[model.weights for model in pretrained],
        logits=concatenate([model.logits[None] for model in pretrained]),
        architectures=architectures,
    )
    name = Hashes.of(unnamed).name(recipe, data, architectures, code)
    return replace(unnamed, name=name, code=code or {})


def combine(
    recipe: AnyFederation,
    data: Dataset,
    layout: Layout,
    *,
    weights: Sequence[Weights],
    logits: NDArray[np.float32],
    architectures: Sequence[ExternalArchitecture],
) -> Federation:
    """Return the federation without its name, which would need a hash of everything; nothing is copied.

    Weights are in the order of participants; logits have the shape (participants, n, classes).
    """
    networks: Sequence[ArchitectureConfig]
    if isinstance(recipe, ExternalFederation):
        networks = architectures
    else:
        networks = [recipe.architecture(number) for number in range(len(weights))]
    participants = tuple(
        Participant(
            number=number,
            architecture=network,
            weights={name: _read_only(value) for name, value in state.items()},
            private=_read_only(rows),
        )
        for number, (rows, state, network) in enumerate(zip(layout.private, weights, networks, strict=True))
    )
    return Federation(
        name="",
        recipe=recipe,
        data=replace(data, images=_read_only(data.images), labels=_read_only(data.labels)),
        splits={split: _read_only(where) for split, where in layout.splits.items()},
        public=_read_only(layout.public),
        participants=participants,
        logits=_read_only(logits),
    )


def data_arrays(data: Dataset | LabelledImages) -> Arrays:
    """Return images and labels by name."""
    return {"images": data.images, "labels": data.labels}


def layout_arrays(federation: Federation) -> Arrays:
    """Return the indices of all parts by name: `validation`, ..., `public`, `private.0`, ..."""
    splits = {str(split): rows for split, rows in federation.splits.items()}
    private = {f"private.{owner.number}": owner.private for owner in federation.participants}
    return {**splits, "public": federation.public, **private}


def digest(arrays: Arrays) -> str:
    """Return SHA-256 in hex of names, types, shapes and values of arrays, whatever their memory layout."""
    total = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype.newbyteorder('<').str} {array.shape}\n".encode())
        for piece in pieces(array):
            total.update(piece.data)
    return total.hexdigest()


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.setflags(write=False)
    return view
