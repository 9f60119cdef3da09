from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from itertools import chain, cycle, repeat
from pathlib import Path
from threading import Timer
from typing import Any, final

import pytest
from sqlalchemy import event, text

from autokd.core.records import TrialOrigin, TrialState
from autokd.core.run_spec import RunFailure, RunSpec
from autokd.core.setting import DEFAULT
from autokd.errors import LeaseLost, StoreError, StoreUnreachable
from autokd.store import Outage, Store, retrying, sqlite_url
from tests.postgres import Postgres, private_postgres
from tests.search.worlds import FORWARD, World, made, tiny_plan
from tests.store.drivers import expire
from tests.store.samples import DISTRIBUTIONS, complete_run, facts, failed_run, rung

STUDY = "federation/plan/4->9"


@final
class Fickle:
    """A part of a store whose calls fail `before` they are done, `after` that, or not at all (`fine`).

    With `cut`, they fail before they are done because a connection was cut.
    """

    def __init__(self, part: Any, fates: Iterator[str]) -> None:
        self._part, self._fates = part, fates

    def evict(self, study: str) -> None:
        """Asks no database."""
        self._part.evict(study)

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            fate = next(self._fates)
            if fate == "cut":
                raise StoreUnreachable("it was cut", momentary=True)
            if fate == "before":
                raise StoreUnreachable("it is away")
            answer = getattr(self._part, name)(*args, **kwargs)
            if fate == "after":
                raise StoreUnreachable("it went away")
            return answer

        return call


def make_fickle(store: Store, fates: Iterator[str]) -> None:
    """Let all later calls to the database fail by turns."""
    for part in ("_trials", "_own"):
        setattr(store, part, Fickle(getattr(store, part), fates))


