"""A federation with the weights of a recipe's target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autokd.core.example_weights import EVEN
from autokd.core.records import FederationFacts, ParticipantFacts
from autokd.core.setting import Split
from autokd.errors import PlanError
from autokd.statistics.label_weights import local_weights
from autokd.statistics.paired import paired_interval, variance_components
from autokd.statistics.target_weights import FEWEST, TRUSTED, aimed, lacking, weak_points, weights_on

CLASSES = ("a", "b", "c")
SKEWED = {"a": 0.7, "c": 0.3}


def federation(counts: tuple[int, ...], *histograms: tuple[int, ...], seed: int = 0) -> FederationFacts:
    """Splits with so many examples of each class, and participants with such private data."""
    rng = np.random.default_rng(seed)
    labels = {split: rng.permutation(np.repeat(np.arange(3), counts)) for split in Split}
    return FederationFacts(
        name="f",
        classes=CLASSES,
        labels=labels,
        participants=tuple(
            ParticipantFacts(
                number=number,
                architecture="mlp",
                histogram=histogram,
                correct={split: rng.random(of_split.size) < 0.6 for split, of_split in labels.items()},
            )
            for number, histogram in enumerate(histograms)
        ),
    )


def shares_of(labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.bincount(labels, weights, minlength=3) / weights.sum()
    return shares


def test_common_leaves_everything_as_it_is() -> None:
    facts = federation((10, 20, 30), (1, 2, 3))
    assert aimed(facts, "common", source="s") is facts
    assert facts.participants[0].accuracy(Split.TEST) == facts.participants[0].correct[Split.TEST].mean()


def test_own_weights_each_participant_to_its_own_shares() -> None:
    facts = aimed(federation((10, 20, 30), (3, 1, 0), (0, 0, 9)), "own", source="s")
    for participant in facts.participants:
        for split, labels in facts.labels.items():
            weights = participant.weights.of(split)
            assert weights is not None
            np.testing.assert_array_equal(weights, local_weights(labels, participant.histogram))
            assert shares_of(labels, weights) == pytest.approx(
                np.array(participant.histogram) / sum(participant.histogram)
            )
    # A student of one class is judged on that class alone.
    of_c = facts.labels[Split.TEST] == 2
    single = facts.participants[1]
    assert single.accuracy(Split.TEST) == pytest.approx(single.correct[Split.TEST][of_c].mean())
    assert single.weights.effective(Split.TEST, 60) == pytest.approx(30)


def test_given_shares_are_the_same_weights_for_all() -> None:
    facts = aimed(federation((10, 20, 30), (3, 1, 0), (0, 0, 9)), SKEWED, source="s")
    first, second = facts.participants
    assert first.weights is second.weights
    weights = first.weights.of(Split.CONFIRMATION)
    assert weights is not None
    assert shares_of(facts.labels[Split.CONFIRMATION], weights) == pytest.approx([0.7, 0, 0.3])
    # A partner's model, seen from a participant.
    assert first.accuracy_of(second.correct, Split.TEST) == second.accuracy(Split.TEST)


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(1, 40)] * 3))
def test_the_splits_own_shares_are_common_to_the_last_bit(seed: int, counts: tuple[int, ...]) -> None:
    facts = federation(counts, (1, 1, 1), seed=seed)
    shares = {name: count / sum(counts) for name, count in zip(CLASSES, counts, strict=True)}
    (participant,) = aimed(facts, shares, source="s").participants
    assert participant.weights.same_as(EVEN)
    assert participant.accuracy(Split.TEST) == facts.participants[0].accuracy(Split.TEST)


def test_a_split_without_a_class_of_the_target_is_named_with_the_class() -> None:
    facts = federation((10, 20, 30), (1, 1, 1))
    labels = facts.labels[Split.CONFIRMATION]
    partial = replace(facts, labels={**facts.labels, Split.CONFIRMATION: np.where(labels == 2, 0, labels)})
    words = r"mine.yaml: target: split confirmation has no example of class c, .* leave it out of the target"
    with pytest.raises(PlanError, match=words):
        aimed(partial, SKEWED, source="mine.yaml")
    # It has no share, so nothing is missing.
    aimed(partial, {"a": 0.5, "b": 0.5}, source="mine.yaml")
    with pytest.raises(
        PlanError, match=r"mine.yaml: target: the federation has no class d; its classes: a, b"
    ):
        aimed(facts, {"a": 0.5, "d": 0.5}, source="mine.yaml")


@pytest.mark.parametrize(("of_c", "refused"), [(1, False), (5, False), (6, True), (100, True)])
def test_own_leaves_out_a_rare_class_that_a_split_lacks_and_no_other(of_c: int, refused: bool) -> None:
    facts = federation((50, 50, 0), (50, 50, 0), (60, 100 - 60 - of_c if of_c < 40 else 0, of_c))
    if refused:
        with pytest.raises(
            PlanError, match=r"target: split validation has no example of class c, .*as shares"
        ):
            aimed(facts, "own", source="s")
        return
    said = list(lacking(aimed(facts, "own", source="s"), "own"))
    assert len(said) == 3
    assert said[0].startswith(
        f"split validation has no example of class c, {of_c:.1f}% of the examples of part"
    )
    assert not list(lacking(facts, "common"))


def test_heavy_weights_are_warned_of_by_split() -> None:
    facts = federation((300, 300, 20), (1, 1, 1), (1, 1, 1))
    assert not list(weak_points(facts))
    assert not list(weak_points(aimed(facts, {"a": 0.6, "b": 0.4}, source="s")))
    heavy = aimed(facts, {"a": 0.05, "b": 0.05, "c": 0.9}, source="s")
    effective = heavy.participants[0].weights.effective(Split.VALIDATION, 620)
    assert effective < FEWEST
    said = list(weak_points(heavy))
    assert [words.split(":")[0] for words in said] == ["split validation", "split confirmation"]
    assert f"its 620 examples tell as much as {effective:.0f} for participant 0" in said[0]
    assert "intervals will be wide" in said[0]
    rare = aimed(federation((300, 300, 6), (1, 1, 1)), {"a": 0.05, "b": 0.05, "c": 0.9}, source="s")
    assert rare.participants[0].weights.effective(Split.TEST, 606) < TRUSTED
    assert "intervals will be too narrow to be trusted" in next(weak_points(rare))
    # A small split that nothing weights is another matter.
    assert not list(weak_points(federation((5, 5, 5), (1, 1, 1))))


@given(st.integers(0, 2**32 - 1))
def test_the_weight_of_an_example_is_its_share_over_that_of_its_class_in_the_split(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(3), rng.integers(0, 3, 40)])
    raw = rng.dirichlet(np.ones(3))
    target = dict(zip(CLASSES, raw.tolist(), strict=True))
    weights = weights_on(target, {Split.TEST: labels}, CLASSES, (), source="s").of(Split.TEST)
    expected = [raw[label] / np.mean(labels == label) for label in labels]
    assert weights is not None
    assert weights == pytest.approx(expected)


@pytest.mark.parametrize("seeds", [2, 5])
def test_an_interval_with_weights_against_one_written_out(seeds: int) -> None:
    """The crossed model and Student's quantile in plain NumPy, and resamples drawn example by example."""
    rng = np.random.default_rng(seeds)
    labels = rng.integers(0, 3, 300)
    weights = local_weights(labels, (8, 1, 3))
    luck = rng.normal(size=300)
    first = luck + rng.normal(size=(seeds, 300)) < 0.4
    second = luck + rng.normal(size=(seeds, 300)) < 0.1
    bounds = paired_interval(first, second, confidence=0.9, resamples=4000, seed=3, weights=weights)

    worth = 100 * weights * (first.astype(float) - second)
    mean = worth.mean()
    by_seed, by_example = worth.mean(axis=1), worth.mean(axis=0)
    rest = worth - by_seed[:, None] - by_example + mean
    seed, example = ((by_seed - mean) ** 2).sum() / (seeds - 1) / seeds, by_example.var(ddof=1) / 300
    residual = (rest**2).sum() / ((seeds - 1) * 299) / (seeds * 300)
    error = np.sqrt(max(seed + example - residual, seed, example))
    parts = [(seed, seeds - 1), (example, 299), (residual, (seeds - 1) * 299)]
    dof = max(1.0, error**4 / sum(part**2 / freedom for part, freedom in parts))
    reach = stats.t.ppf(0.95, dof) * error
    components = variance_components(first, second, weights=weights)
    assert [components.error, components.dof] == pytest.approx([error, dof])

    draws = []
    for _ in range(4000):
        which, of = rng.integers(0, seeds, seeds), rng.integers(0, 300, 300)
        draws.append(worth[which][:, of].mean())
    standardized = (draws - np.mean(draws)) / np.std(draws)
    low, high = np.quantile(standardized, [0.05, 0.95]) * error
    assert bounds.mean == pytest.approx(mean)
    assert bounds.mean - bounds.low == pytest.approx(max(reach, -low), rel=0.05)
    assert bounds.high - bounds.mean == pytest.approx(max(reach, high), rel=0.05)


