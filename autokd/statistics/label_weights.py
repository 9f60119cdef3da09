"""Weights that turn a common split into a participant's own label distribution.

Local accuracy is the mean over classes of the accuracy within a class, weighted by the class's share in the
participant's private data. It equals a mean over the split's examples with the weights

    share of the class · examples of the split / examples of the class in the split

and forgetting is the loss of local accuracy. So both are compared like a gain, with weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autokd.core.records import FederationFacts
from autokd.core.setting import Split
from autokd.statistics.paired import Weights


def local_weights(labels: NDArray[np.int64], histogram: Sequence[float]) -> Weights:
    """Return the weight of each example on a participant's own label distribution; 1 on average.

    A class without examples in the split is left out, and the other shares grow in proportion.

    Args:
        labels: Labels of the split, shape (examples,).
        histogram: The participant's private examples per class, or its class shares.

    Raises:
        ValueError: If the split has no example of any class of the participant.
    """
    shares = np.array(histogram, dtype=np.float64)
    counts = np.bincount(labels, minlength=shares.size)
    total = shares[counts > 0].sum()
    if total <= 0:
        raise ValueError("the split has no example of any class that the participant has examples of")
    weights: Weights = (shares / total / np.maximum(counts, 1))[labels] * labels.size
    return weights


def local_weights_of(federation: FederationFacts, participant: int) -> Mapping[Split, Weights]:
    """Return the weights of a participant on every split."""
    histogram = federation.participants[participant].histogram
    return {split: local_weights(labels, histogram) for split, labels in federation.labels.items()}


def target_weights(labels: NDArray[np.int64], shares: Sequence[float], classes: Sequence[str]) -> Weights:
    """Return the weight of each example on the distribution of given class shares; 1 on average.

    Args:
        labels: Labels of the split, shape (examples,).
        shares: The share of each class.
        classes: The names of the classes.

    Raises:
        ValueError: If the split has no example of a class that has a share; it names these classes.
    """
    counts = np.bincount(labels, minlength=len(classes))
    lacking = [name for name, share, count in zip(classes, shares, counts, strict=True) if share > 0 == count]
    if lacking:
        raise ValueError(f"no example of class {', '.join(lacking)}, which has a share in the target")
    return local_weights(labels, shares)
