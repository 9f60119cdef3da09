"""How good a model's probabilities are, beyond which class is the largest: three scores; lower is better.

With p(c) the probability of class c at T = 1, y the label, and w the weight of an example, 1 on average:

    nll     mean of -w log p(y), in nats
    brier   mean of w Σ_c (p(c) - [c = y])², from 0 to 2. Source: Brier 1950, Monthly Weather Review 78, 1-3.
    ece     Σ_b |Σ_{i in b} w (right - confidence)| / n, in [0, 1], over 15 bins b of equal width of the
            confidence, which is the largest p(c). Source: Guo et al. 2017, arXiv:1706.04599, section 2.

The expected calibration error (ece) of a finite split is above 0 even for a model that is calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from autokd.statistics.paired import Weights

BINS: Final = 15
WORDS: Final = {
    "nll": "negative log-likelihood, nats",
    "brier": "Brier score",
    "ece": "expected calibration error",
}
"""What tables call the scores."""


@dataclass(frozen=True, slots=True)
class ProbabilityScores:
    """The scores of a model on one split, or their means over several models."""

    nll: float
    brier: float
    ece: float

    def to_json(self) -> dict[str, float]:
        """Return them by name."""
        return asdict(self)

    @classmethod
    def mean(cls, scores: Sequence[ProbabilityScores]) -> ProbabilityScores:
        """Return the mean of each score, e.g. over seeds."""
        values = {field.name: [getattr(score, field.name) for score in scores] for field in fields(cls)}
        return cls(**{name: float(np.mean(each)) for name, each in values.items()})


def probability_scores(
    logits: NDArray[Any], labels: NDArray[np.int64], weights: Weights | None = None
) -> ProbabilityScores:
    """Return the scores of a model, computed in float64.

    Args:
        logits: Finite outputs, shape (examples, classes); a constant for each example does not matter.
        labels: Class indices, shape (examples,).
        weights: Weight of each example on the target distribution; 1 each by default.
    """
    logs = log_softmax(logits.astype(np.float64), axis=1)
    rows, weight = np.arange(len(labels)), np.ones(len(labels)) if weights is None else weights
    probabilities = np.exp(logs)
    right = probabilities.argmax(axis=1) == labels
    confidence = probabilities.max(axis=1)
    distances = (probabilities**2).sum(axis=1) - 2 * probabilities[rows, labels] + 1
    bins = np.clip(np.ceil(BINS * confidence).astype(np.int64) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, weights=weight * (right - confidence), minlength=BINS)
    return ProbabilityScores(
        nll=float(-(weight * logs[rows, labels]).mean()),
        brier=float((weight * distances).mean()),
        ece=float(np.abs(gaps).sum() / len(labels)),
    )
