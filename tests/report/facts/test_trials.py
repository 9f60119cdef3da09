from __future__ import annotations

import pytest

from autokd.core.records import TrialOrigin, TrialState
from autokd.core.setting import Pair
from autokd.report.facts.trials import class_rows, trial_rows
from tests.report.federations import GOOD, LOST, make_federation, make_material, reports
from tests.report.samples import HOT, TRIALS


def test_a_row_for_every_trial_running_ones_too() -> None:
    rows = trial_rows(TRIALS, {trial.number: reports(trial) for trial in TRIALS}, own=0.6)
    baseline, won, _, died, running = rows
    assert (baseline.trial.role, won.trial.role) == (TrialOrigin.BASELINE, TrialOrigin.SEARCH)
    assert won.trial.setting == HOT
    assert (won.trial.state, won.trial.epochs, won.trial.accuracy) == (TrialState.COMPLETE, 10, 0.7)
    assert won.gain == pytest.approx(10)
    assert (won.forgetting, won.seconds) == (0.1, 1.0)
    assert (died.trial.accuracy, died.gain, died.forgetting, died.seconds) == (None, None, None, None)
    assert died.trial.reason == "loss became nan at step 3"
    assert running.trial.state is TrialState.RUNNING
    assert trial_rows(TRIALS, {}, own=None)[1].gain is None


def test_forgetting_by_class_by_hand() -> None:
    """40 of 100 are right as it is, 45 by the default, 60 by the winner; the first 40 are of one class."""
    federation = make_federation((0.5, 0.4))
    labels = {split: labels.copy() for split, labels in federation.labels.items()}
    for known in labels.values():
        known[:40] = 0
        known[40:] = 1
    federation = type(federation)(
        name=federation.name,
        classes=("first", "rest", "none"),
        labels=labels,
        participants=tuple(
            type(participant)(
                number=participant.number,
                architecture="cnn",
                histogram=(7, 8, 0),
                correct=participant.correct,
            )
            for participant in federation.participants
        ),
    )
    material = make_material((0.5, 0.4), {Pair(0, 1): GOOD}, federation=federation)
    first, rest, nothing = class_rows(material.pairs[0].recommendation, federation)
    assert (first.name, first.private, first.examples, first.own) == ("first", 7, 40, 1.0)
    assert (first.default, first.chosen) == (0.0, 0.0)
    assert (rest.examples, rest.own) == (60, 0.0)
    assert rest.default == pytest.approx(-100 * 5 / 60)
    assert rest.chosen == pytest.approx(-100 * 20 / 60)
    assert (nothing.examples, nothing.own, nothing.default, nothing.chosen) == (0, None, None, None)


def test_nothing_is_known_by_class_of_a_pair_that_failed() -> None:
    material = make_material((0.5, 0.4), {Pair(0, 1): LOST})
    assert class_rows(material.pairs[0].recommendation, material.federation) == ()
    assert class_rows(None, material.federation) == ()
