"""What to expect of a pair that nobody has tuned, by the runs of others: a prediction, not a measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from scipy.special import ndtri

from autokd.core.setting import Pair, Setting
from autokd.search.gp_sampler import GpSampler

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The setting that is expected to gain the most.

    Attributes:
        setting: None if nothing is expected to beat the model as it is.
        gain: Expected on the validation split, in pp; 0 without a setting.
        low: Of the interval that is to hold the gain of a single run in 95 of 100 cases.
        high: Likewise.
        runs: Of other pairs, that it rests on.
        pairs: How many these are.
    """

    pair: Pair
    setting: Setting | None
    gain: float
    low: float
    high: float
    runs: int
    pairs: int

    def to_json(self) -> dict[str, Any]:
        """Plain values, marked as a prediction."""
        setting = self.setting
        return {
            "predicted": True,
            "pair": {"teacher": self.pair.teacher, "student": self.pair.student},
            "setting": None if setting is None else setting.to_json(),
            "gain": {"mean": self.gain, "low": self.low, "high": self.high},
            "split": "validation",
            "learned_from": {"pairs": self.pairs, "runs": self.runs},
        }


def predicted(learner: GpSampler, study: str, pair: Pair) -> Prediction:
    """The prediction of a learner that has seen other pairs, for one of which it has seen nothing."""
    setting, mean, deviation = learner.expectation(study)
    reach = float(ndtri((1 + CONFIDENCE) / 2)) * deviation
    return Prediction(
        pair=pair,
        setting=setting if mean > 0 else None,
        gain=max(mean, 0.0),
        low=mean - reach if mean > 0 else 0.0,
        high=mean + reach if mean > 0 else 0.0,
        runs=learner.runs,
        pairs=learner.pairs,
    )
