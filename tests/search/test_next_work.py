from __future__ import annotations

from dataclasses import replace

from autokd.config.study import CONFIRMATION_SEEDS, RACE_SEEDS, SEARCH_SEED, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, RunRecord, Stage, TrialOrigin, TrialRecord, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, Pair, Setting, TransferSet
from autokd.search.next_work import PairSearch, next_work
from tests.search.worlds import BACKWARD, FORWARD, record, tiny_plan

PLAN = tiny_plan(trials=3)
BASELINE = TrialRecord(
    number=0,
    setting=DEFAULT,
    seed=SEARCH_SEED,
    role=TrialOrigin.BASELINE,
    state=TrialState.COMPLETE,
    curve=((3, 0.5), (6, 0.5), (10, 0.5)),
)


def tried(number: int, accuracy: float) -> TrialRecord:
    return TrialRecord(
        number=number,
        setting=Setting(float(number + 1), 0.25, TransferSet.BOTH),
        seed=SEARCH_SEED,
        role=TrialOrigin.SEARCH,
        state=TrialState.COMPLETE,
        curve=((10, accuracy),),
    )


SEARCHED = (BASELINE, tried(1, 0.6), tried(2, 0.7))


def state(*trials: TrialRecord, runs: tuple[RunRecord, ...] = (), **fields: object) -> PairSearch:
    records = PairRecords(pair=FORWARD, study="forward", trials=trials, runs=runs)
    return PairSearch(records, **fields)  # type: ignore[arg-type]


def other(*trials: TrialRecord) -> PairSearch:
    return PairSearch(PairRecords(pair=BACKWARD, study="backward", trials=trials))


def ask(*meeting: PairSearch, config: StudyConfig = PLAN) -> RunSpec | Pair | None:
    return next_work(config, meeting, validation_examples=200)


def test_the_default_comes_first_in_each_study() -> None:
    assert ask(state(), other()) == RunSpec(FORWARD, DEFAULT, SEARCH_SEED, None, TrialOrigin.BASELINE)
    assert ask(state(BASELINE), other()) == RunSpec(
        BACKWARD, DEFAULT, SEARCH_SEED, None, TrialOrigin.BASELINE
    )


def test_then_trials_while_the_baseline_still_runs() -> None:
    running = replace(BASELINE, state=TrialState.RUNNING, curve=())
    assert ask(state(running)) == FORWARD


def test_what_died_of_infrastructure_comes_before_anything_new() -> None:
    lost = replace(tried(1, 0.6), state=TrialState.FAIL, failure=Failure.INFRASTRUCTURE, curve=())
    assert ask(state(BASELINE, lost)) == RunSpec(FORWARD, lost.setting, SEARCH_SEED, None, TrialOrigin.SEARCH)


def test_after_the_search_the_race_and_the_default_of_the_confirmation() -> None:
    first = ask(state(*SEARCHED))
    assert first == RunSpec(FORWARD, tried(2, 0.7).setting, RACE_SEEDS, Stage.RACE)


def test_while_the_last_trial_runs_the_default_is_confirmed_and_nothing_else() -> None:
    last = replace(tried(2, 0.7), state=TrialState.RUNNING)
    default = RunSpec(FORWARD, DEFAULT, CONFIRMATION_SEEDS, Stage.CONFIRMATION)
    assert ask(state(BASELINE, tried(1, 0.6), last)) == default
    live = {str(index): replace(default, seed=CONFIRMATION_SEEDS + index) for index in range(2)}
    assert ask(state(BASELINE, tried(1, 0.6), last, live=live)) is None


def test_the_other_study_of_the_meeting_must_be_searched_too() -> None:
    running = replace(tried(1, 0.6), state=TrialState.RUNNING)
    # The two have a budget of 6 together, and used 5.
    assert ask(state(*SEARCHED), other(BASELINE, running)) in (FORWARD, BACKWARD)


def test_it_comes_to_an_end() -> None:
    runs: list[RunRecord] = []
    while (work := ask(state(*SEARCHED, runs=tuple(runs)))) is not None:
        assert isinstance(work, RunSpec)
        runs.append(record(work))
        assert len(runs) <= 2 + 4
    assert len(runs) == 2 + 4
    default = {run.seed for run in runs if run.stage is Stage.CONFIRMATION and run.setting == DEFAULT}
    winner = {run.seed for run in runs if run.stage is Stage.CONFIRMATION and run.setting != DEFAULT}
    assert default == winner == {CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + 1}
    assert {run.seed for run in runs if run.stage is Stage.RACE} == {RACE_SEEDS}


def test_a_study_whose_baseline_failed_for_good_is_over() -> None:
    dead = replace(BASELINE, state=TrialState.FAIL, failure=Failure.DIVERGED, curve=())
    assert ask(state(dead)) is None
    assert ask(state(dead, tried(1, 0.6))) is None


def test_an_exhausted_grid_goes_on_to_the_race() -> None:
    work = ask(state(BASELINE, tried(1, 0.6), exhausted=True))
    assert isinstance(work, RunSpec)
    assert work.stage is Stage.CONFIRMATION


ASKED = Setting(32.0, 0.9, TransferSet.BOTH)
ASKING = PLAN.with_asked([ASKED])


def asked_for(pair: Pair) -> RunSpec:
    return RunSpec(pair, ASKED, SEARCH_SEED, None, TrialOrigin.ASKED)


def test_what_the_user_asked_for_comes_right_after_the_default_in_each_study() -> None:
    running = replace(BASELINE, state=TrialState.RUNNING, curve=())
    mine = replace(tried(1, 0.6), setting=ASKED, role=TrialOrigin.ASKED, state=TrialState.RUNNING, curve=())
    assert ask(state(), other(), config=ASKING) == RunSpec(
        FORWARD, DEFAULT, SEARCH_SEED, None, TrialOrigin.BASELINE
    )
    assert ask(state(running), other(running), config=ASKING) == asked_for(FORWARD)
    assert ask(state(running, mine), other(running), config=ASKING) == asked_for(BACKWARD)
    assert ask(state(running, mine), config=ASKING) == FORWARD


def test_it_counts_against_the_trials_and_runs_beyond_them() -> None:
    mine = replace(tried(3, 0.6), setting=ASKED, role=TrialOrigin.ASKED)
    race = RunSpec(FORWARD, tried(2, 0.7).setting, RACE_SEEDS, Stage.RACE)
    assert ask(state(BASELINE, tried(1, 0.7), mine), config=ASKING) != FORWARD
    assert ask(state(*SEARCHED), config=ASKING) == asked_for(FORWARD)
    assert ask(state(*SEARCHED, mine), config=ASKING) == race


def test_nothing_is_tried_where_the_default_failed_for_good() -> None:
    dead = replace(BASELINE, state=TrialState.FAIL, failure=Failure.DIVERGED, curve=())
    assert ask(state(dead), config=ASKING) is None
