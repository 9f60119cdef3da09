from __future__ import annotations

import pytest

from autokd.core.records import TrialRecord, TrialState
from autokd.core.setting import DEFAULT, TransferSet
from autokd.report.facts.pairs import Curve, Panel, curve_facts, landscape_facts
from tests.report.samples import BASELINE, DIED, HOT, RUNNING, STOPPED, TRIALS, WARM, WON, trial


def test_the_landscape_of_a_small_study() -> None:
    facts = landscape_facts(TRIALS, HOT, own=0.6)
    assert facts.panels == (
        Panel(transfer_set=TransferSet.STUDENT, trials=(BASELINE,), default=DEFAULT, chosen=None),
        Panel(transfer_set=TransferSet.BOTH, trials=(WON, DIED), default=None, chosen=HOT),
        Panel(transfer_set=TransferSet.PUBLIC, trials=(STOPPED,), default=None, chosen=None),
    )
    assert facts.temperatures == (1.0, 8.0)
    assert facts.own == 0.6


@pytest.mark.parametrize(
    ("trials", "own", "colours"),
    [
        pytest.param((BASELINE, WON, STOPPED), 0.6, (0.5, 0.7), id="as far down as the best lies above"),
        pytest.param(
            (BASELINE, STOPPED), 0.6, (0.2, 1.0), id="nothing is better: as far up as the worst lies below"
        ),
        pytest.param((BASELINE, WON, STOPPED), None, (0.2, 0.7), id="own model unknown: from worst to best"),
        pytest.param((DIED,), 0.6, None, id="nothing was reported"),
        pytest.param((), 0.6, None, id="no trial"),
    ],
)
def test_the_ends_of_the_colour_scale(
    trials: tuple[TrialRecord, ...], own: float | None, colours: tuple[float, float] | None
) -> None:
    colors = landscape_facts(trials, None, own=own).colors
    assert colors == (None if colours is None else pytest.approx(colours))


def test_nothing_to_show() -> None:
    facts = landscape_facts((RUNNING,), None, own=0.6)
    assert (facts.panels, facts.temperatures) == ((), None)
    assert curve_facts((RUNNING, DIED), None, own=0.6).curves == ()


def test_the_curves_of_a_small_study_start_at_the_own_model_and_the_chosen_one_comes_last() -> None:
    stopped, default, won = curve_facts(TRIALS, HOT, own=0.6).curves
    assert stopped == Curve(
        trial=STOPPED,
        epochs=(0, 3),
        accuracies=(0.6, 0.2),
        default=False,
        chosen=False,
    )
    assert (default.trial.number, default.default, default.chosen) == (0, True, False)
    assert (default.epochs, default.accuracies) == ((0, 3, 10), (0.6, 0.5, 0.55))
    assert (won.trial.number, won.default, won.chosen) == (1, False, True)


def test_without_the_own_model_curves_start_at_the_first_rung() -> None:
    (curve,) = curve_facts((WON,), None).curves
    assert (curve.epochs, curve.accuracies) == ((3, 10), (0.6, 0.7))
    assert not curve.chosen


def test_a_trial_that_died_late_keeps_what_it_reported() -> None:
    late = trial(5, WARM, TrialState.FAIL, (3, 0.4), reason="loss became inf at step 40")
    (shown,) = landscape_facts((late,), None).panels[0].trials
    assert (shown.accuracy, shown.epochs) == (0.4, 3)
    (curve,) = curve_facts((late,), None).curves
    assert (curve.trial.state, curve.accuracies) == (TrialState.FAIL, (0.4,))


def test_the_order_of_trials_does_not_matter() -> None:
    backwards = tuple(reversed(TRIALS))
    assert landscape_facts(backwards, HOT, own=0.6) == landscape_facts(TRIALS, HOT, own=0.6)
    assert curve_facts(backwards, HOT, own=0.6) == curve_facts(TRIALS, HOT, own=0.6)
