"""Stored trials and runs, as the values that store, search and recommendation share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.finding import Finding
from autokd.core.setting import DEFAULT, Setting, Split
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat

REASON_LENGTH: Final = 4_000
"""Number of characters of a failure's description that are kept."""

Correctness = NDArray[np.bool_]
"""Whether a model predicted the label, by example in the order of the split; shape (examples,)."""

Logits = NDArray[np.float16]
"""Outputs of a model by example of a split and by class, less the largest of each example; shape (examples,
classes). Probabilities do not depend on what is subtracted."""


class TrialState(StrEnum):
    """States of a trial, in Optuna's words."""

    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    """Ran to the full budget."""
    PRUNED = "PRUNED"
    """Stopped early by ASHA."""
    FAIL = "FAIL"
    """Failed; `failure` says how."""


class TrialOrigin(StrEnum):
    """Why a trial exists."""

    BASELINE = "baseline"
    """The default setting, exempt from early stopping."""
    ASKED = "asked"
    """The user asked for it; exempt from early stopping, too."""
    SEARCH = "search"
    """Proposed from this pair's trials alone."""
    TRANSFERRED = "transferred"
    """Proposed by a model that also learned from runs of other pairs."""


class Failure(StrEnum):
    """How a run failed, and so whether it is worth repeating."""

    DIVERGED = "diverged"
    """Non-finite loss; a repetition would give the same."""
    ERROR = "error"
    """Unexpected exception inside the run; a repetition would give the same."""
    OUT_OF_MEMORY = "out of memory"
    INFRASTRUCTURE = "infrastructure"
    """A worker, node or driver died."""
    INTERRUPTED = "interrupted"
    """The user stopped the command."""

    @property
    def is_transient(self) -> bool:
        """Whether a repetition of the run may succeed."""
        return self in (Failure.OUT_OF_MEMORY, Failure.INFRASTRUCTURE, Failure.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class RungReport:
    """The figures that a run reports at one rung.

    Attributes:
        epoch: Epochs trained so far, from 1.
        accuracy: Top-1 on the validation split, on the target distribution, in [0, 1].
        forgetting: Accuracy lost on the student's own label distribution, in pp; may be negative.
        local_accuracy: Accuracy weighted to the student's own label distribution, in [0, 1].
        soft_loss: Mean T²·KL over the epoch, nats.
        hard_loss: Mean cross-entropy over the epoch, nats; None on unlabelled data.
        seconds: Wall-clock time of training since the run began, evaluation excluded.
    """

    epoch: int
    accuracy: float
    forgetting: float
    local_accuracy: float
    soft_loss: float
    hard_loss: float | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One stored trial of a study.

    Attributes:
        number: Optuna's trial number within the study, from 0.
        seed: The run's seed index (see `SEARCH_SEED` in `autokd.config.study`).
        curve: (epoch, validation accuracy in [0, 1]) at every reported rung.
        forgetting_curve: Forgetting on validation at the same rungs, in pp; empty if it was not stored.
        reason: Description of the failure, if the trial failed.
        tensor_format: Memory format and precision of the run.
    """

    number: int
    setting: Setting
    seed: int
    role: TrialOrigin
    state: TrialState
    curve: tuple[tuple[int, float], ...] = ()
    forgetting_curve: tuple[float, ...] = ()
    failure: Failure | None = None
    reason: str = ""
    tensor_format: TensorFormat = FORMER_FORMAT

    def __post_init__(self) -> None:
        if (self.state is TrialState.FAIL) != (self.failure is not None):
            raise ValueError(f"failure={self.failure} does not fit state={self.state}")
        if self.role is TrialOrigin.BASELINE and self.setting != DEFAULT:
            raise ValueError(f"a baseline runs the default setting, not {self.setting}")
        if self.state is TrialState.COMPLETE and not self.curve:
            raise ValueError("a COMPLETE trial has a curve")

    @property
    def epochs(self) -> int:
        """Epochs trained until the last report."""
        return self.curve[-1][0] if self.curve else 0

    @property
    def accuracy(self) -> float | None:
        """The last reported validation accuracy, in [0, 1]."""
        return self.curve[-1][1] if self.curve else None

    @property
    def forgetting(self) -> float:
        """The last reported forgetting, in pp; 0 if none was stored."""
        return self.forgetting_curve[-1] if self.forgetting_curve else 0.0


class Stage(StrEnum):
    """The purpose of a run outside the search."""

    RACE = "race"
    CONFIRMATION = "confirmation"
    SWEEP = "sweep"
    """A setting of a grid, evaluated at every rung and on every split; no search uses it."""
    RIVAL = "rival"
    """An alternative to the winner, or a step between default and winner."""


class RunState(StrEnum):
    """State of a run outside the search, which is stored once it has ended."""

    COMPLETE = "COMPLETE"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class RungScores:
    """Scores of the student of a swept run at one rung.

    Attributes:
        epoch, seconds: As in `RungReport`.
        accuracy: Top-1 on the target distribution in [0, 1], by split.
        forgetting: Accuracy lost on the student's own label distribution, in pp, by split.
    """

    epoch: int
    accuracy: Mapping[Split, float]
    forgetting: Mapping[Split, float]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRecord:
    """One finished run outside the search.

    Attributes:
        seed: Seed index; runs with the same index are compared in pairs.
        correct: Correctness of the student at the end, by split. A race run has only `validation`, a
            confirmation or rival run `confirmation` and `test`, a swept run all three.
        forgetting: Forgetting in pp on the split of the stage (validation for a race, else test).
        local_accuracy: Accuracy in [0, 1] on the student's own label distribution, on the same split.
        curve: Scores of a swept run by epoch, the last one included; empty for other runs.
        tensor_format: Memory format and precision of the run.
        logits: Outputs of the student of a confirmation run at the end, by split. Empty where they are not
            available: in other runs, and in those of versions that did not keep them. Those of a stored run
            are large, and each look at one reads it from the store.
    """

    stage: Stage
    setting: Setting
    seed: int
    state: RunState
    # Not in the repr: Tune formats every result for its log, and arrays take milliseconds.
    correct: Mapping[Split, Correctness] = field(default_factory=dict, repr=False)
    forgetting: float | None = None
    local_accuracy: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    failure: Failure | None = None
    reason: str = ""
    curve: tuple[RungScores, ...] = field(default=(), repr=False)
    tensor_format: TensorFormat = FORMER_FORMAT
    logits: Mapping[Split, Logits] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if (self.state is RunState.FAIL) != (self.failure is not None):
            raise ValueError(f"failure={self.failure} does not fit state={self.state}")
        if (self.state is RunState.COMPLETE) != bool(self.correct):
            raise ValueError(f"correctness of splits {sorted(self.correct)} does not fit state={self.state}")

    def accuracy(self, split: Split, weights: ExampleWeights) -> float:
        """Return the top-1 accuracy on `split` with the weights of its student's target, in [0, 1]."""
        return weights.accuracy(self.correct[split], split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """What Optuna Dashboard shows of a judged study.

    Attributes:
        note: Text in Markdown.
        attributes: Small JSON values by name.
        figures: plotly figures as JSON, by name; names are valid HTML ids.
    """

    note: str
    attributes: Mapping[str, str | int | float | None]
    figures: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParticipantFacts:
    """A participant before any distillation.

    Attributes:
        architecture: Name of the architecture, e.g. `cnn`.
        histogram: Number of private examples by class.
        correct: Correctness of the participant's model, by split.
        corrected: Correctness of the same model with its label prior divided out, by split; empty if only the
            store was read.
        initial: Correctness of initial models of the untrained, by split, shape (seeds, examples), where
            `correct` is that of the search's seed. Empty for trained participants.
        weight_bytes: Size of the weights; None if only the store was read.
        logits: Outputs of the model as it is, by split, read when they are looked at; empty if only the store
            was read.
        weights: Weights of the examples on the participant's target distribution. The store does not keep
            them: a study's recipe names the target (`autokd.statistics.target_weights`).
    """

    number: int
    architecture: str
    histogram: tuple[int, ...]
    correct: Mapping[Split, Correctness]
    corrected: Mapping[Split, Correctness] = field(default_factory=dict)
    initial: Mapping[Split, Correctness] = field(default_factory=dict)
    weight_bytes: int | None = None
    logits: Mapping[Split, NDArray[np.float32]] = field(default_factory=dict, repr=False)
    weights: ExampleWeights = EVEN

    def accuracy(self, split: Split) -> float:
        """Return the top-1 accuracy on `split` by its own target, in [0, 1]."""
        return self.weights.accuracy(self.correct[split], split)

    @property
    def is_untrained(self) -> bool:
        """Whether its runs start from initial weights."""
        return bool(self.initial)

    def accuracy_of(self, correct: Mapping[Split, Correctness], split: Split) -> float:
        """Return what another model's accuracy on `split` is by the target of this participant."""
        return self.weights.accuracy(correct[split], split)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FederationFacts:
    """What judging and reporting need to know of a federation, without its images and weights.

    Attributes:
        name: Name with the content hash, e.g. `digits-1a2b3c4d`.
        labels: Class indices of the examples, by split.
        example_bytes: Size of one example with its label; None if only the store was read.
        public: Number of public examples; None if only the store was read.
        warnings: What was found when it was prepared; none if only the store was read.
        averaged: Returns what the mean of several models' probabilities gets right, by split, with label
            priors divided out; None if only the store was read.
    """

    name: str
    classes: tuple[str, ...]
    labels: Mapping[Split, NDArray[np.int64]]
    participants: tuple[ParticipantFacts, ...]
    example_bytes: int | None = None
    public: int | None = None
    warnings: tuple[Finding, ...] = ()
    averaged: Callable[[Collection[int]], Mapping[Split, Correctness]] | None = None
