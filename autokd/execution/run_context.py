"""What all runs of an experiment share, and the keys of a worker's result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

from autokd.compute.device import Compute
from autokd.config.search import rungs_of
from autokd.config.training import DistillationConfig
from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.records import Logits, Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import AnyPair, Split
from autokd.core.tensor_format import TensorFormat

ANSWER: Final = "answer"
"""Key of the `RunResult` in the dict that a worker returns to Tune."""
NOTICE: Final = "notice"
"""Key of a notice for the user in the same dict."""


LOGITS: Final = "logits"
"""Key of the `Parcel` with the logits of a record, which has none itself."""


@final
class Parcel:
    """Logits on their way from a worker to the store.

    Tune keeps the last result of every run as long as the experiment lasts; so what is large is taken out.
    """

    def __init__(self, logits: Mapping[Split, Logits]) -> None:
        self._logits = logits

    def take(self) -> Mapping[Split, Logits]:
        """Return the logits and forget them."""
        logits, self._logits = self._logits, {}
        return logits


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all runs of an experiment share.

    Attributes:
        rungs: Epochs at which a trial of the recipe's budget reports, that budget last.
        tensor_formats: Memory format and precision of each pair's runs; a batch may have several.
        weights: Weights of the examples on each participant's target distribution, by its number; empty if
            each example counts 1.
    """

    recipe: DistillationConfig
    rungs: tuple[int, ...]
    compute: Compute
    tensor_formats: Mapping[AnyPair, TensorFormat] = field(default_factory=dict)
    weights: Mapping[int, ExampleWeights] = field(default_factory=dict)

    def weights_for(self, spec: RunSpec) -> ExampleWeights:
        """Return the weights with which the accuracies of a run are means."""
        return self.weights.get(spec.pair.student, EVEN)

    def compute_for(self, spec: RunSpec) -> Compute:
        """Return how a run computes."""
        tensor_format = self.tensor_formats.get(spec.pair)
        return self.compute if tensor_format is None else self.compute.in_format(tensor_format)

    def rungs_for(self, spec: RunSpec) -> tuple[int, ...]:
        """Return the epochs of evaluation: each rung in a trial, more in a sweep, the end in other runs."""
        end = spec.setting.epochs or self.rungs[-1]
        if spec.stage is Stage.SWEEP:
            return swept_rungs(end)
        return rungs_of(self.rungs, end) if spec.stage is None else (end,)

    def splits_for(self, spec: RunSpec) -> tuple[Split, ...]:
        """Return the splits on which a run is evaluated.

        Search and race choose on validation; confirmation decides on its own split and reports on test. A
        sweep decides nothing and uses all three.
        """
        if spec.stage is Stage.SWEEP:
            return (Split.VALIDATION, Split.CONFIRMATION, Split.TEST)
        if spec.stage in (Stage.CONFIRMATION, Stage.RIVAL):
            return (Split.CONFIRMATION, Split.TEST)
        return (Split.VALIDATION,)


def swept_rungs(epochs: int) -> tuple[int, ...]:
    """Return the epochs of evaluation in a sweep: dense at first, where early stopping would decide."""
    shares = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
    return tuple(sorted({max(1, round(share * epochs)) for share in shares}))
