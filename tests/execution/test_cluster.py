"""What a batch makes of a cluster whose nodes come and go, played once for all by `on_a_cluster`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from autokd.core.records import Failure, RunState, Stage, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Pair
from autokd.federation.lookup import find
from autokd.search.study_names import study_name
from autokd.store import Store, sqlite_url
from tests.execution.on_a_cluster import ALONE, MEETING
from tests.federation.conftest import make_recipe
from tests.search.worlds import facts, open_space, tiny_plan

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Aftermath:
    """What was told, and what the store has."""

    home: Path
    told: dict[str, Any]
    store: Store

    def study(self, pair: Pair) -> str:
        return study_name(facts().name, tiny_plan(), open_space(), pair)

    def trials(self, *pairs: Pair) -> list[TrialRecord]:
        return [trial for pair in pairs for trial in self.store.trials(self.study(pair))]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    folder = tmp_path_factory.mktemp("cluster")
    played = subprocess.run(
        [sys.executable, "-m", "tests.execution.on_a_cluster", str(folder)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert played.returncode == 0, played.stderr
    home = folder / "home"
    with Store.open(sqlite_url(home / "store.db"), create=False) as store:
        yield Aftermath(home, json.loads(played.stdout.splitlines()[-1]), store)


def test_a_node_that_leaves_costs_only_its_run_which_is_made_again(aftermath: Aftermath) -> None:
    trials = aftermath.trials(*MEETING)
    (lost,) = (trial for trial in trials if trial.state is TrialState.FAIL)
    assert lost.failure is Failure.INFRASTRUCTURE
    made = [trial for trial in trials if trial.state is not TrialState.FAIL]
    assert (lost.setting, lost.role) in [(trial.setting, trial.role) for trial in made]
    assert len(made) == len(MEETING) * tiny_plan().search.trials


@pytest.mark.parametrize("pair", [*MEETING, ALONE])
def test_every_study_ends_as_planned(aftermath: Aftermath, pair: Pair) -> None:
    trials, runs = aftermath.trials(pair), aftermath.store.runs(aftermath.study(pair))
    assert TrialState.RUNNING not in [trial.state for trial in trials]
    baselines = [trial.state for trial in trials if trial.role is TrialOrigin.BASELINE]
    assert baselines.count(TrialState.COMPLETE) == 1
    assert {run.state for run in runs} == {RunState.COMPLETE}
    confirmed = [(run.setting, run.seed) for run in runs if run.stage is Stage.CONFIRMATION]
    assert len(confirmed) == len(set(confirmed)) >= tiny_plan().confirmation.seeds


def test_a_node_that_joins_is_used(aftermath: Aftermath) -> None:
    facts = aftermath.told
    assert facts["added"] in {node for node, *_ in facts["together"]}
    # Whoever was killed had not yet come to an answer.
    assert facts["removed"] not in {node for node, *_ in facts["together"]}


def test_concurrency_holds_though_there_is_room_for_more(aftermath: Aftermath) -> None:
    work = sorted((began, ended, process) for _, process, began, ended in aftermath.told["alone"])
    assert len(work) > tiny_plan().search.trials
    assert all(span[1] <= other[0] for span, other in pairwise(work))
    assert len({process for *_, process in work}) == 1  # which is kept from one run to the next


def test_a_federation_is_prepared_there_too(aftermath: Aftermath) -> None:
    prepared = find(aftermath.home, make_recipe())
    assert prepared is not None
    assert prepared.name == aftermath.told["prepared"]


def test_no_node_opens_anything_below_the_drivers_home(aftermath: Aftermath) -> None:
    assert not aftermath.told["touched"]
    assert f"open\t{aftermath.home / 'touched'}" in aftermath.told["touched on purpose"]


def test_the_cluster_outlives_the_drivers(aftermath: Aftermath) -> None:
    assert aftermath.told["alive"] == 3
