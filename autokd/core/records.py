"""What is known about runs once they are stored: the values that store, search and recommendation share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from autokd.core.setting import DEFAULT, Setting, Split

Correctness = NDArray[np.bool_]
"""Per example of a split, in the split's order: did the model predict the label? Shape (examples,)."""


class TrialState(StrEnum):
    """Optuna's words for it."""

    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    """Ran to the full budget."""
    PRUNED = "PRUNED"
    """Stopped early by ASHA."""
    FAIL = "FAIL"
    """Died; `failure` says how."""


class Role(StrEnum):
    """Why a trial exists."""

    BASELINE = "baseline"
    """The default setting, exempt from early stopping."""
    SEARCH = "search"
    """Proposed without a look at any other pair."""
    TRANSFERRED = "transferred"
    """Proposed by what is believed of the pair, where runs of other pairs had a say in that."""


class Failure(StrEnum):
    """How a run died, and so whether the same run is worth trying again (rule 9 of the design)."""

    DIVERGED = "diverged"
    """Non-finite loss: it would come again."""
    ERROR = "error"
    """An unexpected exception inside the run: it would come again."""
    OUT_OF_MEMORY = "out of memory"
    INFRASTRUCTURE = "infrastructure"
    """Worker, node or driver died."""
    INTERRUPTED = "interrupted"
    """The user stopped the command."""

    @property
    def retried(self) -> bool:
        """Whether the same run may succeed next time."""
        return self in (Failure.OUT_OF_MEMORY, Failure.INFRASTRUCTURE, Failure.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class RungReport:
    """What a run says at one rung, as plain numbers.

    Attributes:
        epoch: Epochs trained so far, from 1.
        accuracy: Top-1 on the validation split, in [0, 1].
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
    """One trial of a study as the store has it.

    Attributes:
        number: Optuna's trial number within the study, from 0.
        seed: The run's seed index (see `SEARCH_SEED` in `autokd.config.study`).
        curve: (epoch, validation accuracy in [0, 1]) by epoch, for every rung reported.
        lost: Forgetting on validation at the same rungs, in pp; empty where it was not kept.
        reason: For a FAIL, what happened in words.
    """

    number: int
    setting: Setting
    seed: int
    role: Role
    state: TrialState
    curve: tuple[tuple[int, float], ...] = ()
    lost: tuple[float, ...] = ()
    failure: Failure | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if (self.state is TrialState.FAIL) != (self.failure is not None):
            raise ValueError(f"failure={self.failure} does not fit state={self.state}")
        if self.role is Role.BASELINE and self.setting != DEFAULT:
            raise ValueError(f"a baseline runs the default setting, not {self.setting}")
        if self.state is TrialState.COMPLETE and not self.curve:
            raise ValueError("a COMPLETE trial has a curve")

    @property
    def epochs(self) -> int:
        """Epochs spent, as far as reported."""
        return self.curve[-1][0] if self.curve else 0

    @property
    def accuracy(self) -> float | None:
        """The last reported validation accuracy, in [0, 1]."""
        return self.curve[-1][1] if self.curve else None

    @property
    def forgetting(self) -> float:
        """The last reported forgetting, in pp; 0 where none was kept."""
        return self.lost[-1] if self.lost else 0.0


class Stage(StrEnum):
    """What a run outside the search is for."""

    RACE = "race"
    CONFIRMATION = "confirmation"
    SWEEP = "sweep"
    """One setting of the whole grid, looked at as it goes and on every split; no search ever sees it."""
    RIVAL = "rival"
    """What a sceptic would do instead of the winner, or a step between default and winner."""


class RunState(StrEnum):
    """A run outside the search is recorded once it has ended."""

    COMPLETE = "COMPLETE"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class RungScores:
    """How good the student of a swept run is at one rung.

    Attributes:
        epoch: Epochs trained so far, from 1.
        accuracy: Top-1 in [0, 1], by split.
        forgetting: Accuracy lost on the student's own label distribution, in pp, by split.
        seconds: Wall-clock time of training since the run began, evaluation excluded.
    """

    epoch: int
    accuracy: Mapping[Split, float]
    forgetting: Mapping[Split, float]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRecord:
    """One finished run outside the search.

    Attributes:
        seed: The run's seed index; the same index pairs the arms of a comparison.
        correct: Per-example correctness of the student at the end, by split. A race run has only
            `validation`; a confirmation or rival run has `confirmation` and `test`; a swept run has all
            three.
        forgetting: In pp, on the split that the stage reports (race: validation, others: test).
        local_accuracy: In [0, 1], on that same split.
        epochs: Epochs spent.
        curve: Of a swept run, by epoch, the end included; empty for others.
    """

    stage: Stage
    setting: Setting
    seed: int
    state: RunState
    # Not in the repr: Tune formats every result for its log, wanted or not, and arrays take milliseconds.
    correct: Mapping[Split, Correctness] = field(default_factory=dict, repr=False)
    forgetting: float | None = None
    local_accuracy: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    failure: Failure | None = None
    reason: str = ""
    curve: tuple[RungScores, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if (self.state is RunState.FAIL) != (self.failure is not None):
            raise ValueError(f"failure={self.failure} does not fit state={self.state}")
        if (self.state is RunState.COMPLETE) != bool(self.correct):
            raise ValueError(f"correctness of splits {sorted(self.correct)} does not fit state={self.state}")

    def accuracy(self, split: Split) -> float:
        """Top-1 on `split`, in [0, 1]."""
        return float(self.correct[split].mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """What people see of a judged study in Optuna Dashboard.

    Attributes:
        note: Markdown.
        attributes: Small JSON values, by name.
        figures: plotly figures as JSON, by a name that is a valid HTML id.
    """

    note: str
    attributes: Mapping[str, str | int | float | None]
    figures: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParticipantFacts:
    """What the store knows of a participant before anything is distilled: its as-is state.

    Attributes:
        architecture: Its name, e.g. `cnn`.
        histogram: Private examples per class.
        correct: Per-example correctness of its model as it is, by split.
        weight_bytes: Size of its model's weights; None where the store is all that is known.
    """

    number: int
    architecture: str
    histogram: tuple[int, ...]
    correct: Mapping[Split, Correctness]
    weight_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FederationFacts:
    """A federation as the store sees it: enough to judge and report without its images and weights.

    Attributes:
        name: With its content hash, e.g. `digits-1a2b3c4d`.
        labels: Class index per example, by split.
        example_bytes: Size of one example, label included; None where the store is all that is known.
        public: Number of shared examples; None likewise.
    """

    name: str
    classes: tuple[str, ...]
    labels: Mapping[Split, NDArray[np.int64]]
    participants: tuple[ParticipantFacts, ...]
    example_bytes: int | None = None
    public: int | None = None
