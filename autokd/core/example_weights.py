"""Weights of the common splits' examples, with which a mean over examples is one on a target distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.core.setting import Split


@dataclass(frozen=True, slots=True, eq=False)
class ExampleWeights:
    """How much each example of the common splits counts where an accuracy is a mean over examples.

    Attributes:
        by_split: Weights, 1 on average, shape (examples,); in a split without any, each example counts 1.
    """

    by_split: Mapping[Split, NDArray[np.float64]] = field(default_factory=dict)

    def of(self, split: Split) -> NDArray[np.float64] | None:
        """Return the weights of a split; None if each example counts 1."""
        return self.by_split.get(split)

    def weighted(self, values: NDArray[np.generic], split: Split) -> NDArray[np.float64]:
        """Return values of shape (..., examples), each times the weight of its example."""
        weights, numbers = self.of(split), values.astype(np.float64)
        return numbers if weights is None else numbers * weights

    def accuracy(self, correct: NDArray[np.bool_], split: Split) -> float:
        """Return the share of the examples that are right, in [0, 1]; over all seeds if there are some.

        Args:
            correct: Shape (examples,) or (seeds, examples).
        """
        weights = self.of(split)
        # Weights are 1 on average but for rounding.
        return float(correct.mean()) if weights is None else min(1.0, float((correct * weights).mean()))

    def effective(self, split: Split, examples: int) -> float:
        """Return how many equally weighted examples tell as much as the `examples` of a split do.

        It is (Σw)² ÷ Σw². Source: Kish 1965, "Survey Sampling", section 11.7.
        """
        weights = self.of(split)
        return float(examples) if weights is None else float(weights.sum() ** 2 / (weights**2).sum())

    def same_as(self, other: ExampleWeights) -> bool:
        """Return whether both weight every example alike."""
        if self is other:
            return True
        return self.by_split.keys() == other.by_split.keys() and all(
            np.array_equal(weights, other.by_split[split]) for split, weights in self.by_split.items()
        )


EVEN: Final = ExampleWeights()
"""Each example counts 1."""
