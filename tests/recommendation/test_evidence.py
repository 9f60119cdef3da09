from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from autokd.config.study import CONFIRMATION_SEEDS
from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness, Failure, RunRecord, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, Split
from autokd.core.verdict_basis import DEFAULT_BUDGET, NO_TEACHER, SearchBounds, VerdictBasis, no_teacher
from autokd.recommendation.evidence import Evidence, InsufficientEvidence, gather
from autokd.recommendation.race import arms, pending
from tests.recommendation.samples import (
    HOT,
    TUNING,
    confirmation_run,
    failed_run,
    make_plan,
    make_trial,
    make_trials,
    race_run,
)

LONGER = replace(DEFAULT, epochs=40)
TAUGHT_BY_NOBODY = Setting(1.0, 0.0, HOT.transfer_set, epochs=20)
OWN: dict[Split, Correctness] = {split: np.array([True, False, False]) for split in Split}
RIGHT = {Split.CONFIRMATION: [True, True, False], Split.TEST: [True, True, True]}
SEEDS = range(CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + 5)


def complete(setting: Setting, *indices: int) -> list[RunRecord]:
    return [confirmation_run(setting, index, RIGHT, forgetting=float(index)) for index in indices]


def gather_from(trials: list[TrialRecord], runs: list[RunRecord]) -> Evidence | InsufficientEvidence:
    records = PairRecords(pair=Pair(0, 1), study="s", trials=trials, runs=runs)
    return gather(make_plan(), OWN, records, seeds=len(SEEDS), local={})


def gathered(runs: list[RunRecord]) -> Evidence:
    evidence = gather_from(make_trials(HOT), runs)
    assert isinstance(evidence, Evidence)
    return evidence


def test_arms_are_paired_by_seed_in_whatever_order_the_runs_ended() -> None:
    other = {Split.CONFIRMATION: [False] * 3, Split.TEST: [False] * 3}
    runs = [
        *complete(HOT, 4, 2, 0, 3, 1),
        *complete(DEFAULT, 0, 1, 2, 3),
        confirmation_run(DEFAULT, 4, other),
    ]
    evidence = gathered(runs)
    assert evidence.seeds == tuple(SEEDS)
    assert evidence.winner is not None
    assert evidence.winner.setting == HOT
    assert evidence.winner.forgetting == 2.0
    assert evidence.winner.correct[Split.TEST].shape == (5, 3)
    assert evidence.default.correct[Split.CONFIRMATION].tolist() == [[True, True, False]] * 4 + [[False] * 3]


def test_race_runs_and_other_settings_do_not_testify() -> None:
    runs = [*complete(HOT, *range(5)), *complete(DEFAULT, *range(5))]
    more = [race_run(HOT, 0, 10), *complete(Setting(7.0, 0.7, HOT.transfer_set), 0, 1)]
    assert (
        gathered(more + runs).default.correct[Split.TEST].tolist()
        == gathered(runs).default.correct[Split.TEST].tolist()
    )
    assert gathered(more + runs).seeds == gathered(runs).seeds


def test_a_run_that_diverged_leaves_the_own_model() -> None:
    runs = [*complete(HOT, 0, 1, 2, 3), failed_run(HOT, 4, Failure.DIVERGED), *complete(DEFAULT, *range(5))]
    evidence = gathered(runs)
    assert evidence.seeds == tuple(SEEDS)
    assert evidence.winner is not None
    assert evidence.winner.diverged == 1
    assert evidence.winner.correct[Split.CONFIRMATION][4].tolist() == OWN[Split.CONFIRMATION].tolist()
    assert evidence.winner.forgetting == pytest.approx((0 + 1 + 2 + 3 + 0) / 5)


def test_a_seed_that_the_machine_lost_is_left_out_of_both_arms() -> None:
    lost = [failed_run(HOT, 1, Failure.INFRASTRUCTURE)] * 4
    evidence = gathered([*complete(HOT, 0, 2, 3, 4), *lost, *complete(DEFAULT, *range(5))])
    assert evidence.seeds == tuple(seed for seed in SEEDS if seed != CONFIRMATION_SEEDS + 1)
    assert evidence.default.correct[Split.TEST].shape == (4, 3)


def test_a_retry_that_succeeded_is_what_counts() -> None:
    runs = [
        failed_run(HOT, 0, Failure.INFRASTRUCTURE),
        *complete(HOT, *range(5)),
        *complete(DEFAULT, *range(5)),
    ]
    evidence = gathered(runs)
    assert evidence.winner is not None
    assert (evidence.seeds, evidence.winner.diverged) == (tuple(SEEDS), 0)


def test_without_two_seeds_of_the_winner_the_default_stands_alone() -> None:
    evidence = gathered([*complete(HOT, 0), *complete(DEFAULT, *range(5))])
    assert evidence.winner is None
    assert evidence.seeds == tuple(SEEDS)


