"""The student's own label distribution as weights of the examples of a common split.

Local accuracy is the mean over classes of the accuracy within a class, weighted by the class's share in the
student's private data: a mean over the split's examples in which each one counts

    share of its class · examples of the split / examples of its class

and forgetting is what is lost of that. So whatever is asked of it can be asked like a gain, with weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from autokd.core.records import FederationFacts
from autokd.core.setting import Split
from autokd.plan import Aims
from autokd.recommendation.statistics import Weights


def local_weights(labels: NDArray[np.int64], histogram: tuple[int, ...]) -> Weights:
    """What each example of a split counts on a participant's own label distribution; 1 on average.

    A class that the split has no example of is left out, and the other shares grow in proportion.

    Args:
        labels: Of the split, shape (examples,).
        histogram: The participant's private examples per class.

    Raises:
        ValueError: If the split has no example of any class of the participant.
    """
    shares = np.array(histogram, dtype=np.float64)
    there = np.bincount(labels, minlength=shares.size)
    known = shares[there > 0].sum()
    if known <= 0:
        raise ValueError("the split has no example of any class that the participant has examples of")
    weights: Weights = (shares / known / np.maximum(there, 1))[labels] * labels.size
    return weights


def local_weights_of(federation: FederationFacts, participant: int) -> Mapping[Split, Weights]:
    """The weights of a participant on every split."""
    histogram = federation.participants[participant].histogram
    return {split: local_weights(labels, histogram) for split, labels in federation.labels.items()}


def objective_weights(aims: Aims, local: Mapping[Split, Weights], split: Split) -> Weights | None:
    """What each example counts for an objective; None if all count 1.

    Forgetting enters with a minus, and so what is gained locally with a plus.
    """
    match aims.objective:
        case "gain":
            return None
        case "gain_local":
            return local[split]
        case "gain_minus_forgetting":
            return 1 + local[split]
