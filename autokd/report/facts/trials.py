"""The trials of a pair as a table, and what its student forgot class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autokd.core.records import FederationFacts, RungReport, TrialRecord
from autokd.core.setting import Split
from autokd.recommendation import Recommendation
from autokd.recommendation.evidence import Arm
from autokd.statistics.paired import POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One trial with what is computed from its reports; None if it never reported.

    Attributes:
        gain: Its accuracy minus the initial one, in pp; None also if the initial one is not known.
        forgetting: Last reported forgetting on validation, in pp.
        seconds: Training time.
    """

    trial: TrialRecord
    gain: float | None
    forgetting: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """One class on the test split, in the order of the federation's classes.

    All examples of a class have the same weight on a target distribution, so these accuracies are the same
    for every target.

    Attributes:
        examples: Number of examples on test.
        private: Number of the student's private examples.
        own: Accuracy of the student's model as it is, in [0, 1]; None without examples.
        default: Forgetting with the default setting, accuracy before minus after, in pp; learning is below 0.
        chosen: Forgetting with the setting that was chosen; None also if it chose none.
    """

    name: str
    examples: int
    private: int
    own: float | None
    default: float | None
    chosen: float | None


def trial_rows(
    trials: Sequence[TrialRecord], reports: Mapping[int, Sequence[RungReport]], *, own: float | None
) -> tuple[TrialRow, ...]:
    """Return every trial by number, running trials too; `reports` are by trial number.

    The student's model as it is has the accuracy `own` on validation, in [0, 1].
    """
    rows = []
    for trial in sorted(trials, key=lambda trial: trial.number):
        last = reports[trial.number][-1] if reports.get(trial.number) else None
        row = TrialRow(
            trial=trial,
            gain=None if trial.accuracy is None or own is None else POINTS * (trial.accuracy - own),
            forgetting=None if last is None else last.forgetting,
            seconds=None if last is None else last.seconds,
        )
        rows.append(row)
    return tuple(rows)


def class_rows(
    recommendation: Recommendation | None, federation: FederationFacts | None
) -> tuple[ClassRow, ...]:
    """Return forgetting by class in the confirmation runs, on test; nothing if there is no judgement."""
    if recommendation is None or recommendation.judgement is None or federation is None:
        return ()
    evidence, labels = recommendation.judgement.evidence, federation.labels[Split.TEST]
    own = evidence.own[Split.TEST].astype(float)
    own = own if own.ndim == 1 else own.mean(axis=0)
    default, chosen = _after(evidence.default), _after(evidence.winner)
    rows = []
    for number, name in enumerate(federation.classes):
        of_class = labels == number
        before = float(own[of_class].mean()) if of_class.any() else None
        row = ClassRow(
            name=name,
            examples=int(of_class.sum()),
            private=recommendation.student.histogram[number],
            own=before,
            default=_lost(before, default, of_class),
            chosen=_lost(before, chosen, of_class),
        )
        rows.append(row)
    return tuple(rows)


def _after(arm: Arm | None) -> NDArray[np.float64] | None:
    """Return by test example the share of the seeds that classify it correctly."""
    return None if arm is None else arm.correct[Split.TEST].mean(axis=0)


def _lost(
    before: float | None, after: NDArray[np.float64] | None, of_class: NDArray[np.bool_]
) -> float | None:
    if before is None or after is None:
        return None
    return POINTS * (before - float(after[of_class].mean()))
