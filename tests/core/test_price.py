"""The price of a run: additive in epochs, monotone in examples, and known for every set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.price import Prices
from autokd.core.records import FederationFacts, ParticipantFacts, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair, Split, TransferSet, moved

sizes = st.integers(2, 10_000)
prices = st.builds(
    Prices, student=sizes, teacher=sizes, public=sizes, validation=sizes, epochs=st.integers(1, 100)
)
sets = st.sampled_from(list(TransferSet))
epochs = st.integers(1, 100)


@given(prices, sets, epochs, epochs)
def test_the_price_of_a_run_is_the_sum_of_its_parts(
    prices: Prices, transfer_set: TransferSet, first: int, second: int
) -> None:
    setting = moved(DEFAULT, transfer_set)
    whole = prices.of_epochs(setting, first + second)
    assert whole == prices.of_epochs(setting, first) + prices.of_epochs(setting, second)
    assert whole > prices.of_epochs(setting, first) > 0 == prices.of_epochs(setting, 0)


@given(prices, sets, epochs)
def test_a_setting_with_a_budget_of_its_own_costs_that(
    prices: Prices, transfer_set: TransferSet, budget: int
) -> None:
    setting = moved(DEFAULT, transfer_set)
    assert prices.of_run(setting) == prices.of_epochs(setting, prices.epochs)
    assert prices.of_run(replace(setting, epochs=budget)) == prices.of_epochs(setting, budget)


@given(prices, sets)
def test_more_examples_never_cost_less(prices: Prices, transfer_set: TransferSet) -> None:
    for name in ("student", "teacher", "public", "validation"):
        larger = replace(prices, **{name: getattr(prices, name) + 1})
        assert larger.of_epoch(transfer_set) >= prices.of_epoch(transfer_set)


def test_what_was_stopped_costs_what_it_ran() -> None:
    prices = Prices(student=30, teacher=33, public=20, validation=40, epochs=10)
    short = TrialRecord(
        number=1,
        setting=moved(DEFAULT, TransferSet.BOTH),
        seed=0,
        role=TrialOrigin.SEARCH,
        state=TrialState.PRUNED,
        curve=((3, 0.5), (6, 0.5)),
    )
    whole = replace(short, setting=DEFAULT, curve=((10, 0.5),), state=TrialState.COMPLETE)
    assert prices.spent([]) == 0
    assert prices.spent([short, whole]) == 6 * 63 + 10 * 30


def test_what_an_epoch_trains_on_by_transfer_set() -> None:
    prices = Prices(student=30, teacher=33, public=20, validation=40, epochs=10)
    expected = {
        "student": 30,
        "teacher": 33,
        "both": 63,
        "public": 20,
        "student_public": 60,
        "validation": 40,
    }
    assert {transfer_set.value: prices.of_epoch(transfer_set) for transfer_set in TransferSet} == expected


def test_a_pairs_prices_come_from_the_facts_of_its_federation() -> None:
    right = np.ones(40, dtype=np.bool_)
    members = tuple(
        ParticipantFacts(
            number=number, architecture="cnn", histogram=histogram, correct={Split.VALIDATION: right}
        )
        for number, histogram in enumerate([(10, 23), (30, 0), (1, 2)])
    )
    facts = FederationFacts(
        name="f-00000000",
        classes=("a", "b"),
        labels={Split.VALIDATION: np.zeros(40, dtype=np.int64)},
        participants=members,
        public=20,
    )
    prices = Prices.of_pair(facts, Pair(teacher=0, student=1), epochs=10)
    assert prices == Prices(student=30, teacher=33, public=20, validation=40, epochs=10)
    assert Prices.of_pair(replace(facts, public=None), Pair(0, 1), epochs=10) is None
