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
    """One trial.

    Attributes:
        setting: As `Setting.values` has it.
        accuracy: Last reported on validation, in [0, 1]; None if it never reported.
        gain: The same less the own model's, in pp; None likewise.
        forgetting: Last reported, on validation, in pp; None likewise.
        seconds: Of training; None likewise.
    """

    number: int
    role: str
    setting: Mapping[str, float | str | None]
    state: str
    epochs: int
    accuracy: float | None
    gain: float | None
    forgetting: float | None
    seconds: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """One class on the test split, in the order of the federation's classes.

    Attributes:
        name: Of the class.
        examples: On test.
        private: The student's own examples of it.
        own: Accuracy of the student's model as it is, in [0, 1]; None without examples.
        default: Forgetting with the default setting, in pp: own less after, so learning is below 0.
        chosen: Likewise with what the race chose; None also if the default stands alone.
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
    """Every trial by number, running ones too.

    Args:
        trials: Of one study.
        reports: By trial number.
        own: Accuracy of the student's model as it is on validation, in [0, 1].
    """
    rows = []
    for trial in sorted(trials, key=lambda trial: trial.number):
        last = reports[trial.number][-1] if reports.get(trial.number) else None
        accuracy = trial.accuracy
        rows.append(
            TrialRow(
                number=trial.number,
                role=trial.role.value,
                setting=trial.setting.values(),
                state=trial.state.value,
                epochs=trial.epochs,
                accuracy=accuracy,
                gain=None if accuracy is None or own is None else POINTS * (accuracy - own),
                forgetting=None if last is None else last.forgetting,
                seconds=None if last is None else last.seconds,
                reason=trial.reason,
            )
        )
    return tuple(rows)


def class_rows(found: Recommendation | None, federation: FederationFacts | None) -> tuple[ClassRow, ...]:
    """Forgetting by class, from the confirmation runs on test; empty if there is no judgement."""
    if found is None or found.judgement is None or federation is None:
        return ()
    evidence, labels = found.judgement.evidence, federation.labels[Split.TEST]
    own = evidence.own[Split.TEST].astype(float)
    default = _after(evidence.default)
    chosen = None if evidence.winner is None else _after(evidence.winner)
    rows = []
    for number, name in enumerate(federation.classes):
        there = labels == number
        known = bool(there.any())
        before = float(own[there].mean()) if known else None
        rows.append(
            ClassRow(
                name=name,
                examples=int(there.sum()),
                private=found.student.histogram[number],
                own=before,
                default=_lost(before, default, there),
                chosen=_lost(before, chosen, there),
            )
        )
    return tuple(rows)


def _after(arm: Arm) -> NDArray[np.float64]:
    """Share of the seeds that are right, by example of the test split."""
    shares: NDArray[np.float64] = arm.correct[Split.TEST].mean(axis=0)
    return shares


def _lost(before: float | None, after: NDArray[np.float64] | None, there: NDArray[np.bool_]) -> float | None:
    if before is None or after is None:
        return None
    return POINTS * (before - float(after[there].mean()))
