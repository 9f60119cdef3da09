"""What a model from elsewhere gets right of its own data and of common splits, and whether that can be so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from autokd.compute.device import Compute
from autokd.config.images import Input
from autokd.data.dataset import Dataset
from autokd.data.pixel_facts import PixelScale
from autokd.data.tensor_facts import Facts, TensorFacts
from autokd.errors import PlanError
from autokd.federation.readings import Reading, is_plain, plausible, right_answers
from autokd.models.adapter import Adapted
from autokd.models.inference import logits_of
from autokd.text.reasons import kind_and_words

MOST_OF_A_SPLIT: Final = 500
"""Examples of a common split at most that `check` asks a model for."""
_MOST_TRIED: Final = 256
"""Examples at most for which other readings are tried."""
_BETTER_ORDER: Final = 0.2
"""Gain in accuracy by another order of the outputs that is hardly chance."""
_BETTER_READING: Final = 0.1
"""Gain in accuracy by another reading of the pixels that is worth a word."""
_CLEARLY: Final = 0.02
"""Gain in accuracy over a likelier reading at which a less likely one is preferred."""
_CERTAIN: Final = 1e-4
"""Largest p-value of such a gain."""
_CHANCE: Final = 0.01
"""p-value above which right answers may be guesses."""
_NEAR: Final = 0.1
"""Share of the way from guessing to no error below which a model is near chance however many examples say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Right answers among those that were asked for."""

    right: int
    of: int

    @property
    def accuracy(self) -> float:
        return self.right / self.of


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why an accuracy is hardly what the model's owner knows.

    Attributes:
        words: What is doubtful, to follow the accuracy.
        way_out: What to look at, or to say in the recipe.
        on_labels: Whether the order of outputs is meant.
    """

    words: str
    way_out: str
    on_labels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A model as it is.

    Attributes:
        number: Its participant.
        architecture: Name of its network.
        own: On all of its private data.
        doubt: Why that is hardly what its owner knows; None if it may well be.
        splits: On each labelled common split, or on some hundred examples of it; empty if not measured.
    """

    number: int
    architecture: str
    own: Share
    doubt: Doubt | None = None
    splits: Mapping[str, Share] = field(default_factory=dict)


def answers(module: Adapted, data: Dataset, compute: Compute) -> NDArray[np.int64]:
    """Return the class that a model on `compute.device` answers to each example, shape (n,).

    Raises:
        PlanError: If the forward pass fails, or logits are not finite.
    """
    try:
        logits = logits_of(module, data, compute)
    except PlanError:
        raise
    except Exception as error:
        raise PlanError(
            source="forward pass", problem=f"fails on its own data: {kind_and_words(error)}"
        ) from error
    if not np.isfinite(logits).all():
        raise PlanError(source="", problem="the model answers with values that are not finite numbers")
    predictions: NDArray[np.int64] = logits.argmax(axis=1)
    return predictions


def doubt(
    module: Adapted,
    data: Dataset,
    predictions: NDArray[np.int64],
    compute: Compute,
    *,
    declared: Input,
    facts: Facts,
) -> Doubt | None:
    """Return what is doubtful about a model's answers to some data, if anything is.

    Only a model with room for a gain is asked again, for some hundred examples.

    Args:
        module: Model on `compute.device`.
        predictions: Its answers.
        declared: Input as the recipe says it.
        facts: Pixels or numbers of the data.
    """
    labels = data.labels
    accuracy = float((predictions == labels).mean())
    if accuracy > 1 - _BETTER_READING:
        return None
    order = _other_order(predictions, labels, data.classes)
    better = _best_reading(module, data, compute, plausible(declared, facts))
    if better is not None and (order is None or better[1] >= order[0]):
        reading, fits = better
        return Doubt(words=f"{reading.words} it would be {fits:.1%}", way_out=reading.way_out)
    if order is not None:
        fits, moved, meant = order
        return Doubt(
            words=f"with its outputs in another order it would be {fits:.1%} (what it calls {moved} is "
            f"mostly {meant})",
            way_out="",
            on_labels=True,
        )
    chance = guessing(predictions, labels)
    if is_near_chance(int((predictions == labels).sum()), len(labels), chance):
        return Doubt(words=f"guessing gets {chance:.1%}", way_out="")
    return None


def contradiction(declared: Input, facts: Facts) -> tuple[str, str] | None:
    """Return the field of an input that contradicts the pixels of the model's own data, and in what.

    Numbers that are no pixels may be anything.
    """
    if is_plain(declared) or isinstance(facts, TensorFacts):
        return None
    if facts.scale is PixelScale.UNIT and (max(declared.mean) > 1 or max(declared.std) > 1):
        name = "mean" if max(declared.mean) > 1 else "std"
        numbers = ", ".join(f"{value / 255:.4g}" for value in getattr(declared, name))
        return name, (
            f"{max(getattr(declared, name)):g} is more than a pixel can be: it is for pixels in [0, 1], and "
            f"bytes count so, too; for numbers of 0 to 255 say {name}: [{numbers}]"
        )
    if facts.scale in (PixelScale.SYMMETRIC, PixelScale.SIGNED):
        return "mean", (
            f"its data are normalised already ({facts}), and mean and std would do it again; take them "
            "out, or say normalised: {mean: [...], std: [...]} on the sources, which is undone"
        )
    if facts.scale is PixelScale.POSITIVE and max(*declared.mean, *declared.std) <= 1:
        return "mean", (
            f"mean and std are for pixels in [0, 1], and those of its data are {facts}; say bits: 8 on the "
            "sources (value / 255), or give mean and std in the unit of the data"
        )
    return None


def guessing(predictions: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the expected accuracy of the same predictions in random order."""
    classes = int(max(predictions.max(), labels.max())) + 1
    shares = [np.bincount(each, minlength=classes) / len(each) for each in (predictions, labels)]
    return float(shares[0] @ shares[1])


