"""Judging a searched meeting: what of it is kept and shown, and that nothing is done twice."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna_dashboard import get_note
from sqlalchemy import event

from autokd.search.transfer import known_noise
from autokd.store import Store
from autokd.workflows.publishing import judge_and_publish
from autokd.workflows.results import StoredResults
from tests.search.worlds import BACKWARD, FORWARD, World, tiny_plan


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A meeting in which nothing is left to do."""
    world = World(tmp_path, tiny_plan())
    world.work(workers=2)
    yield world
    world.close()


@pytest.fixture
def store(world: World) -> Store:
    world.store.leases.acquire(world.names.values())
    return world.store


@pytest.fixture
def results(world: World, store: Store) -> StoredResults:
    return StoredResults(world.config, world.space, world.facts, store)


def writes(world: World) -> list[str]:
    """What is written from now on, the driver's own rows apart."""
    written: list[str] = []

    def executed(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("SELECT") and "autokd_driver" not in statement:
            written.append(statement)

    event.listen(world.store.optuna_storage.engine, "after_cursor_execute", executed)
    return written


def note_of(world: World) -> str:
    study = optuna.load_study(study_name=world.names[FORWARD], storage=world.store.optuna_storage)
    return str(get_note(study))


def test_a_judged_pair_is_shown_with_what_was_recommended(
    world: World, results: StoredResults, store: Store
) -> None:
    answer = judge_and_publish(results, FORWARD)
    note, shown = note_of(world), store.attributes(world.names[FORWARD])
    assert note.startswith(f"## 0->1: {answer['decision']['action'].replace('_', ' ')} ")
    assert f"### The setting: {answer['verdict']}\n" in note
    assert "autokd tune --study tiny --space open --pair 0,1 --trials 6" in note
    assert shown["verdict"] == answer["verdict"]
    assert shown["gain"] == pytest.approx(answer["gain"]["mean"], abs=0.005)
    assert shown["default_gain"] == pytest.approx(answer["default_gain"]["mean"], abs=0.005)


def test_again_nothing_is_written(world: World, results: StoredResults) -> None:
    first = {pair: judge_and_publish(results, pair) for pair in (FORWARD, BACKWARD)}
    written = writes(world)
    assert {pair: judge_and_publish(results, pair) for pair in (FORWARD, BACKWARD)} == first
    assert written == []


def test_one_that_was_judged_before_there_were_notes_gets_its_own(
    world: World, results: StoredResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(Store, "publish_dashboard", lambda *arguments, **more: None)
        answer = judge_and_publish(results, FORWARD)
    assert note_of(world) == ""
    written = writes(world)
    assert judge_and_publish(results, FORWARD) == answer
    assert note_of(world).startswith("## 0->1")
    assert not any("autokd_recommendation" in statement for statement in written)


def test_a_pair_of_rule_2_leaves_its_noise_to_those_that_come_later(tmp_path: Path) -> None:
    """As it is stored, so that a batch that is killed and resumed knows the same."""

    def of_rule_2(store: Store, studies: Collection[str]) -> None:
        for name in studies:
            store.create_study(name, attributes={"rule": 2})

    world = World(tmp_path, tiny_plan(), rule=2, prepare=of_rule_2)
    world.work()
    forward, backward = (world.names[pair] for pair in (FORWARD, BACKWARD))
    assert not known_noise(world.store, [backward]).others(backward)
    with world.store.leases.acquire(world.names.values()):
        results = StoredResults(world.config, world.space, world.facts, world.store)
        answer = judge_and_publish(results, FORWARD)
        assert answer["decided_on"]["rule"] == 2
        judgement = results.recommendation(FORWARD).judgement
        assert judgement is not None
        samples = judgement.variance_samples()
        assert world.store.noise(forward) == samples
        known = known_noise(world.store, [backward])
        assert known.others(backward) == {name: [sample] for name, sample in samples.items()}
        # A pair hears nothing of itself.
        assert not known.others(forward)
        judge_and_publish(results, BACKWARD)
    assert len(known_noise(world.store, [backward]).others("f/r/2->3")["confirmation/default gain"]) == 2
    world.close()