def once(*fates: str) -> Iterator[str]:
    return chain(fates, repeat("fine"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time between tries."""
    monkeypatch.setattr(retrying, "_FIRST_WAIT", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(sqlite_url(tmp_path / "store.db")) as opened:
        opened.create_study(STUDY, attributes={})
        yield opened


def outcome(world: World) -> tuple[object, ...]:
    """All that a search came to."""
    runs = [(run.stage, run.setting, run.seed, run.state) for run in world.runs()]
    return [trial.number for trial in world.trials()], made(world.trials()), sorted(runs, key=str)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    world = World(tmp_path_factory.mktemp("whole"), tiny_plan(), meetings=[[FORWARD]])
    world.work()
    world.close()
    return outcome(world)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("seed", range(3))
def test_whatever_fails_before_or_after_nothing_is_lost_or_doubled(
    tmp_path: Path, seed: int, uninterrupted: tuple[object, ...]
) -> None:
    outages: list[Outage | None] = []
    dice = random.Random(seed)
    fates = iter(lambda: dice.choices(["before", "after", "fine"], [3, 3, 4])[0], None)

    def prepare(store: Store, studies: Collection[str]) -> None:
        store.leases.acquire(studies, on_outage=outages.append)
        make_fickle(store, fates)

    world = World(tmp_path, tiny_plan(), meetings=[[FORWARD]], prepare=prepare)
    world.work()
    assert outcome(world) == uninterrupted
    assert {trial.state for trial in world.trials()} <= {TrialState.COMPLETE, TrialState.PRUNED}
    # Half of at least thirty calls fail; each outage ends once.
    assert len([outage for outage in outages if outage]) > 10
    assert outages[-1] is None
    world.close()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fate", ["before", "after"])
def test_a_failed_run_which_may_be_there_twice_is_added_once(store: Store, fate: str) -> None:
    store.add_run(STUDY, failed_run())
    store.leases.acquire([STUDY])
    make_fickle(store, once("fine", fate))
    store.add_run(STUDY, failed_run())
    assert len(store.runs(STUDY)) == 2


def test_the_runs_of_a_study_are_counted_once_while_a_lease_is_held(store: Store) -> None:
    store.add_run(STUDY, complete_run())
    store.leases.acquire([STUDY])
    statements: list[str] = []
    event.listen(store._engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for seed in range(3):
        store.add_run(STUDY, complete_run(seed=seed))
    assert len([statement for statement in statements if "count(" in statement]) == 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fate", ["before", "after"])
def test_a_trial_like_the_last_one_is_another_trial(store: Store, fate: str) -> None:
    """So it is not what was begun, but how many, that tells whether it was."""
    store.leases.acquire([STUDY])
    make_fickle(store, once("fine", "fine", "fine", fate))
    for number in range(3):
        begun = store.begin_trial(
            STUDY, DEFAULT, seed=0, role=TrialOrigin.BASELINE, distributions=DISTRIBUTIONS
        )
        assert begun.number == number
    assert len(store.trials(STUDY)) == 3


@pytest.mark.usefixtures("quick")
def test_the_listener_hears_of_every_try_and_of_the_end(store: Store) -> None:
    outages: list[Outage | None] = []
    store.leases.acquire([STUDY], on_outage=outages.append)
    make_fickle(store, once("before", "before", "before"))
    store.trials(STUDY)
    first, second, third, end = outages
    assert end is None
    assert first is not None
    assert first.reason == "it is away"
    assert [outage.tries for outage in (first, second, third) if outage] == [1, 2, 3]
    assert {outage.since for outage in (first, second, third) if outage} == {first.since}


@pytest.mark.usefixtures("quick")
def test_what_is_only_read_is_read_again(store: Store) -> None:
    store.put_federation(facts("federation"))
    store.create_study(STUDY, attributes={"teacher": 4})
    store.leases.acquire([STUDY])
    make_fickle(store, cycle(["before", "after", "fine"]))
    assert store.studies() == (STUDY,)
    assert store.attributes(STUDY) == {"teacher": 4}
    assert store.federation("unknown") is None
    known = store.federation("federation")
    assert known is not None
    assert known.name == "federation"


def test_waits_grow_up_to_a_bound(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(retrying.OutageRetry, "_sleep", lambda self, seconds: waits.append(seconds))
    store.leases.acquire([STUDY])
    make_fickle(store, once(*["before"] * 10))
    store.trials(STUDY)
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15, 15]


@pytest.mark.parametrize(
    "before", [lambda store: None, lambda store: store.leases.acquire([STUDY]).release()]
)
def test_without_a_lease_nothing_is_waited_for(store: Store, before: Callable[[Store], None]) -> None:
    before(store)
    make_fickle(store, repeat("before"))
    began = time.monotonic()
    with pytest.raises(StoreUnreachable, match="it is away"):
        store.trials(STUDY)
    assert time.monotonic() - began < 0.2


def test_without_a_lease_a_cut_connection_is_tried_again_for_some_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "_FIRST_WAIT", 0.01)
    make_fickle(store, once(*["cut"] * 5))
    assert store.trials(STUDY) == ()
    monkeypatch.setattr(retrying, "_MOMENT_SECONDS", 0.3)
    make_fickle(store, repeat("cut"))
    began = time.monotonic()
    with pytest.raises(StoreUnreachable, match="it was cut"):
        store.trials(STUDY)
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("quick")
def test_a_call_that_took_long_before_it_was_cut_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "_MOMENT_SECONDS", 0.1)

    def fates() -> Iterator[str]:
        time.sleep(0.15)
        yield "cut"
        yield from repeat("fine")

    make_fickle(store, fates())
    assert store.trials(STUDY) == ()


@pytest.mark.usefixtures("quick")
def test_who_is_stopping_tries_again_only_after_a_cut_and_twice(store: Store) -> None:
    store.leases.acquire([STUDY])
    store.leases.give_up()
    make_fickle(store, once("cut", "cut"))
    assert store.trials(STUDY) == ()
    make_fickle(store, once("cut", "cut", "cut"))
    with pytest.raises(StoreUnreachable, match="it was cut"):
        store.trials(STUDY)


def test_giving_up_ends_a_wait_and_all_later_ones(store: Store) -> None:
    store.leases.acquire([STUDY])
    make_fickle(store, repeat("before"))
    Timer(0.5, store.leases.give_up).start()
    for most in (3.0, 0.2):
        began = time.monotonic()
        with pytest.raises(StoreUnreachable, match="it is away"):
            store.report(STUDY, 0, rung(3))
        assert time.monotonic() - began < most


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fate", ["before", "after"])
def test_who_was_followed_during_the_outage_writes_nothing_more(store: Store, fate: str) -> None:
    with Store.open(store.url) as other:

        def follow(outage: Outage | None) -> None:
            if outage is not None:
                expire(store.url)
                other.leases.acquire([STUDY])

        store.leases.acquire([STUDY], on_outage=follow)
        make_fickle(store, once("fine", fate))
        with pytest.raises(LeaseLost):
            store.add_run(STUDY, complete_run())
        assert len(store.runs(STUDY)) == (fate == "after")
        with pytest.raises(LeaseLost):
            store.add_run(STUDY, complete_run(seed=1))


@pytest.mark.parametrize(
    ("pragma", "problem"),
    [("query_only = ON", "readonly database"), ("max_page_count = 1", "database or disk is full; make room")],
)
def test_what_does_not_mend_itself_is_not_waited_for(store: Store, pragma: str, problem: str) -> None:
    outages: list[Outage | None] = []
    store.leases.acquire([STUDY], on_outage=outages.append)
    kept = 0
    with store._engine.connect() as connection:
        connection.execute(text(f"PRAGMA {pragma}"))
    with pytest.raises(StoreError, match=problem) as caught:  # noqa: PT012
        for kept in range(200):
            store.add_run(STUDY, complete_run(seed=kept))
    assert not isinstance(caught.value, StoreUnreachable)
    assert outages == []
    with Store.open(store.url, create=False) as again:
        assert len(again.runs(STUDY)) == kept
        again.add_run(STUDY, complete_run(seed=kept))


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with private_postgres() as server:
        yield server


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_is_stopped_and_started_costs_only_time(
    tmp_path: Path,
    mode: str,
    postgres: Postgres,
    uninterrupted: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three times, each for longer than the lease lasts."""
    monkeypatch.setenv("AUTOKD_LEASE_SECONDS", "1")
    outages: list[Outage | None] = []
    starts: list[Timer] = []
    calls = Counter[str]()

    def fate(spec: RunSpec) -> RunFailure | None:
        """Lives; but at some of the reports the server goes away before it is heard."""
        calls["reports"] += 1
        if calls["reports"] in (2, 9, 17):
            postgres.stop(mode)
            starts.append(Timer(1.5, postgres.start))
            starts[-1].start()
        return None

    world = World(
        tmp_path,
        tiny_plan(),
        meetings=[[FORWARD]],
        address=postgres.url,
        prepare=lambda store, studies: store.leases.acquire(studies, on_outage=outages.append),
    )
    world.work(fate=fate)
    for start in starts:
        start.join()
    assert len(starts) == 3
    # On a busy machine, one more may be: the server ends a transaction that sits idle for as long as a lease.
    assert outages.count(None) >= 3
    assert outcome(world) == uninterrupted
    assert {trial.state for trial in world.trials()} <= {TrialState.COMPLETE, TrialState.PRUNED}
    world.close()