def test_intervals_with_weights_cover_the_truth() -> None:
    """Splits of 300 examples from a known world, judged by other class shares: at least the confidence.

    With 400 splits, 0.9 is covered less than 0.86 of the time once in 250 tries. Weights take what classes
    differ by for noise, too, so rather too many are covered.
    """
    rng = np.random.default_rng(7)
    better, shares = np.array([0.3, 0.0, -0.1]), np.array([0.2, 0.2, 0.6])
    truth, covered = 100 * shares @ better, 0
    for number in range(400):
        labels = rng.choice(3, size=300, p=[0.6, 0.3, 0.1])
        weights = local_weights(labels, shares.tolist())
        second = rng.random(300) < 0.5
        first = np.where(rng.random(300) < np.abs(better[labels]) * 2, better[labels] > 0, second)
        bounds = paired_interval(first, second, confidence=0.9, resamples=400, seed=number, weights=weights)
        covered += bounds.low <= truth <= bounds.high
    assert covered / 400 >= 0.86


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(1, 30)] * 3))
def test_balanced_is_the_mean_over_classes(seed: int, counts: tuple[int, ...]) -> None:
    before = federation(counts, (50, 50, 0), seed=seed)
    aimed_facts = aimed(before, "balanced", source="recipe")
    for participant in aimed_facts.participants:
        for split, labels in aimed_facts.labels.items():
            by_class = [float(participant.correct[split][labels == number].mean()) for number in range(3)]
            assert participant.accuracy(split) == pytest.approx(sum(by_class) / 3)
    shares = aimed(before, dict.fromkeys(CLASSES, 1 / 3), source="recipe")
    assert aimed_facts.participants[0].weights.same_as(shares.participants[0].weights)


def test_balanced_needs_examples_of_every_class() -> None:
    with pytest.raises(
        PlanError, match=r"objective: split \w+ has no example of class c.* give the shares of"
    ) as raised:
        aimed(federation((5, 5, 0), (5, 5, 5)), "balanced", source="recipe")
    assert raised.value.field == "objective"
