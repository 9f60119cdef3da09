from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

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
from autokd.federation.partition import Indices, cut, partition

SEEDS = st.integers(0, 2**32 - 1)
LABELS = arrays(np.int64, st.integers(60, 300), elements=st.integers(0, 5))
BALANCED = np.arange(1000) % 10


def recipes() -> st.SearchStrategy[PartitionConfig]:
    betas, minimums = st.floats(0.1, 100), st.integers(2, 4)
    return st.one_of(
        st.builds(DirichletPartition, scheme=st.just("dirichlet"), beta=betas, minimum=minimums),
        st.builds(QuantityPartition, scheme=st.just("quantity"), beta=betas, minimum=minimums),
        st.builds(ClassesPartition, scheme=st.just("classes"), per_participant=st.integers(1, 6)),
        st.just(IidPartition(scheme="iid")),
    )


def dirichlet(beta: float, minimum: int = 2) -> DirichletPartition:
    return DirichletPartition(scheme="dirichlet", beta=beta, minimum=minimum)


def class_counts(labels: Indices, parts: tuple[Indices, ...]) -> Indices:
    """Shape (participants, classes)."""
    return np.stack([np.bincount(labels[part], minlength=labels.max() + 1) for part in parts])


@given(recipe=recipes(), labels=LABELS, participants=st.integers(2, 8), seed=SEEDS)
def test_a_partition_is_disjoint_and_covering_and_leaves_nobody_out(
    recipe: PartitionConfig, labels: Indices, participants: int, seed: int
) -> None:
    try:
        parts = partition(recipe, labels, participants, np.random.default_rng(seed))
    except PlanError:
        assume(False)
    assert len(parts) == participants
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    assert min(len(part) for part in parts) >= max(2, getattr(recipe, "minimum", 2))
    assert all((np.diff(part) > 0).all() and part.dtype == np.int64 for part in parts)


@given(recipe=recipes(), seed=SEEDS)
def test_a_partition_is_a_function_of_its_arguments(recipe: PartitionConfig, seed: int) -> None:
    assume(not isinstance(recipe, ClassesPartition) or recipe.per_participant >= 2)
    first, second = (partition(recipe, BALANCED, 5, np.random.default_rng(seed)) for _ in range(2))
    assert [part.tolist() for part in first] == [part.tolist() for part in second]


@given(each=st.integers(1, 10), participants=st.integers(2, 20), seed=SEEDS)
def test_classes_gives_everybody_so_many_classes_and_each_class_to_equally_many(
    each: int, participants: int, seed: int
) -> None:
    assume(each * participants >= 10)
    recipe = ClassesPartition(scheme="classes", per_participant=each)
    held = class_counts(BALANCED, partition(recipe, BALANCED, participants, np.random.default_rng(seed))) > 0
    assert (held.sum(axis=1) == each).all()
    assert np.ptp(held.sum(axis=0)) <= 1


@given(beta=st.floats(0.5, 10), seed=SEEDS)
def test_quantity_changes_sizes_but_not_class_shares(beta: float, seed: int) -> None:
    recipe = QuantityPartition(scheme="quantity", beta=beta, minimum=10)
    counts = class_counts(BALANCED, partition(recipe, BALANCED, 5, np.random.default_rng(seed)))
    expected = counts.sum(axis=1, keepdims=True) / 10
    assert np.abs(counts - expected).max() <= 2


@given(labels=LABELS, participants=st.integers(2, 8), seed=SEEDS)
def test_iid_parts_are_of_equal_size(labels: Indices, participants: int, seed: int) -> None:
    parts = partition(IidPartition(scheme="iid"), labels, participants, np.random.default_rng(seed))
    assert np.ptp([len(part) for part in parts]) <= 1


@given(beta=st.floats(0.05, 10), participants=st.integers(2, 10), examples=st.integers(2, 100), seed=SEEDS)
def test_equal_dirichlet_gives_everybody_as_many_examples_of_their_own(
    beta: float, participants: int, examples: int, seed: int
) -> None:
    recipe = EqualDirichletPartition(scheme="dirichlet_equal", beta=beta, examples=examples)
    parts = partition(recipe, BALANCED, participants, np.random.default_rng(seed))
    assert [len(part) for part in parts] == [examples] * participants
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together)


