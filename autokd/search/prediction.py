"""Prediction for a pair that was not tuned, from the runs of other pairs; not a measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from scipy.special import ndtri

from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.setting import Pair, Setting
from autokd.search.gp_sampler import GpSampler

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The setting with the largest expected gain.

    Attributes:
        setting: None if no setting is expected to beat the model as it is.
        gain: Expected gain on the validation split, in pp; 0 without a setting.
        low: Lower end of the 95 % interval of a single run's gain, in pp.
        high: Upper end of that interval.
        runs: Number of runs of other pairs that the prediction is based on.
        pairs: Number of these pairs.
        names: Names of the federation's participants.
    """

    pair: Pair
    setting: Setting | None
    gain: float
    low: float
    high: float
    runs: int
    pairs: int
    names: ParticipantNames = NUMBERS_ONLY

    def to_json(self) -> dict[str, Any]:
        """Return plain values, marked as a prediction."""
        setting = self.setting
        return {
            "predicted": True,
            "pair": {"teacher": self.pair.teacher, "student": self.pair.student},
            **self.names.beside(self.pair),
            "setting": None if setting is None else setting.to_json(),
            "gain": {"mean": self.gain, "low": self.low, "high": self.high},
            "split": "validation",
            "learned_from": {"pairs": self.pairs, "runs": self.runs},
        }


def predicted(learner: GpSampler, study: str, pair: Pair) -> Prediction:
    """Return the prediction of a sampler that learned from other pairs."""
    setting, mean, deviation = learner.expectation(study)
    reach = float(ndtri((1 + CONFIDENCE) / 2)) * deviation
    better = mean > 0
    return Prediction(
        pair=pair,
        setting=setting if better else None,
        gain=mean if better else 0.0,
        low=mean - reach if better else 0.0,
        high=mean + reach if better else 0.0,
        runs=learner.runs,
        pairs=learner.pairs,
    )
