"""What runs cost in a space, and what is left of a search: by hand, and for any sizes and budgets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.search import rungs_of
from autokd.core.pair_records import PairRecords
from autokd.core.price import NOTHING, Load, Prices
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, TransferSet, moved
from autokd.core.verdict_basis import DEFAULT_BUDGET, Belief, VerdictBasis, no_teacher
from autokd.search.costs import Costs, expected_epochs
from autokd.search.next_work import PairSearch
from autokd.search.progress import expected_confirmation, work_left
from tests.search.worlds import FORWARD, costs, open_space, tiny_plan

PLAN = tiny_plan()
OTHER = Setting(2.0, 0.5, DEFAULT.transfer_set)
SETS = (TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH, TransferSet.PUBLIC)
GRACEFUL = tiny_plan(stopping={"rungs": (3, 6), "reduction": 2, "grace": 6})

sizes = st.integers(1, 10_000)
budgets = st.lists(st.integers(1, 80), min_size=1, max_size=4, unique=True).map(
    lambda numbers: tuple(sorted(numbers))
)
any_costs = st.builds(
    Costs,
    prices=st.builds(
        Prices, student=sizes, teacher=sizes, public=sizes, validation=sizes, epochs=st.just(10)
    ),
    transfer_sets=st.lists(st.sampled_from(SETS), min_size=1, unique=True).map(tuple),
    budgets=budgets,
)


@given(any_costs, st.sampled_from(SETS), st.integers(1, 80) | st.none())
def test_the_examples_of_a_setting_are_its_epochs_times_those_of_its_set(
    costs: Costs, transfer_set: TransferSet, epochs: int | None
) -> None:
    prices = costs.prices
    of_set = {
        TransferSet.STUDENT: prices.student,
        TransferSet.TEACHER: prices.teacher,
        TransferSet.BOTH: prices.student + prices.teacher,
        TransferSet.PUBLIC: prices.public,
    }
    trained = epochs or 10
    setting = replace(moved(DEFAULT, transfer_set), epochs=epochs)
    assert costs.of(setting) == Load(1, trained, trained * of_set[transfer_set])


@given(any_costs)
def test_a_setting_that_is_not_known_costs_the_mean_and_never_more_than_the_largest(costs: Costs) -> None:
    every = [
        costs.of(replace(moved(DEFAULT, examples), epochs=budget))
        for examples in costs.transfer_sets
        for budget in costs.budgets
    ]
    assert costs.usual.examples == pytest.approx(sum(load.examples for load in every) / len(every))
    assert costs.largest == Load(1, max(costs.budgets), max(load.examples for load in every))
    assert all(load.fits(costs.largest) for load in every)
    early = costs.of_a_trial(PLAN, [])
    assert early.fits(costs.usual * (1 + 1e-9))


def trial(
    number: int,
    epochs: int,
    state: TrialState = TrialState.PRUNED,
    setting: Setting = OTHER,
) -> TrialRecord:
    curve = ((epochs, 0.5),) if epochs else ()
    role = TrialOrigin.SEARCH
    return TrialRecord(number=number, setting=setting, seed=0, role=role, state=state, curve=curve)


def test_how_far_a_trial_gets() -> None:
    """Rungs 3, 6, 10, of which half go on: 3 + 3/2 + 4/4 = 5.5 epochs, with the weight of four trials."""
    own = costs(PLAN, FORWARD, open_space(transfer_set=["student"]))
    assert own.of_a_trial(PLAN, []) == Load(1, 5.5, 550)
    seen = own.of_a_trial(PLAN, [trial(number, 3) for number in range(1, 5)])
    assert seen == Load(1, (5.5 + 3) / 2, 100 * (5.5 + 3) / 2)
    # Those under way say nothing yet; those that could not be stopped say nothing of the others.
    assert own.of_a_trial(PLAN, [trial(5, 3, TrialState.RUNNING)]).epochs == 5.5
    assert own.of_a_trial(GRACEFUL, [trial(5, 10, TrialState.COMPLETE)]).epochs == 5.5
    # With budgets of 10 and 20: half of these go on to the end, 3 + 3/2 + 4/4 + 10/8.
    long = costs(PLAN, FORWARD, open_space(transfer_set=["both"], epochs=[10, 20]))
    assert long.of_a_trial(PLAN, []) == Load(1, (5.5 + 6.75) / 2, 200 * (5.5 + 6.75) / 2)


@given(st.integers(1, 100), st.integers(0, 100))
def test_a_trial_in_progress_is_expected_to_reach_its_next_rung_and_never_beyond_its_end(
    budget: int, since: int
) -> None:
    rest = expected_epochs(PLAN, budget, since=since)
    following = [rung for rung in rungs_of(PLAN.rungs, budget) if rung > since]
    if not following:
        assert rest == 0
    else:
        assert following[0] - since <= rest <= budget - since
    assert expected_epochs(PLAN, budget) <= budget


def test_the_rest_of_a_trial_is_that_of_its_own_setting() -> None:
    own = costs(PLAN, FORWARD)
    both = Setting(2.0, 0.5, TransferSet.BOTH, epochs=20)
    begun = trial(7, 6, TrialState.RUNNING, both)
    # To rung 10 for sure, and from there to the end in half of the cases.
    assert own.left_of(PLAN, begun) == Load(1, 4 + 5, 200 * (4 + 5))
    assert own.left_of(GRACEFUL, replace(begun, number=3)) == Load(1, 14, 200 * 14)


def search(rule: int, **fields: object) -> PairSearch:
    records = PairRecords(pair=Pair(0, 1), study="s", rule=rule, **fields)  # type: ignore[arg-type]
    return PairSearch(records, costs(PLAN, Pair(0, 1), open_space(epochs=[10, 20, 60])), closed=True)


@pytest.mark.parametrize("rule", [2, 3])
def test_of_a_confirmation_only_the_default_is_sure_to_have_the_recipes_budget(rule: int) -> None:
    looks = PLAN.confirmation.looks
    seeds, default, unknown = looks[len(looks) // 2], Load(1, 10, 1000), Load(1, 30, 30 * 112.5)
    # By rule 3 the same examples without a teacher, and the default at a budget of its own.
    beside = unknown if rule == 2 else unknown * 2 + Load(1, 30, 3000)
    assert work_left(PLAN, [[search(rule)]], ()) == (default + beside) * seeds
    # What is best so far stands for the winner.
    both = Setting(2.0, 0.5, TransferSet.BOTH, epochs=60)
    winner, best = Load(1, 60, 12_000), trial(1, 60, TrialState.COMPLETE, both)
    beside = winner if rule == 2 else winner * 2 + Load(1, 60, 6000)
    known = expected_confirmation(PLAN, search(rule, trials=(best,)))
    assert known == (default + beside) * seeds
    # Without one, the best ones of other pairs do.
    assert expected_confirmation(PLAN, search(rule), {replace(both, temperature=1.0): 3}) == known
    assert expected_confirmation(PLAN, search(rule, trials=(best,)), {OTHER: 3}) == known


def test_by_rule_1_two_candidates_race_and_two_arms_are_confirmed() -> None:
    expected = expected_confirmation(PLAN, search(1))
    assert expected == Load(1, 30, 30 * 112.5) * 2 + (Load(1, 10, 1000) + Load(1, 30, 30 * 112.5)) * 2


def test_arms_that_join_after_the_race_cost_what_they_are_known_to_be() -> None:
    """The winner is one of the raced settings; each rival is known but for the examples of the winner."""
    short, long = (
        Setting(2.0, 0.5, sets, epochs=n) for sets, n in ((TransferSet.STUDENT, 10), (TransferSet.BOTH, 60))
    )
    basis = VerdictBasis(
        trials=3,
        search=PLAN.search.bounds,
        ended="it ended",
        winner=None,
        race=Belief(settings=(short, long), mean=(1.0, 1.0), covariance=((1.0, 0.0), (0.0, 1.0)), noise=1.0),
        looks=(2, 3, 5),
        confidence=0.97,
        seed_share=1.0,
        rivals={
            DEFAULT_BUDGET: replace(DEFAULT, epochs=20),
            no_teacher(TransferSet.STUDENT): Setting(1.0, 0.0, TransferSet.STUDENT),
            no_teacher(TransferSet.BOTH): Setting(1.0, 0.0, TransferSet.BOTH, epochs=20),
        },
    )
    baseline = replace(trial(0, 10, TrialState.COMPLETE, DEFAULT), role=TrialOrigin.BASELINE)
    racing = search(3, trials=(baseline,), bases=(basis,))
    raced = [Load(1, 10, 1000), Load(1, 60, 12_000)]
    default = Load(1, 10, 1000) * 2
    joining = Load(1, 35, 6500) + Load(1, 20, 2000) + Load(1, 15, 2500)
    assert work_left(PLAN, [[racing]], ()) == sum(raced, default) + joining * 2
    # The seeds of the look in question count, and what has ended no longer does.
    racing.seeds = 3
    assert work_left(PLAN, [[racing]], ()) == sum(raced, Load(1, 10, 1000) * 3) + joining * 3
    assert work_left(PLAN, [], ()) == NOTHING