RIVALS = {DEFAULT_BUDGET: LONGER, no_teacher(HOT.transfer_set): TAUGHT_BY_NOBODY}


def gathered_by_rule_3(
    runs: list[RunRecord], best: Setting = HOT, rivals: Mapping[str, Setting] = RIVALS
) -> Evidence:
    basis = VerdictBasis(
        trials=2,
        search=SearchBounds(12, 2.0, 0.8),
        ended="it ended",
        winner=best,
        looks=(5,),
        confidence=0.95,
        seed_share=1.0,
        rivals=rivals,
    )
    records = PairRecords(
        pair=Pair(0, 1), study="s", rule=3, bases=(basis,), trials=make_trials(best), runs=runs
    )
    corrected = {split: ~OWN[split] for split in Split}
    evidence = gather(make_plan(), OWN, records, seeds=5, local={}, corrected=corrected)
    assert isinstance(evidence, Evidence)
    owed = pending(make_plan(), records, seeds=5)
    assert {spec.setting for spec in owed} <= set(arms(make_plan(), records).values())
    return evidence


def test_rivals_are_arms_of_their_own_with_the_same_seeds() -> None:
    settings = (HOT, DEFAULT, LONGER, TAUGHT_BY_NOBODY)
    evidence = gathered_by_rule_3([run for setting in settings for run in complete(setting, *range(5))])
    assert [(name, arm.setting) for name, arm in evidence.arms.items()] == [
        ("winner", HOT),
        ("default", DEFAULT),
        (DEFAULT_BUDGET, LONGER),
        (NO_TEACHER, TAUGHT_BY_NOBODY),
    ]
    assert all(arm.rows is None for arm in evidence.arms.values())
    assert evidence.lost == frozenset()
    own = evidence.paired("winner", "corrected", Split.TEST)
    assert own is not None
    np.testing.assert_array_equal(own[1], ~OWN[Split.TEST])


def test_a_rival_pairs_by_the_seeds_that_it_has_and_takes_none_from_the_others() -> None:
    wrong = {Split.CONFIRMATION: [False] * 3, Split.TEST: [False] * 3}
    winners = [*complete(HOT, 0, 1, 3, 4), confirmation_run(HOT, 2, wrong)]
    runs = [*winners, *complete(DEFAULT, *range(5)), *complete(LONGER, 4, 2), *complete(TAUGHT_BY_NOBODY, 0)]
    evidence = gathered_by_rule_3(runs)
    assert evidence.seeds == tuple(SEEDS)
    assert evidence.rivals[DEFAULT_BUDGET].rows == (2, 4)
    pair = evidence.paired("winner", DEFAULT_BUDGET, Split.TEST)
    assert pair is not None
    assert pair[0].tolist() == [[False] * 3, [True] * 3]
    assert pair[1].tolist() == [[True] * 3] * 2
    # Fewer than two seeds compare nothing.
    assert evidence.lost == {NO_TEACHER}
    assert evidence.paired("winner", NO_TEACHER, Split.TEST) is None


def test_a_winner_at_another_budget_or_without_a_teacher_has_no_such_rival() -> None:
    longest = replace(LONGER, epochs=80)
    runs = [*complete(longest, *range(5)), *complete(DEFAULT, *range(5))]
    rivals = {**RIVALS, no_teacher(longest.transfer_set): TAUGHT_BY_NOBODY}
    evidence = gathered_by_rule_3([*runs, *complete(TAUGHT_BY_NOBODY, *range(5))], longest, rivals)
    assert evidence.rivals.keys() == {NO_TEACHER}
    runs = [run for setting in (TUNING, DEFAULT, LONGER) for run in complete(setting, *range(5))]
    assert gathered_by_rule_3(runs, TUNING).rivals.keys() == {DEFAULT_BUDGET}


def test_seeds_beyond_the_plan_are_not_looked_at() -> None:
    evidence = gathered([*complete(HOT, *range(9)), *complete(DEFAULT, *range(9))])
    assert evidence.seeds == tuple(SEEDS)


@pytest.mark.parametrize(
    ("baseline", "runs", "reason"),
    [
        (TrialState.FAIL, [], "never ran to the full budget (loss became nan at step 3)"),
        (TrialState.COMPLETE, [], "no confirmation run of the default setting came to an end"),
        (
            TrialState.COMPLETE,
            [failed_run(DEFAULT, index, Failure.DIVERGED) for index in range(5)],
            "no confirmation run of the default setting came to an end (it was diverged)",
        ),
        (TrialState.COMPLETE, complete(DEFAULT, 0), "fewer than two seeds"),
    ],
)
def test_what_is_lacking_is_said(baseline: TrialState, runs: list[RunRecord], reason: str) -> None:
    lacking = gather_from([make_trial(0, DEFAULT, state=baseline), make_trial(1, HOT)], runs)
    assert isinstance(lacking, InsufficientEvidence)
    assert reason in lacking.reason
