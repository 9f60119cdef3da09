from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autokd.config.objective import Constraints
from autokd.config.study import CONFIRMATION_SEEDS, RACE_SEEDS, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, RunRecord, Stage, TrialRecord, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, LabelPrior, Pair, Schedule, Setting, Split, TransferSet
from autokd.core.verdict_basis import Belief, SearchBounds, VerdictBasis
from autokd.recommendation.race import alike, candidates, pending, winner
from tests.recommendation.samples import (
    BOTH,
    COOL,
    HOT,
    PUBLIC,
    TUNING,
    WARM,
    confirmation_run,
    failed_run,
    make_plan,
    make_trial,
    make_trials,
    race_run,
)

PAIR = Pair(0, 1)
PLAN = make_plan()
SEEDS = PLAN.confirmation.seeds
JUDGED = {Split.CONFIRMATION: [True, False], Split.TEST: [True]}


def owed_runs(
    config: StudyConfig,
    trials: Sequence[TrialRecord],
    runs: Sequence[RunRecord],
    live: Sequence[RunSpec] = (),
) -> tuple[RunSpec, ...]:
    return pending(config, PairRecords(pair=PAIR, study="s", trials=trials, runs=runs), live)


def finished(run: RunSpec) -> RunRecord:
    """What a worker would bring back; HOT is best in the race."""
    if run.stage is Stage.CONFIRMATION:
        return confirmation_run(run.setting, run.seed - CONFIRMATION_SEEDS, JUDGED)
    return race_run(run.setting, run.seed - RACE_SEEDS, right=9 if run.setting == HOT else 5)


def records_of_pair(trials: Sequence[TrialRecord], runs: Sequence[RunRecord]) -> PairRecords:
    return PairRecords(pair=PAIR, study="s", trials=trials, runs=runs)


def test_candidates_are_the_best_complete_settings() -> None:
    trials = [
        make_trial(0, DEFAULT, 0.99),
        make_trial(1, COOL, 0.6),
        make_trial(2, PUBLIC, 0.9, TrialState.PRUNED),
        make_trial(3, HOT, 0.8),
        make_trial(4, WARM, 0.7),
        make_trial(5, TUNING, 0.1),
        make_trial(6, HOT, 0.75),
        make_trial(7, Setting(9.0, 0.5, BOTH), state=TrialState.FAIL),
    ]
    assert candidates(PLAN, trials) == (HOT, WARM, COOL)


def test_the_lower_number_wins_a_tie_whatever_the_order() -> None:
    trials = [make_trial(0, DEFAULT), make_trial(1, WARM, 0.7), make_trial(2, HOT, 0.7)]
    for order in itertools.permutations(trials):
        assert candidates(PLAN, order) == (WARM, HOT)


def test_a_setting_that_is_practically_the_default_is_no_candidate() -> None:
    near = Setting(temperature=1.001, alpha=0.499, transfer_set=TransferSet.STUDENT)
    elsewhere = Setting(temperature=1.001, alpha=0.499, transfer_set=BOTH)
    trials = [make_trial(0, DEFAULT), make_trial(1, near, 0.9), make_trial(2, elsewhere, 0.6)]
    assert candidates(PLAN, trials) == (elsewhere,)


@pytest.mark.parametrize(
    ("setting", "other", "same"),
    [
        (Setting(2.0, 0.5, BOTH), Setting(2.015, 0.503, BOTH), True),
        (Setting(2.0, 0.5, BOTH), Setting(2.05, 0.5, BOTH), False),
        (Setting(2.0, 0.5, BOTH), Setting(2.0, 0.51, BOTH), False),
        (Setting(2.0, 0.5, BOTH), Setting(2.0, 0.5, TransferSet.TEACHER), False),
        (Setting(1.0, 0.0, BOTH), Setting(16.0, 0.0, BOTH), True),
        (Setting(2.0, None, TransferSet.PUBLIC), Setting(2.01, None, TransferSet.PUBLIC), True),
        (Setting(2.0, None, TransferSet.PUBLIC), Setting(4.0, None, TransferSet.PUBLIC), False),
        (Setting(2.0, 0.5, BOTH), Setting(2.0, 0.5, BOTH, label_prior=LabelPrior.ADJUSTED), False),
        (Setting(1.0, 0.0, BOTH), Setting(1.0, 0.0, BOTH, label_prior=LabelPrior.ADJUSTED), False),
        (Setting(2.0, 1.0, BOTH), Setting(2.0, 1.0, BOTH, label_prior=LabelPrior.ADJUSTED), True),
        (Setting(2.0, 0.5, BOTH), Setting(2.0, 0.5, BOTH, schedule=Schedule.COSINE), False),
        (Setting(1.0, 0.0, BOTH), Setting(4.0, 0.0, BOTH, schedule=Schedule.COSINE), False),
    ],
)
def test_alike_settings(setting: Setting, other: Setting, same: bool) -> None:
    assert alike(setting, other) is same
    assert alike(other, setting) is same


