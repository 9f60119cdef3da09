"""What the figures of a pair show, as plain numbers: all thinking is done here, drawing in `figures`.

Both figures are of the search: one seed, the validation split. They show where it looked and what it found,
not what a setting is worth; that is for the confirmation runs to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, TransferSet
from autokd.recommendation import Recommendation

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
"""A running trial is not shown: its last figure is not its last yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One trial in the landscape.

    Attributes:
        accuracy: Last reported, on validation, in [0, 1]; None if the trial died before its first rung.
        epoch: Of that report; 0 without one.
        reason: For a FAIL, what happened in words.
    """

    number: int
    setting: Setting
    state: TrialState
    accuracy: float | None
    epoch: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The T-α plane of one transfer set (`public` has no α: a line of T).

    Attributes:
        points: By trial number.
        default: The default setting, if it lies in this plane.
        chosen: What the race chose, if it lies in this plane.
    """

    transfer_set: TransferSet
    points: tuple[Point, ...]
    default: Setting | None
    chosen: Setting | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandscapeFacts:
    """Where a pair was searched, and what was found there.

    Attributes:
        panels: In the order of `TransferSet`; only transfer sets that were tried.
        temperatures: Lowest and highest that were tried; None if there are no panels.
        own: Accuracy of the student's model as it is on validation, in [0, 1]; None if not known.
        colors: The accuracies at the two ends of the color scale, in [0, 1]; None if no trial reported.
    """

    panels: tuple[Panel, ...]
    temperatures: tuple[float, float] | None
    own: float | None
    colors: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The learning curve of one trial.

    Attributes:
        epochs: Trained so far at each rung, increasing; from 0 where the own model's accuracy is known.
        accuracies: At those epochs on validation, in [0, 1].
        default: Whether this is the baseline.
        chosen: Whether the race chose its setting.
    """

    number: int
    setting: Setting
    state: TrialState
    epochs: tuple[int, ...]
    accuracies: tuple[float, ...]
    default: bool
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFacts:
    """How the trials of a pair learned.

    Attributes:
        curves: Of every trial that reported, by number; default and chosen come last, to be drawn on top.
        own: Accuracy of the student's model as it is on validation, in [0, 1]; None if not known.
    """

    curves: tuple[Curve, ...]
    own: float | None


def landscape_facts(
    trials: Sequence[TrialRecord], chosen: Setting | None, *, own: float | None = None
) -> LandscapeFacts:
    """Every trial that ended, by transfer set.

    Args:
        trials: Of one study.
        chosen: What the race chose; None if the default stands alone.
        own: Accuracy on validation of the model that every trial started from, in [0, 1].
    """
    points = [
        Point(
            number=trial.number,
            setting=trial.setting,
            state=trial.state,
            accuracy=trial.accuracy,
            epoch=trial.epochs,
            reason=trial.reason,
        )
        for trial in _ended(trials)
    ]
    panels = tuple(
        Panel(
            transfer_set=one,
            points=tuple(point for point in points if point.setting.transfer_set is one),
            default=DEFAULT if one is DEFAULT.transfer_set else None,
            chosen=chosen if chosen is not None and one is chosen.transfer_set else None,
        )
        for one in TransferSet
        if any(point.setting.transfer_set is one for point in points)
    )
    temperatures = [point.setting.temperature for point in points]
    accuracies = [point.accuracy for point in points if point.accuracy is not None]
    return LandscapeFacts(
        panels=panels,
        temperatures=(min(temperatures), max(temperatures)) if temperatures else None,
        own=own,
        colors=_colors(accuracies, own),
    )


def chosen_setting(recommendation: Recommendation | None) -> Setting | None:
    """Return the setting that the race chose, whatever the verdict on it.

    None if the default stands alone, or nothing is judged.
    """
    judgement = None if recommendation is None else recommendation.judgement
    winner = None if judgement is None else judgement.evidence.winner
    return None if winner is None else winner.setting


def curve_facts(
    trials: Sequence[TrialRecord], chosen: Setting | None, *, own: float | None = None
) -> CurveFacts:
    """Every trial that ended and reported at least once.

    Args:
        trials: Of one study.
        chosen: What the race chose; None if the default stands alone.
        own: Accuracy on validation of the model that every trial started from, in [0, 1].
    """
    curves = (_curve(trial, chosen, own) for trial in _ended(trials) if trial.curve)
    return CurveFacts(
        curves=tuple(sorted(curves, key=lambda curve: (curve.chosen, curve.default, curve.number))),
        own=own,
    )


def _colors(accuracies: Sequence[float], own: float | None) -> tuple[float, float] | None:
    """Ends of the scale: as far below the own model as the best trial lies above it.

    What is worse still has the colour of the lower end: settings that ruin a model would otherwise take up
    the scale, and leave the good ones alike. If no trial beats the own model, the worst one gives the width.
    """
    if not accuracies:
        return None
    low, high = min(accuracies), max(accuracies)
    if own is None:
        return low, high
    reach = high - own if high > own else own - low
    return own - reach, own + reach


def _ended(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    return sorted((trial for trial in trials if trial.state in _ENDED), key=lambda trial: trial.number)


def _curve(trial: TrialRecord, chosen: Setting | None, own: float | None) -> Curve:
    start = () if own is None else ((0, own),)
    epochs, accuracies = zip(*start, *trial.curve, strict=True)
    return Curve(
        number=trial.number,
        setting=trial.setting,
        state=trial.state,
        epochs=epochs,
        accuracies=accuracies,
        default=trial.role is TrialOrigin.BASELINE,
        chosen=trial.setting == chosen,
    )
