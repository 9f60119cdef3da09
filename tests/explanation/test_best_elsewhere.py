from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pytest

from autokd.core.pair_records import PairRecords
from autokd.core.records import RunRecord, RunState, Stage, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, SEARCHABLE, Pair, Setting, Split, TransferSet
from autokd.explanation.best_elsewhere import best_elsewhere
from tests.recommendation.samples import COOL, HOT, PUBLIC, WARM, make_federation, make_trial

Other = tuple[float, PairRecords]
"""Accuracy of the student as it is, in tenths, and what the store has of the pair."""


def best(others: Sequence[Other], *, transfer_sets: Collection[TransferSet]) -> tuple[object, ...] | None:
    """Each pair gets a student of its own."""
    federation = make_federation(
        [{Split.VALIDATION: np.arange(10) < round(10 * own)} for own in (0.0, *(own for own, _ in others))]
    )
    records = [replace(stored, pair=Pair(0, student)) for student, (_, stored) in enumerate(others, 1)]
    choice = best_elsewhere(records, federation, transfer_sets=transfer_sets)
    return None if choice is None else (choice.setting, choice.gain, choice.pairs, choice.known)


def other(own: float = 0.5, **reached: float) -> Other:
    """A pair whose trials came to these accuracies; the baseline to 0.5."""
    names = {"hot": HOT, "warm": WARM, "cool": COOL, "public": PUBLIC}
    trials = [make_trial(0, DEFAULT, 0.5)]
    trials += [make_trial(number, names[name], to) for number, (name, to) in enumerate(reached.items(), 1)]
    return own, pair_records(trials)


def pair_records(trials: Sequence[TrialRecord]) -> PairRecords:
    return PairRecords(pair=Pair(0, 1), study="s", trials=trials)


def swept(setting: Setting, *right: int) -> list[RunRecord]:
    return [
        RunRecord(
            stage=Stage.SWEEP,
            setting=setting,
            seed=seed,
            state=RunState.COMPLETE,
            correct={Split.VALIDATION: np.arange(10) < count},
        )
        for seed, count in enumerate(right)
    ]


def test_the_highest_mean_gain_wins() -> None:
    others = [other(hot=0.6, warm=0.9), other(own=0.4, hot=0.8, warm=0.3)]
    answer = best(others, transfer_sets=SEARCHABLE)
    # hot gains 10 and 40 pp, warm 40 and -10.
    assert answer == (HOT, pytest.approx(25.0), 2, 2)


def test_what_ran_on_fewer_than_half_of_the_pairs_does_not_compete() -> None:
    others = [other(hot=0.95), other(warm=0.7), other(warm=0.6)]
    answer = best(others, transfer_sets=SEARCHABLE)
    assert answer == (WARM, pytest.approx(15.0), 2, 3)


def test_pairs_without_runs_do_not_count() -> None:
    answer = best([other(hot=0.9), (0.5, pair_records([]))], transfer_sets=SEARCHABLE)
    assert answer == (HOT, pytest.approx(40.0), 1, 1)


def test_what_was_stopped_early_counts_with_its_last_figure_and_what_died_not_at_all() -> None:
    baseline = make_trial(0, DEFAULT, 0.5)
    stopped = 0.5, pair_records([baseline, make_trial(1, HOT, 0.2, TrialState.PRUNED)])
    died = 0.5, pair_records([baseline, make_trial(1, HOT, 0.2, TrialState.FAIL)])
    usual = other(hot=0.7)
    assert best([usual, stopped], transfer_sets=SEARCHABLE) == (DEFAULT, 0.0, 2, 2)
    assert best([usual, died], transfer_sets=SEARCHABLE) == (HOT, pytest.approx(20), 1, 2)


def test_only_transfer_sets_that_may_be_used() -> None:
    others = [other(hot=0.9, public=0.6)]
    allowed = (TransferSet.STUDENT, TransferSet.PUBLIC)
    assert best(others, transfer_sets=allowed) == (PUBLIC, pytest.approx(10.0), 1, 1)


def test_without_a_teacher_all_temperatures_are_one_setting() -> None:
    def tuned(temperature: float) -> Other:
        alone = Setting(temperature, 0.0, TransferSet.BOTH)
        return 0.5, pair_records([make_trial(0, DEFAULT, 0.5), make_trial(1, alone, 0.8)])

    answer = best([tuned(0.5), tuned(4.0)], transfer_sets=SEARCHABLE)
    assert answer == (Setting(1.0, 0.0, TransferSet.BOTH), pytest.approx(30.0), 2, 2)


def test_a_sweep_is_believed_rather_than_a_trial() -> None:
    own, records = other(hot=0.9, warm=0.6)
    both = own, replace(records, sweep_runs=swept(HOT, 4, 6))
    assert best([both], transfer_sets=SEARCHABLE) == (WARM, pytest.approx(10.0), 1, 1)


def test_nothing_elsewhere_is_nothing_to_choose() -> None:
    assert best([], transfer_sets=SEARCHABLE) is None
