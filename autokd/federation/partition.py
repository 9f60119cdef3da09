"""Division of examples into common parts and each participant's private ones.

Pure functions of labels and a random generator; all indices are positions in the labels, ascending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.federation import (
    ClassesPartition,
    DirichletPartition,
    EqualDirichletPartition,
    IidPartition,
    PartitionConfig,
    QuantityPartition,
    SplitSizes,
)
from autokd.core.setting import Split
from autokd.errors import PlanError

Indices = NDArray[np.int64]

_ATTEMPTS: Final = 2_000
"""Number of draws of a random partition before the recipe is called impossible."""
_FEWEST: Final = 2
"""Fewest examples of a participant: BatchNorm cannot train on one."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The data divided into labelled and unlabelled common parts and the rest; disjoint and covering."""

    splits: Mapping[Split, Indices]
    public: Indices
    rest: Indices


def cut(labels: Indices, sizes: SplitSizes, rng: np.random.Generator) -> Cut:
    """Divide the data into the common parts and the rest, each with the class shares of the whole.

    A class with `k` of the `n` labels has `k m / n` of the `m` examples of a part, give or take at most
    `1 + C k / n` for `C` classes: two, when classes are of equal size.

    Raises:
        PlanError: If nothing would be left over.
    """
    counts = (sizes.validation, sizes.confirmation, sizes.test, sizes.public)
    if sum(counts) >= len(labels):
        problem = f"they add up to {sum(counts)}, and the data set has only {len(labels)} examples"
        raise PlanError(source="federation", field="splits", problem=problem)
    order = interleaved(labels, rng)
    *splits, public, rest = (np.sort(part) for part in np.split(order, np.cumsum(counts)))
    named = zip((Split.VALIDATION, Split.CONFIRMATION, Split.TEST), splits, strict=True)
    return Cut(splits=dict(named), public=public, rest=rest)


def partition(
    recipe: PartitionConfig, labels: Indices, participants: int, rng: np.random.Generator
) -> tuple[Indices, ...]:
    """Return disjoint parts of at least two examples, as positions in `labels`, by participant.

    They cover all examples, except what a scheme of fixed sizes leaves over.

    Raises:
        PlanError: If the recipe cannot be met with so many examples and participants.
    """
    match recipe:
        case DirichletPartition():
            parts = _dirichlet(recipe, labels, participants, rng)
        case EqualDirichletPartition():
            parts = _dirichlet_equal(recipe, labels, participants, rng)
        case ClassesPartition():
            parts = _classes(recipe, labels, participants, rng)
        case QuantityPartition():
            parts = _quantity(recipe, labels, participants, rng)
        case IidPartition():
            parts = np.array_split(rng.permutation(len(labels)), participants)
    fewest = min(len(part) for part in parts)
    if fewest < _FEWEST:
        raise _impossible(
            "", f"{len(labels)} private examples leave a participant with {fewest}; have fewer participants"
        )
    return tuple(np.sort(part).astype(np.int64) for part in parts)


def _dirichlet(
    recipe: DirichletPartition, labels: Indices, participants: int, rng: np.random.Generator
) -> Sequence[Indices]:
    """Divide each class by Dirichlet shares of its own, which are drawn again until nobody has too few.

    Source: Yurochkin et al. 2019, arXiv:1905.12022, section 4; the minimum as in Li et al. 2022,
    arXiv:2102.02079.
    """
    minimum = max(recipe.minimum, _FEWEST)
    _check_minimum(minimum, len(labels), participants)
    members = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    for _ in range(_ATTEMPTS):
        shares = rng.dirichlet(np.full(participants, recipe.beta), size=len(members))
        counts = np.stack([whole_counts(row, len(rows)) for row, rows in zip(shares, members, strict=True)])
        if counts.sum(axis=0).min() >= minimum:
            pieces = [_consecutive(rows, row) for rows, row in zip(members, counts, strict=True)]
            return [np.concatenate(part) for part in zip(*pieces, strict=True)]
    raise _unlucky(minimum, recipe.beta)


