"""Landscape and learning curves of a pair, as plain numbers.

Both are about the search: one seed, the validation split. They show where it looked and what it found; what a
setting is worth is measured by the confirmation runs. `chosen` is the setting that was chosen, and `own`
the accuracy of the student's model as it is, in [0, 1], from which every trial started; either may be None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, TransferSet
from autokd.recommendation import Recommendation

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
"""States that are shown; a running trial is not, since its last report is still to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The T-α plane of one transfer set (`public` has no α: a line of T).

    Attributes:
        trials: Trials that have ended, by number.
        default: The default setting, if it lies in this plane.
        chosen: The setting that was chosen, if it lies in this plane.
    """

    transfer_set: TransferSet
    trials: tuple[TrialRecord, ...]
    default: Setting | None
    chosen: Setting | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandscapeFacts:
    """Where a pair was searched, and what was found there.

    Attributes:
        panels: One panel for each transfer set that was tried, in the order of `TransferSet`.
        temperatures: Lowest and highest T that were tried; None if there are no panels.
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
        epochs: Epochs trained at each rung, increasing; from 0 if the initial accuracy is known.
        accuracies: Accuracies at those epochs on validation, in [0, 1].
        default: Whether this is the baseline.
        chosen: Whether its setting was chosen.
    """

    trial: TrialRecord
    epochs: tuple[int, ...]
    accuracies: tuple[float, ...]
    default: bool
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFacts:
    """How the trials of a pair learned.

    Attributes:
        curves: Curves of the trials that reported, by number; default and chosen come last, to be on top.
    """

    curves: tuple[Curve, ...]
    own: float | None


def landscape_facts(
    trials: Sequence[TrialRecord], chosen: Setting | None, *, own: float | None = None
) -> LandscapeFacts:
    """Return every trial that ended, by transfer set."""
    ended = _ended(trials)
    tried = {trial.setting.transfer_set for trial in ended}
    panels = tuple(
        Panel(
            transfer_set=transfer_set,
            trials=tuple(trial for trial in ended if trial.setting.transfer_set is transfer_set),
            default=DEFAULT if transfer_set is DEFAULT.transfer_set else None,
            chosen=chosen if chosen and transfer_set is chosen.transfer_set else None,
        )
        for transfer_set in TransferSet
        if transfer_set in tried
    )
    temperatures = [trial.setting.temperature for trial in ended]
    return LandscapeFacts(
        panels=panels,
        temperatures=(min(temperatures), max(temperatures)) if temperatures else None,
        own=own,
        colors=_colors([trial.accuracy for trial in ended if trial.accuracy is not None], own),
    )


def chosen_setting(recommendation: Recommendation | None) -> Setting | None:
    """Return the setting that was chosen, whatever the verdict; None if there is none."""
    judgement = None if recommendation is None else recommendation.judgement
    winner = None if judgement is None else judgement.evidence.winner
    return None if winner is None else winner.setting


def curve_facts(
    trials: Sequence[TrialRecord], chosen: Setting | None, *, own: float | None = None
) -> CurveFacts:
    """Return the curve of every trial that ended and reported at least once."""
    curves = (_curve(trial, chosen, own) for trial in _ended(trials) if trial.curve)
    return CurveFacts(
        curves=tuple(sorted(curves, key=lambda curve: (curve.chosen, curve.default, curve.trial.number))),
        own=own,
    )


def _colors(accuracies: Sequence[float], own: float | None) -> tuple[float, float] | None:
    """Return the ends of the scale: as far below the initial accuracy as the best trial lies above it.

    Worse trials get the color of the lower end: otherwise settings that ruin a model would fill the scale,
    and the good ones would look alike. If no trial beats the initial accuracy, the worst one gives the width.
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
        trial=trial,
        epochs=epochs,
        accuracies=accuracies,
        default=trial.role is TrialOrigin.BASELINE,
        chosen=trial.setting == chosen,
    )