def test_the_race_chooses_by_its_own_runs_only() -> None:
    trials = make_trials(COOL, WARM, HOT)
    runs = [race_run(COOL, i, 5) for i in (0, 1)] + [race_run(WARM, i, 6 + i) for i in (0, 1)]
    assert winner(PLAN, records_of_pair(trials, runs)) is None, "HOT has not run yet"
    runs += [race_run(HOT, i, 6) for i in (0, 1)]
    assert winner(PLAN, records_of_pair(trials, runs)) == WARM
    # A confirmation run, however good, has no say.
    runs.append(confirmation_run(COOL, 0, {Split.VALIDATION: [True], **JUDGED}))
    assert winner(PLAN, records_of_pair(trials, runs)) == WARM


def test_the_better_of_the_search_wins_a_tie_in_the_race() -> None:
    runs = [race_run(setting, i, 7) for setting in (HOT, WARM, COOL) for i in (0, 1)]
    assert winner(PLAN, records_of_pair(make_trials(WARM, HOT, COOL), runs)) == WARM


def raced(*prices: int, right: tuple[int, int]) -> Setting | None:
    """The winner of a race of HOT and WARM, of whose ten examples so many are right, by rule 2."""
    belief = Belief(
        settings=(HOT, WARM),
        mean=(70.0, 70.0),
        covariance=((9.0, 0.0), (0.0, 9.0)),
        noise=1.0,
        prices=prices,
    )
    basis = VerdictBasis(
        trials=3,
        search=SearchBounds(12, 2.0, 0.8),
        ended="it ended",
        winner=None,
        race=belief,
        looks=(2,),
        confidence=0.95,
        seed_share=1.0,
    )
    runs = [race_run(each, i, of) for each, of in zip((HOT, WARM), right, strict=True) for i in (0, 1)]
    records = PairRecords(
        pair=PAIR, study="s", rule=2, bases=(basis,), trials=make_trials(HOT, WARM), runs=runs
    )
    return winner(PLAN, records)


def test_the_cheaper_of_two_that_a_race_cannot_tell_apart_wins() -> None:
    assert raced(400, 100, right=(7, 7)) == WARM
    assert raced(100, 400, right=(7, 7)) == HOT
    assert raced(400, 100, right=(8, 7)) == HOT, "cheap is not good enough"
    assert raced(right=(7, 7)) == HOT, "an earlier version stored no prices"
    assert raced(100, right=(7, 7)) == HOT, "nor are some of them enough"


@pytest.mark.parametrize("failure", [Failure.DIVERGED, Failure.ERROR])
def test_a_candidate_that_fails_for_good_drops_out(failure: Failure) -> None:
    trials = make_trials(HOT, WARM)
    runs = [
        race_run(HOT, 0, 10),
        failed_run(HOT, 1, failure, Stage.RACE),
        race_run(WARM, 0, 1),
        race_run(WARM, 1, 1),
    ]
    assert winner(PLAN, records_of_pair(trials, runs)) == WARM
    assert {run.setting for run in owed_runs(PLAN, trials, runs)} == {WARM, DEFAULT}


def test_if_all_candidates_drop_out_the_default_is_confirmed_alone() -> None:
    trials = make_trials(HOT, WARM)
    runs = [failed_run(setting, i, Failure.DIVERGED, Stage.RACE) for setting in (HOT, WARM) for i in (0, 1)]
    assert winner(PLAN, records_of_pair(trials, runs)) is None
    owed = owed_runs(PLAN, trials, runs)
    assert [(run.stage, run.setting) for run in owed] == [(Stage.CONFIRMATION, DEFAULT)] * SEEDS


def test_a_single_candidate_needs_no_race() -> None:
    assert winner(PLAN, records_of_pair(make_trials(HOT), [])) == HOT
    assert all(run.stage is Stage.CONFIRMATION for run in owed_runs(PLAN, make_trials(HOT), []))


def test_nothing_is_owed_without_a_complete_baseline() -> None:
    trials = [make_trial(0, DEFAULT, state=TrialState.FAIL), make_trial(1, HOT), make_trial(2, WARM)]
    assert owed_runs(PLAN, trials, []) == ()