def is_near_chance(right: int, of: int, chance: float) -> bool:
    """Return whether right answers show hardly more than guesses would.

    They do if they are less than a tenth of the way from guessing to no error; or not even half of it and,
    by the one-sided binomial test, what guessing may give. With a single class there is nothing to guess.
    """
    if chance >= 1:
        return False
    gone = (right / of - chance) / (1 - chance)
    return gone < _NEAR or (gone < 0.5 and bool(bdtrc(right - 1, of, chance) > _CHANCE))


def some(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of `count` row numbers, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _best_reading(
    module: Adapted, data: Dataset, compute: Compute, readings: Sequence[Reading]
) -> tuple[Reading, float] | None:
    """Return the reading that fits best, with its accuracy, if it is certainly far better than the given."""
    rows = some(len(data.labels), _MOST_TRIED)
    usual = right_answers(module, data, compute, rows)
    best: tuple[Reading, float] | None = None
    for reading in readings:
        right = right_answers(module, data, compute, rows, reading)
        fits = float(right.mean())
        won, lost = int((right & ~usual).sum()), int((usual & ~right).sum())
        # McNemar's exact test.
        surely = won + lost > 0 and bdtrc(won - 1, won + lost, 0.5) < _CERTAIN
        if surely and fits - usual.mean() >= _BETTER_READING and (best is None or fits > best[1] + _CLEARLY):
            best = reading, fits
    return best


def _other_order(
    predictions: NDArray[np.int64], labels: NDArray[np.int64], classes: tuple[str, ...]
) -> tuple[float, str, str] | None:
    """Return the accuracy in another order of outputs that fits far better, and an example of it.

    The order that suits one half of the examples is judged by the other half, and beside always the most
    frequent class: any guesses can be put into an order that suits them.
    """
    halves = [np.arange(len(labels)) % 2 == half for half in (0, 1)]
    right = sum(
        _matched(_confusion(predictions[half], labels[half], len(classes)), predictions[other], labels[other])
        for half, other in (halves, halves[::-1])
    )
    usual = float((predictions == labels).mean())
    best = right / len(labels)
    if best - max(usual, np.bincount(labels).max() / len(labels)) <= _BETTER_ORDER:
        return None
    confusion = _confusion(predictions, labels, len(classes))
    order = _order(confusion)
    fits = float(confusion[np.arange(len(classes)), order].sum() / len(labels))
    moved = next(row for row, column in enumerate(order) if row != column and confusion[row, column])
    return fits, classes[moved], classes[order[moved]]


def _confusion(predictions: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (predictions, labels), 1)
    return confusion


def _order(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the class of each output in the order of most right answers."""
    # Imported here: it takes a moment, and prepared federations do without.
    from scipy.optimize import linear_sum_assignment

    return np.asarray(linear_sum_assignment(confusion, maximize=True)[1])


def _matched(confusion: NDArray[np.int64], predictions: NDArray[np.int64], labels: NDArray[np.int64]) -> int:
    return int((_order(confusion)[predictions] == labels).sum())
