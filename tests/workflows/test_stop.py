"""Asking drivers to stop: which ones, how long it takes, and what is said of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from autokd.core.setting import Pair
from autokd.errors import NotTuned
from autokd.search.study_names import preparation_name, rivals_name, study_name, sweep_name
from autokd.store import Lease, Store
from autokd.workflows.callbacks import Callbacks
from autokd.workflows.stop import stop
from autokd.workspace import Workspace
from tests.search.worlds import BACKWARD, FORWARD, open_space, tiny_plan
from tests.store.drivers import expire

FEDERATION = "formula-00000000"
OTHERS = Pair(2, 3)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    storage = f"sqlite:///{tmp_path / 'store.db'}"
    return Workspace(config=tiny_plan(), space=open_space(), home=tmp_path, storage=storage, study="tiny")


@pytest.fixture
def enter(workspace: Workspace) -> Iterator[Callable[[], Store]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(workspace.open_store(create=True))


def name(workspace: Workspace, pair: Pair) -> str:
    return study_name(FEDERATION, workspace.config, workspace.space, pair)


@contextmanager
def obedient(lease: Lease, *, seconds: float = 0.0) -> Iterator[threading.Thread]:
    """A driver that ends so many seconds after it was asked to."""

    def work() -> None:
        while not (lease.asked_to_stop or over.is_set()):
            time.sleep(0.02)
        over.wait(seconds)
        lease.release()

    over, thread = threading.Event(), threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        over.set()
        thread.join()


def test_where_nothing_runs_there_is_nothing_to_stop(
    workspace: Workspace, enter: Callable[[], Store]
) -> None:
    with pytest.raises(NotTuned, match="--storage"):
        stop(workspace)
    enter()
    stopped = stop(workspace)
    assert (stopped.drivers, stopped.elsewhere) == ((), ())
    assert stopped.to_json() == {"drivers": [], "elsewhere": []}


def test_it_waits_until_the_driver_has_ended_and_tells_how_far_it_was(
    workspace: Workspace, enter: Callable[[], Store]
) -> None:
    waits: list[tuple[Sequence[str], float]] = []

    class Heard(Callbacks):
        def on_waiting(self, owners: Sequence[str], seconds: float) -> None:
            waits.append((tuple(owners), seconds))

    store = enter()
    names = [name(workspace, pair) for pair in (BACKWARD, FORWARD, OTHERS)]
    with obedient(store.leases.acquire(names), seconds=1.5) as driver:
        store.put_recommendation(names[0], {"verdict": "tuned"})
        stopped = stop(workspace, [FORWARD], callbacks=Heard())
        driver.join(timeout=5)
        assert not driver.is_alive()
    (ended,) = stopped.drivers
    assert (ended.command, ended.judged, ended.was_alive, ended.ended) == ("tune", 1, True, True)
    # It stops with all of its pairs.
    assert ended.pairs == (FORWARD, BACKWARD, OTHERS)
    assert f"process {os.getpid()}" in ended.owner
    assert [owners for owners, _ in waits] == [(ended.owner,)] * len(waits)
    assert waits[-1][1] > waits[0][1]
    assert stopped.to_json()["drivers"][0] == {
        "owner": ended.owner,
        "since": ended.since.isoformat(timespec="seconds"),
        "command": "tune",
        "pairs": [{"teacher": 0, "student": 1}, {"teacher": 1, "student": 0}, {"teacher": 2, "student": 3}],
        "judged": 1,
        "was_alive": True,
        "ended": True,
    }


def test_without_waiting_it_returns_at_once(workspace: Workspace, enter: Callable[[], Store]) -> None:
    with enter().leases.acquire([name(workspace, FORWARD)]) as lease:
        (asked,) = stop(workspace, wait=False).drivers
        assert (asked.was_alive, asked.ended) == (True, False)
        assert not lease.lost


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("sweep", lambda place: [sweep_name(FEDERATION, place.config, FORWARD)]),
        (
            "explain",
            lambda place: [name(place, FORWARD), rivals_name(FEDERATION, place.config, FORWARD)],
        ),
        ("prepare", lambda place: [preparation_name(place.config.federation)]),
    ],
)
def test_every_command_that_has_runs_done_can_be_stopped(
    workspace: Workspace, enter: Callable[[], Store], command: str, names: Callable[[Workspace], list[str]]
) -> None:
    with obedient(enter().leases.acquire(names(workspace))):
        (stopped,) = stop(workspace, [FORWARD]).drivers
    assert stopped.command == command
    assert stopped.pairs == (() if command == "prepare" else (FORWARD,))


def test_other_pairs_recipes_and_spaces_are_left_alone_and_named(
    workspace: Workspace, enter: Callable[[], Store]
) -> None:
    narrow = replace(workspace, space=open_space(name="narrow"))
    other = replace(workspace, config=workspace.config.model_copy(update={"name": "tiny-open"}))
    names = [name(narrow, FORWARD), name(other, FORWARD), name(workspace, OTHERS)]
    leases = [enter().leases.acquire([each]) for each in names]
    stopped = stop(workspace, [FORWARD, BACKWARD])
    assert stopped.drivers == ()
    assert [each for _, each in stopped.elsewhere] == names
    time.sleep(1.5)
    assert [lease.asked_to_stop for lease in leases] == ["", "", ""]
    with obedient(leases[0]):
        assert [each.pairs for each in stop(narrow).drivers] == [(FORWARD,)]


def test_an_edited_recipe_still_stops_what_it_started(
    workspace: Workspace, enter: Callable[[], Store]
) -> None:
    recipe = workspace.config.distillation.model_copy(update={"epochs": 20})
    edited = replace(workspace, config=workspace.config.model_copy(update={"distillation": recipe}))
    assert name(edited, FORWARD) != name(workspace, FORWARD)
    with obedient(enter().leases.acquire([name(workspace, FORWARD)])):
        assert len(stop(edited).drivers) == 1


def test_a_driver_that_is_gone_is_not_waited_for(workspace: Workspace, enter: Callable[[], Store]) -> None:
    lease = enter().leases.acquire([name(workspace, FORWARD)])
    expire(workspace.storage)
    (gone,) = stop(workspace).drivers
    assert (gone.was_alive, gone.ended) == (False, True)
    time.sleep(1.5)
    assert lease.asked_to_stop == ""


def test_one_that_dies_meanwhile_is_not_waited_for(workspace: Workspace, enter: Callable[[], Store]) -> None:
    enter().leases.acquire([name(workspace, FORWARD)])

    class Kills(Callbacks):
        def on_waiting(self, owners: Sequence[str], seconds: float) -> None:
            expire(workspace.storage)

    (gone,) = stop(workspace, callbacks=Kills()).drivers
    assert (gone.was_alive, gone.ended) == (True, True)
