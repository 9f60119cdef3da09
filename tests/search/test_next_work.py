from __future__ import annotations

from dataclasses import replace

from autokd.config.study import CONFIRMATION_SEEDS, RACE_SEEDS, SEARCH_SEED, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, RunRecord, Stage, TrialOrigin, TrialRecord, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, AnyPair, Pair, Setting, TransferSet
from autokd.core.verdict_basis import Belief, VerdictBasis
from autokd.search.ending import Outlook
from autokd.search.next_work import PairSearch, next_work, searches_over
from tests.search.worlds import BACKWARD, FORWARD, costs, record, tiny_plan

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
    return PairSearch(records, costs(PLAN, records.pair), **fields)  # type: ignore[arg-type]


def other(*trials: TrialRecord) -> PairSearch:
    records = PairRecords(pair=BACKWARD, study="backward", trials=trials)
    return PairSearch(records, costs(PLAN, BACKWARD))


def ask(*meeting: PairSearch, config: StudyConfig = PLAN) -> RunSpec | AnyPair | None:
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


# By rule 2

WINNER = tried(2, 0.7).setting
LEFT = Setting(9.0, 0.25, TransferSet.BOTH)
BASIS = VerdictBasis(
    trials=3,
    search=PLAN.search.bounds,
    ended="it ended",
    winner=WINNER,
    looks=(2, 3, 5),
    confidence=0.97,
    seed_share=1.0,
)
SURE = Outlook(sure=0.9, epsilon=1.5, regret=0.5, best=WINNER, ends=True)
UNSURE = replace(SURE, sure=0.5, ends=False)
LONG = PLAN.with_(trials=9)


def newer(
    *trials: TrialRecord,
    bases: tuple[VerdictBasis, ...] = (),
    runs: tuple[RunRecord, ...] = (),
    pair: Pair = FORWARD,
    **fields: object,
) -> PairSearch:
    records = PairRecords(pair=pair, study=str(pair), rule=2, trials=trials, bases=bases, runs=runs)
    return PairSearch(records, costs(LONG, pair), **fields)  # type: ignore[arg-type]


def over(*meeting: PairSearch, config: StudyConfig = LONG) -> list[AnyPair]:
    return [search.pair for search in searches_over(config, meeting, validation_examples=200)]


def test_a_search_that_is_sure_gets_no_further_trial() -> None:
    assert ask(newer(*SEARCHED, outlook=UNSURE), config=LONG) == FORWARD
    assert ask(newer(*SEARCHED), config=LONG) == FORWARD
    sure = newer(*SEARCHED, outlook=SURE)
    # There is nothing to confirm either before it is stored what the verdict rests on.
    assert ask(sure, config=LONG) is None
    assert over(sure) == [FORWARD]
    assert over(newer(*SEARCHED, outlook=UNSURE)) == []


def test_the_setting_that_is_believed_to_be_best_runs_before_the_search_ends() -> None:
    search = newer(*SEARCHED, outlook=replace(SURE, best=LEFT))
    assert search.favourite == LEFT
    assert ask(search, config=LONG) == FORWARD
    assert over(search) == []
    begun = replace(tried(3, 0.7), setting=LEFT, state=TrialState.RUNNING, curve=())
    running = newer(*SEARCHED, begun, outlook=search.outlook)
    # It is begun once; while it runs nothing else is, and the search is not over.
    assert running.favourite is None
    assert ask(running, config=LONG) is None
    assert over(running) == []
    running.put_trial(replace(begun, state=TrialState.COMPLETE, curve=((10, 0.7),)))
    assert over(running) == [FORWARD]


def test_a_favourite_runs_only_within_the_trials_of_the_recipe() -> None:
    search = newer(*SEARCHED, outlook=replace(SURE, best=LEFT))
    assert ask(search) is None
    assert over(search, config=PLAN) == [FORWARD]
    assert newer(*SEARCHED, outlook=replace(UNSURE, best=LEFT)).favourite is None