def test_equal_dirichlet_shares_have_the_moments_of_the_distribution() -> None:
    """As below, where no class is used up: one participant in ten times as many examples as it needs."""
    rng, beta = np.random.default_rng(0), 0.5
    recipe = EqualDirichletPartition(scheme="dirichlet_equal", beta=beta, examples=100)
    shares = np.stack(
        [class_counts(BALANCED, partition(recipe, BALANCED, 2, rng)[:1])[0] / 100 for _ in range(500)]
    )
    assert shares.var() == pytest.approx(9 / (100 * (10 * beta + 1)), rel=0.15)


def test_dirichlet_shares_have_the_moments_of_the_distribution() -> None:
    """A share of one in K by Dirichlet(beta) has mean 1/K and variance (K - 1) / (K² (K beta + 1)).

    Over 200 draws of 10 classes the mean square is within 15% of its expectation at 4 sigma (fixed seed).
    """
    rng, beta, participants = np.random.default_rng(0), 0.3, 10
    shares = np.concatenate(
        [
            class_counts(BALANCED, partition(dirichlet(beta, 2), BALANCED, participants, rng))
            for _ in range(200)
        ]
    )
    variance = (participants - 1) / (participants**2 * (participants * beta + 1))
    assert (shares / 100).var() == pytest.approx(variance, rel=0.15)


@pytest.mark.parametrize(
    ("recipe", "participants", "field", "problem"),
    [
        (
            EqualDirichletPartition(scheme="dirichlet_equal", beta=1, examples=101),
            10,
            "partition.examples",
            "need more than the 1000 private examples",
        ),
        (dirichlet(0.3, 10), 101, "partition.minimum", "need more than the 1000 private examples"),
        (dirichlet(0.01, 45), 20, "partition.minimum", "lower minimum or raise beta"),
        (QuantityPartition(scheme="quantity", beta=0.01, minimum=45), 20, "partition.minimum", "raise beta"),
        (ClassesPartition(scheme="classes", per_participant=1), 9, "partition.per_participant", "all 10"),
        (ClassesPartition(scheme="classes", per_participant=11), 9, "partition.per_participant", "all 10"),
        (IidPartition(scheme="iid"), 600, "partition", "have fewer participants"),
    ],
)
def test_what_cannot_be_met_names_field_and_way_out(
    recipe: PartitionConfig, participants: int, field: str, problem: str
) -> None:
    with pytest.raises(PlanError, match=problem) as caught:
        partition(recipe, BALANCED, participants, np.random.default_rng(0))
    assert caught.value.field == field


@given(
    labels=LABELS,
    sizes=st.builds(
        SplitSizes,
        validation=st.integers(1, 15),
        confirmation=st.integers(1, 15),
        test=st.integers(1, 15),
        public=st.integers(0, 14),
    ),
    seed=SEEDS,
)
def test_a_cut_is_disjoint_covering_of_the_sizes_asked_for_and_stratified(
    labels: Indices, sizes: SplitSizes, seed: int
) -> None:
    parts = cut(labels, sizes, np.random.default_rng(seed))
    named = {**{str(split): where for split, where in parts.splits.items()}, "public": parts.public}
    assert {name: len(where) for name, where in named.items()} == sizes.model_dump()
    everything = [*named.values(), parts.rest]
    np.testing.assert_array_equal(np.sort(np.concatenate(everything)), np.arange(len(labels)))

    of_all = np.bincount(labels, minlength=6)
    slack = 1 + (of_all > 0).sum() * of_all / len(labels)
    for where in everything:
        expected = of_all * len(where) / len(labels)
        assert (np.abs(np.bincount(labels[where], minlength=6) - expected) <= slack + 1e-9).all()


def test_splits_are_told_apart() -> None:
    sizes = SplitSizes(validation=10, confirmation=20, test=30, public=40)
    parts = cut(BALANCED, sizes, np.random.default_rng(0))
    assert [len(parts.splits[split]) for split in Split] == [10, 20, 30]
    assert (len(parts.public), len(parts.rest)) == (40, 900)


def test_a_cut_that_leaves_nothing_is_refused() -> None:
    sizes = SplitSizes(validation=400, confirmation=300, test=200, public=100)
    with pytest.raises(
        PlanError, match="splits: they add up to 1000, and the data set has only 1000 examples"
    ):
        cut(BALANCED, sizes, np.random.default_rng(0))
