from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from autokd.cli.status import at_work
from autokd.config.space import sweep_epochs
from autokd.core.pair_records import PairRecords
from autokd.core.price import Prices
from autokd.core.records import TrialState
from autokd.core.setting import Pair
from autokd.errors import StoreError
from autokd.store import DriverFacts, Store, sqlite_url
from autokd.workflows.results import StoredResults
from autokd.workflows.status import DriverStatus, Overview, overview, pair_overview
from tests.search.worlds import BACKWARD, FORWARD, World, tiny_plan

ANSWER = {
    "verdict": "tuned",
    "gain": {"mean": 4.5, "low": 1.0, "high": 8.0},
    "setting": {"temperature": 4.0, "alpha": 0.5},
    "recommended": {"answer": "tuned", "gain": {"mean": 4.5, "low": 1.0, "high": 8.0}},
    "decided_on": {"default_gain": {"mean": 3.5, "low": 0.0, "high": 7.0}, "p_beats_default": 0.98},
}


def test_an_overview_counts_what_the_store_has(tmp_path: Path) -> None:
    world = World(tmp_path, tiny_plan(trials=12))
    world.work()
    pairs = (FORWARD, BACKWARD)
    seen = [pair_overview(world.records(pair), ANSWER) for pair in pairs]
    for pair, of_pair in zip(pairs, seen, strict=True):
        assert sum(of_pair.trials.values()) == len(world.trials(pair))
        assert of_pair.search_epochs == sum(trial.epochs for trial in world.trials(pair))
        assert of_pair.confirmation_epochs == 10 * of_pair.runs > 0
        assert (of_pair.verdict, of_pair.gain, of_pair.answer) == ("tuned", 4.5, "tuned")
        assert of_pair.advised is not None
        assert (of_pair.advised.gain, of_pair.advised.confirmed, of_pair.p_beats_default) == (
            4.5,
            3.5,
            0.98,
        )
    whole = Overview(
        federation="f",
        participants=4,
        pairs=tuple(seen),
        sweep_epochs=sweep_epochs(world.config, world.space, 2),
    )
    assert whole.judged == 2
    assert whole.cost_in_examples is None
    assert whole.to_json()["cost_of_sweep_in_examples"] is None
    assert whole.to_json()["pairs"][0]["examples_spent"] == {"search": None, "confirmation": None}
    prices = Prices(student=30, teacher=33, public=20, validation=40, epochs=10)
    counted = [pair_overview(world.records(pair), ANSWER, prices) for pair in pairs]
    priced = replace(whole, pairs=tuple(counted), sweep_examples=1_000_000, sweep_budget=10)
    searched = sum(prices.spent(world.trials(pair)) for pair in pairs)
    confirmed = sum(prices.spent(world.runs(pair)) for pair in pairs)
    assert priced.cost_in_examples == (searched / 1e6, confirmed / 1e6)
    assert priced.to_json()["cost_of_sweep_in_examples"]["search"] == round(searched / 1e6, 6) > 0
    assert priced.to_json()["pairs"][0]["examples_spent"]["search"] == prices.spent(world.trials(FORWARD))
    assert priced.cost == whole.cost, "epochs stay beside examples"
    search, confirmation = whole.cost
    assert confirmation == sum(10 * of_pair.runs for of_pair in seen) / (76 * 10 * 2)
    assert search == sum(of_pair.search_epochs for of_pair in seen) / (76 * 10 * 2)
    content = json.loads(json.dumps(whole.to_json()))
    assert content["verdicts"] == {"tuned": 2}
    assert [entry["pair"] for entry in content["pairs"]] == [
        {"teacher": 0, "student": 1},
        {"teacher": 1, "student": 0},
    ]


FORGED = {
    "role of a trial": "UPDATE trial_user_attributes SET value_json = '\"x\"' WHERE key = 'role'",
    "value of a trial": "UPDATE trial_user_attributes SET value_json = '{' WHERE key = 'seed'",
    "recommendation": "INSERT INTO autokd_recommendation VALUES (:study, '[1]')",
    "recommendation without gain": "INSERT INTO autokd_recommendation VALUES (:study, '{}')",
    "bits of a run": "UPDATE autokd_run_correct SET bits = x'00'",
}


