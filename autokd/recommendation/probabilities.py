"""How good the student's probabilities are before and after, on test, from the outputs that were stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autokd.core.example_weights import ExampleWeights
from autokd.core.pair_records import PairRecords
from autokd.core.records import ParticipantFacts, RunState, Stage
from autokd.core.setting import Setting, Split
from autokd.statistics.probability_scores import WORDS, ProbabilityScores, probability_scores


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Scores on test, on the study's target distribution.

    Attributes:
        before: Scores of the student's model as it is.
        after: Means over the confirmation runs of the setting shown that came to an end.
        seeds: Number of these runs.
    """

    before: ProbabilityScores
    after: ProbabilityScores
    seeds: int

    @property
    def rows(self) -> list[tuple[str, float, float]]:
        """Each score in words, before and after."""
        return [
            (words, getattr(self.before, name), getattr(self.after, name)) for name, words in WORDS.items()
        ]

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {"before": self.before.to_json(), "after": self.after.to_json(), "seeds": self.seeds}


def probabilities(
    student: ParticipantFacts,
    records: PairRecords,
    setting: Setting,
    seeds: tuple[int, ...],
    labels: NDArray[np.int64],
    weights: ExampleWeights,
) -> Probabilities | None:
    """Return the scores before and after; None where outputs were not kept, as by earlier versions.

    Args:
        setting: Setting whose runs are `after`.
        seeds: The confirmation seeds that the verdict rests on.
        labels: Class indices of the test split.
    """
    split = Split.TEST
    if split not in student.logits:
        return None
    runs = [
        run
        for run in records.runs
        if run.stage is Stage.CONFIRMATION
        and (run.setting, run.state) == (setting, RunState.COMPLETE)
        and run.seed in seeds
    ]
    scores = []
    for run in runs:
        try:
            scores.append(probability_scores(run.logits[split], labels, weights.of(split)))
        except KeyError:
            return None
    if not scores:
        return None
    before = probability_scores(student.logits[split], labels, weights.of(split))
    return Probabilities(before=before, after=ProbabilityScores.mean(scores), seeds=len(scores))
