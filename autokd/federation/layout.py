"""Layout of a federation: the indices of the examples of each part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from autokd.config.federation import FederationConfig
from autokd.core.setting import Split, derive_seed
from autokd.data.dataset import Dataset
from autokd.data.temporary_arrays import copy_rows
from autokd.federation.partition import Indices, cut, partition


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Disjoint parts of a data set, as ascending indices; only `public` is unlabelled.

    Private parts are in the order of participants.
    """

    splits: Mapping[Split, Indices]
    public: Indices
    private: tuple[Indices, ...]


def lay_out(recipe: FederationConfig, data: Dataset) -> Layout:
    """Draw the layout; the random draws depend on the recipe's name and seed alone.

    Raises:
        PlanError: If there are too few examples for the recipe.
    """
    rng = np.random.default_rng(derive_seed("partition", recipe.name, recipe.seed))
    common = cut(data.labels, recipe.splits, rng)
    own = partition(recipe.partition, data.labels[common.rest], recipe.participants, rng)
    return Layout(
        splits=common.splits, public=common.public, private=tuple(common.rest[where] for where in own)
    )


def only_used(data: Dataset, layout: Layout) -> tuple[Dataset, Layout]:
    """Return data and layout without examples that are in no part, so that no model has to answer them.

    Mean and deviation stay those of the whole data set.
    """
    used = np.sort(np.concatenate([*layout.splits.values(), layout.public, *layout.private]))
    if len(used) == len(data.labels):
        return data, layout

    def moved(where: Indices) -> Indices:
        return np.searchsorted(used, where)

    return (
        replace(data, images=copy_rows(data.images, used), labels=data.labels[used]),
        Layout(
            splits={split: moved(where) for split, where in layout.splits.items()},
            public=moved(layout.public),
            private=tuple(map(moved, layout.private)),
        ),
    )