def _dirichlet_equal(
    recipe: EqualDirichletPartition, labels: Indices, participants: int, rng: np.random.Generator
) -> Sequence[Indices]:
    """Give all participants as many examples, with class shares by Dirichlet(beta).

    A class that is nearly used up gives what it has, and the other classes make up for it, in proportion to
    the shares. Source: Hsu, Qi, Brown 2019, arXiv:1909.06335, section 3.
    """
    if participants * recipe.examples > len(labels):
        raise _impossible(
            "examples",
            f"{participants} participants with {recipe.examples} examples each need more than the "
            f"{len(labels)} private examples there are",
        )
    left = [list(rng.permutation(np.flatnonzero(labels == label))) for label in np.unique(labels)]
    parts: list[Indices] = []
    for _ in range(participants):
        shares = rng.dirichlet(np.full(len(left), recipe.beta))
        own: list[int] = []
        while len(own) < recipe.examples:
            sizes = np.array([len(pile) for pile in left])
            # Only classes that are left count; all alike if the shares of all of them are 0.
            weights = np.where(sizes > 0, shares, 0.0)
            weights = weights if weights.sum() > 0 else (sizes > 0).astype(float)
            taken = np.minimum(whole_counts(weights, recipe.examples - len(own)), sizes)
            for pile, count in zip(left, taken, strict=True):
                own += [pile.pop() for _ in range(count)]
        parts.append(np.array(own, dtype=np.int64))
    return parts


def _quantity(
    recipe: QuantityPartition, labels: Indices, participants: int, rng: np.random.Generator
) -> Sequence[Indices]:
    """Draw sizes by Dirichlet shares until nobody has too few; class shares are those of the whole."""
    minimum = max(recipe.minimum, _FEWEST)
    _check_minimum(minimum, len(labels), participants)
    for _ in range(_ATTEMPTS):
        counts = whole_counts(rng.dirichlet(np.full(participants, recipe.beta)), len(labels))
        if counts.min() >= minimum:
            return _consecutive(interleaved(labels, rng), counts)
    raise _unlucky(minimum, recipe.beta)


def _classes(
    recipe: ClassesPartition, labels: Indices, participants: int, rng: np.random.Generator
) -> Sequence[Indices]:
    """Let each participant take the classes that fewest hold so far; holders share a class equally.

    So the numbers of holders of any two classes differ by at most one.
    """
    classes = np.unique(labels)
    each = recipe.per_participant
    if not len(classes) <= participants * each <= participants * len(classes):
        raise _impossible(
            "per_participant",
            f"{participants} participants with {each} different classes each cannot hold all {len(classes)}",
        )
    holders: list[list[int]] = [[] for _ in classes]
    for participant in rng.permutation(participants):
        held = np.array([len(owners) for owners in holders])
        least_held_first = np.lexsort((rng.random(len(classes)), held))
        for which in least_held_first[:each]:
            holders[which].append(int(participant))
    parts: list[list[Indices]] = [[] for _ in range(participants)]
    for label, owners in zip(classes, holders, strict=True):
        members = rng.permutation(np.flatnonzero(labels == label))
        for owner, piece in zip(owners, np.array_split(members, len(owners)), strict=True):
            parts[owner].append(piece)
    return [np.concatenate(pieces) for pieces in parts]


def interleaved(labels: Indices, rng: np.random.Generator) -> Indices:
    """Return all positions in an order of which any stretch has about the class shares of the whole.

    Systematic sampling: a class of `k` examples, shuffled, is laid out at even distances `1 / k` from a
    random start, and the classes are merged.
    """
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")


def whole_counts(shares: NDArray[np.float64], total: int) -> Indices:
    """Return whole numbers that add up to `total`, each within one of its share."""
    borders = np.floor(np.cumsum(shares) / shares.sum() * total + 1e-9).astype(np.int64)
    borders[-1] = total
    counts: Indices = np.diff(borders, prepend=0)
    return counts


def _consecutive(items: Indices, counts: Indices) -> list[Indices]:
    return np.split(items, np.cumsum(counts)[:-1])


def _check_minimum(minimum: int, examples: int, participants: int) -> None:
    if minimum * participants > examples:
        raise _impossible(
            "minimum",
            f"{participants} participants with at least {minimum} examples each need more than the "
            f"{examples} private examples there are",
        )


def _unlucky(minimum: int, beta: float) -> PlanError:
    return _impossible(
        "minimum",
        f"none of {_ATTEMPTS:,} draws with beta={beta:g} gave everybody {minimum} examples; "
        "lower minimum or raise beta",
    )


def _impossible(field: str, problem: str) -> PlanError:
    return PlanError(
        source="federation", field=f"partition.{field}" if field else "partition", problem=problem
    )