@pytest.mark.parametrize("forged", FORGED)
def test_one_forged_row_hides_one_pair(tmp_path: Path, forged: str, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path, tiny_plan(trials=2), meetings=[[FORWARD]], rule=2)
    world.work()
    other = World(tmp_path, tiny_plan(trials=2), meetings=[[BACKWARD]])
    other.queue.assign("a")
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        of_pair = "SELECT trial_id FROM trials JOIN studies USING (study_id) WHERE study_name = :study"
        statement = FORGED[forged]
        if "trial_user" in statement:
            statement += f" AND trial_id IN ({of_pair})"
        connection.execute(statement, {"study": world.names[FORWARD]} if ":study" in statement else {})
        connection.commit()
    with Store.open(sqlite_url(tmp_path / "store.db")) as store:
        results = StoredResults(world.config, world.space, world.facts, store)
        results.only_read()
        with caplog.at_level(logging.WARNING, "autokd"):
            seen = overview(results, [FORWARD, BACKWARD, Pair(2, 3)], {})
            assert [results.is_readable(pair) for pair in (BACKWARD, Pair(2, 3))] == [True, True]
    assert [of_pair.pair for of_pair in seen.pairs] == [BACKWARD]
    (notice,) = [record.message for record in caplog.records]
    assert notice.startswith(f"pair {FORWARD} is left out: ")


def test_a_pair_that_is_not_judged_has_no_verdict(tmp_path: Path) -> None:
    world = World(tmp_path, tiny_plan())
    world.queue.assign("a")
    of_pair = pair_overview(world.records(FORWARD), None)
    assert (of_pair.verdict, of_pair.gain, of_pair.answer, of_pair.trials) == (
        None,
        None,
        None,
        {TrialState.RUNNING: 1},
    )
    assert of_pair.to_json()["trials"] == {"RUNNING": 1, "COMPLETE": 0, "PRUNED": 0, "FAIL": 0}


def test_a_pair_that_failed_has_a_verdict_and_no_gain() -> None:
    failed = {
        "verdict": "failed",
        "gain": None,
        "setting": None,
        "recommended": {"answer": "as-is", "gain": {"mean": 0.0, "low": 0.0, "high": 0.0}},
        "decided_on": {"default_gain": None, "p_beats_default": None},
    }
    of_pair = pair_overview(PairRecords(pair=FORWARD, study="s"), failed)
    assert (of_pair.verdict, of_pair.gain, of_pair.answer) == ("failed", None, "as-is")
    assert of_pair.advised is not None
    assert (of_pair.advised.trains, of_pair.advised.confirmed) == (False, 0.0)


def test_a_recommendation_of_an_older_version_says_what_it_says() -> None:
    older = {"verdict": "tuned", "gain": {"mean": 4.5}, "recommended": {"answer": "tuned"}}
    of_pair = pair_overview(PairRecords(pair=FORWARD, study="s"), older)
    assert (of_pair.verdict, of_pair.gain, of_pair.answer) == ("tuned", 4.5, "tuned")
    assert of_pair.advised is None
    assert of_pair.p_beats_default is None


def driver(**words: object) -> DriverFacts:
    return DriverFacts(owner="ann@node, process 7", since=86_400.5, alive=True, words=words, age=4.0)


def test_what_is_left_is_told_from_now_and_not_from_when_the_driver_told_it() -> None:
    status = DriverStatus.of(driver(ended=12, left=30, per_second=2.5, seconds_left=12.0))
    assert (status.ended, status.left, status.per_second, status.seconds_left) == (12, 30, 2.5, 8.0)
    assert DriverStatus.of(driver(seconds_left=3.0)).seconds_left == 0.0
    assert status.to_json() == {
        "owner": "ann@node, process 7",
        "since": "1970-01-02T00:00:00+00:00",
        "alive": True,
        "runs_ended": 12,
        "runs_left": 30,
        "runs_per_second": 2.5,
        "seconds_left": 8,
        "asked_to_stop": None,
    }


def test_a_driver_that_was_asked_to_stop_says_by_whom() -> None:
    facts = replace(driver(ended=12), asked_to_stop="bob@node, process 8")
    assert DriverStatus.of(facts).to_json()["asked_to_stop"] == "bob@node, process 8"
    assert "asked to stop by bob@node, process 8" in at_work(DriverStatus.of(facts))


def test_a_driver_that_has_told_nothing_is_at_work_all_the_same() -> None:
    status = DriverStatus.of(driver())
    assert (status.ended, status.left, status.per_second, status.seconds_left) == (None, None, None, None)
    json.dumps(status.to_json())


@pytest.mark.parametrize(
    "words", [{"left": "many"}, {"ended": [1]}, {"left": float("inf")}, {"per_second": float("nan")}]
)
def test_words_that_no_driver_has_told_are_said_to_be_so(words: dict[str, object]) -> None:
    with pytest.raises(StoreError, match="what its driver tells"):
        DriverStatus.of(driver(**words))