def test_a_search_that_has_ended_stays_so_whatever_is_believed_later() -> None:
    ended = replace(BASIS, search=LONG.search.bounds)
    for view in (None, SURE, UNSURE, replace(SURE, best=LEFT)):
        search = newer(*SEARCHED, bases=(ended,), outlook=view)
        assert not search.is_open(LONG.search)
        assert ask(search, config=LONG) != FORWARD
    for more in ({"trials": 12}, {"epsilon": 0.5}, {"confidence": 0.9}):
        config = LONG.with_(**more)
        assert ask(newer(*SEARCHED, bases=(ended,), outlook=UNSURE), config=config) == FORWARD
        assert ask(newer(*SEARCHED, bases=(ended,), outlook=SURE), config=config) != FORWARD


def test_a_pair_is_confirmed_as_soon_as_its_own_search_is_over() -> None:
    first = RunSpec(FORWARD, WINNER, CONFIRMATION_SEEDS, Stage.CONFIRMATION)
    searching = newer(BASELINE, replace(tried(1, 0.6), state=TrialState.RUNNING), pair=BACKWARD)
    done = newer(*SEARCHED, bases=(BASIS,))
    assert ask(done, replace(searching, exhausted=True)) == first
    # By rule 1 only the default would be, which depends on no winner.
    rule_1 = ask(state(*SEARCHED), replace(searching, exhausted=True))
    assert isinstance(rule_1, RunSpec)
    assert rule_1.setting == DEFAULT


def test_the_runs_of_a_look_come_first_and_those_of_the_next_when_it_is_wanted() -> None:
    runs: list[RunRecord] = []
    for seeds in (None, 3):
        while (work := ask(newer(*SEARCHED, bases=(BASIS,), runs=tuple(runs), seeds=seeds))) is not None:
            assert isinstance(work, RunSpec)
            assert work.stage is Stage.CONFIRMATION
            runs.append(record(work))
        wanted = range(CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + (seeds or 2))
        assert [(run.seed, run.setting) for run in runs] == [
            (seed, setting) for seed in wanted for setting in (WINNER, DEFAULT)
        ]


def test_a_race_comes_before_the_winner_and_beside_the_default() -> None:
    settings = (WINNER, tried(1, 0.6).setting)
    belief = Belief(settings=settings, mean=(70.0, 69.0), covariance=((9.0, 0.0), (0.0, 9.0)), noise=4.0)
    raced = replace(BASIS, winner=None, race=belief)
    runs: list[RunRecord] = []
    while (work := ask(newer(*SEARCHED, bases=(raced,), runs=tuple(runs)))) is not None:
        assert isinstance(work, RunSpec)
        runs.append(record(work))
    race = [run.setting for run in runs if run.stage is Stage.RACE]
    assert race == list(settings)
    confirmed = {run.setting for run in runs if run.stage is Stage.CONFIRMATION}
    assert DEFAULT in confirmed
    assert len(confirmed) == 2


def test_two_pairs_of_rule_2_have_trials_of_their_own() -> None:
    """By rule 1 what one pair leaves goes to the other."""
    both = newer(*SEARCHED, outlook=SURE), newer(BASELINE, pair=BACKWARD)
    many = (BASELINE, *(tried(number, 0.6) for number in range(1, LONG.search.trials)))
    assert ask(*both, config=LONG) == BACKWARD
    assert ask(both[0], newer(*many, pair=BACKWARD), config=LONG) is None
    assert over(both[0], newer(BASELINE, pair=BACKWARD)) == [FORWARD]


def test_a_search_with_a_trial_to_be_repeated_is_not_over() -> None:
    lost = replace(tried(3, 0.6), state=TrialState.FAIL, failure=Failure.INTERRUPTED, curve=())
    assert over(newer(*SEARCHED, lost, outlook=SURE)) == []
    assert over(newer(*SEARCHED, outlook=SURE), config=LONG.with_asked([ASKED])) == []