def test_the_default_is_confirmed_while_the_race_is_on() -> None:
    owed = owed_runs(PLAN, make_trials(HOT, WARM, COOL), [])
    assert [run.stage for run in owed] == [Stage.RACE] * 6 + [Stage.CONFIRMATION] * 5
    assert {run.setting for run in owed[6:]} == {DEFAULT}


def test_winner_and_default_are_confirmed_seed_by_seed() -> None:
    owed = owed_runs(PLAN, make_trials(HOT), [])
    seeds = range(CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + SEEDS)
    assert [(run.seed, run.setting) for run in owed] == list(itertools.product(seeds, [HOT, DEFAULT]))


@settings(max_examples=40)
@given(st.data())
def test_at_most_sixteen_runs_a_pair_in_whatever_order_they_end(data: st.DataObject) -> None:
    trials = make_trials(WARM, HOT, COOL, TUNING)
    runs: list[RunRecord] = []
    live: list[RunSpec] = []
    while owed := (*live, *owed_runs(PLAN, trials, runs, live)):
        run = data.draw(st.sampled_from(owed))
        if run in live:
            live.remove(run)
            runs.append(finished(run))
        else:
            live.append(run)
    assert len(runs) == len({(run.stage, run.setting, run.seed) for run in runs}) == 16
    assert winner(PLAN, records_of_pair(trials, runs)) == HOT


@pytest.mark.parametrize(
    ("failure", "times", "again"),
    [
        (Failure.INFRASTRUCTURE, 2, True),
        (Failure.INFRASTRUCTURE, 3, False),
        (Failure.OUT_OF_MEMORY, 3, False),
        (Failure.INTERRUPTED, 9, True),
        (Failure.DIVERGED, 1, False),
        (Failure.ERROR, 1, False),
    ],
)
def test_retries_end(failure: Failure, times: int, again: bool) -> None:
    runs = [failed_run(DEFAULT, 0, failure)] * times
    owed = owed_runs(PLAN.with_(retries=2), make_trials(HOT), runs)
    assert (RunSpec(PAIR, DEFAULT, CONFIRMATION_SEEDS, Stage.CONFIRMATION) in owed) is again


def test_more_seeds_later_keep_what_was_done() -> None:
    trials = make_trials(HOT)
    runs = [finished(run) for run in owed_runs(PLAN, trials, [])]
    assert owed_runs(PLAN, trials, runs) == ()
    more = make_plan(seeds=7)
    assert {run.seed for run in owed_runs(more, trials, runs)} == {
        CONFIRMATION_SEEDS + 5,
        CONFIRMATION_SEEDS + 6,
    }


LIMITED = PLAN.model_copy(update={"constraints": Constraints(max_forgetting=2.0)})
BY_BOTH, BY_LOCAL = (
    PLAN.model_copy(update={"objective": objective}) for objective in ("gain_minus_forgetting", "gain_local")
)


def forgetful(number: int, setting: Setting, accuracy: float, lost: float) -> TrialRecord:
    return replace(make_trial(number, setting, accuracy), forgetting_curve=(lost,))


def test_a_trial_that_forgets_too_much_does_not_enter_the_race() -> None:
    trials = [make_trial(0, DEFAULT), forgetful(1, HOT, 0.9, 2.5), forgetful(2, WARM, 0.8, 2.0)]
    assert candidates(PLAN, trials) == (HOT, WARM)
    assert candidates(LIMITED, trials) == (WARM,)


def test_candidates_are_the_best_by_the_objective() -> None:
    trials = [
        make_trial(0, DEFAULT),
        forgetful(1, HOT, 0.90, 8.0),
        forgetful(2, WARM, 0.85, 0.0),
        forgetful(3, COOL, 0.70, -3.0),
    ]
    assert candidates(PLAN, trials) == (HOT, WARM, COOL)
    assert candidates(BY_BOTH, trials) == (WARM, HOT, COOL)
    assert candidates(BY_LOCAL, trials) == (COOL, WARM, HOT)


def test_the_race_too_is_won_by_the_objective_and_within_the_limit() -> None:
    trials = make_trials(HOT, WARM)
    lost = {HOT: 30.0, WARM: 1.0}
    runs = [
        replace(race_run(setting, index, right), forgetting=lost[setting])
        for setting, right in ((HOT, 9), (WARM, 7))
        for index in range(2)
    ]
    assert winner(PLAN, records_of_pair(trials, runs)) == HOT
    assert winner(LIMITED, records_of_pair(trials, runs)) == WARM
    assert winner(BY_BOTH, records_of_pair(trials, runs)) == WARM
    strict = PLAN.model_copy(update={"constraints": Constraints(max_forgetting=0.5)})
    assert winner(strict, records_of_pair(trials, runs)) is None
