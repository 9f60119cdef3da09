"""Several teachers from search to model: real runs, in real workers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from autokd.core.records import Stage
from autokd.core.setting import DEFAULT, AnyPair, Group, Method, Pair, Setting, TransferSet
from autokd.errors import NotTuned, PlanError
from autokd.report.facts.report import ReportFacts
from autokd.report.page import page
from autokd.workflows.candidates import groups_of
from autokd.workflows.distill import distill
from autokd.workflows.export import export
from autokd.workflows.recommend import recommend, recommend_all
from autokd.workflows.report import report_data
from autokd.workflows.status import status
from autokd.workflows.tune import tune, tune_all
from autokd.workspace import Workspace
from tests.paths import FEW, ROOT

SMALL = ROOT / "tests" / "compatibility" / "small.yaml"
GROUP = Group((0, 2, 3), 1)
TAUGHT = Setting(2.0, 0.5, TransferSet.STUDENT_PUBLIC, method=Method.SUREST, teachers=(0, 1, 3))


@pytest.mark.ray
def test_a_group_is_tuned_and_everything_shows_it(home: Path) -> None:
    workspace = Workspace.open(SMALL, home=home, space=FEW, trials=4, try_=[TAUGHT])
    outcome = tune(workspace, GROUP)
    (answer,) = outcome.recommendations
    assert answer.pair == GROUP
    with workspace.open_store(create=False) as store:
        (study,) = store.studies()
        attributes, trials, runs = store.attributes(study), store.trials(study), store.runs(study)
    assert study.endswith("/{0,2,3}->1")
    assert sorted(map(int, attributes["chain"].split())) == [0, 2, 3]
    assert trials[0].setting == DEFAULT
    assert any(trial.setting == TAUGHT for trial in trials)
    assert {run.stage for run in runs} <= {Stage.RACE, Stage.CONFIRMATION}

    # Everything was stored, and nothing runs again.
    assert tune_all(workspace, [GROUP]).ran == 0
    assert recommend(workspace, GROUP).to_json() == answer.to_json()
    assert answer.to_json()["position"] is None
    (listed,) = recommend_all(workspace, [GROUP])
    assert listed.way_out == "autokd tune --student 1 --teachers 0,2,3"

    shown = status(workspace)
    assert shown.pairs == ()
    (overview,) = shown.groups
    assert overview.pair == GROUP
    assert overview.verdict == answer.verdict.value
    assert shown.whole is not None
    assert shown.whole.best_pair is None
    after = shown.whole.several
    assert after is not None
    gain = answer.recommended_gain.mean / 100 / 4
    assert after.accuracy == pytest.approx(shown.whole.before + gain)

    data = report_data(workspace)
    assert data.pairs == []
    facts = ReportFacts(data)
    assert [row.group for row in facts.groups] == [GROUP]
    assert "{0,2,3}-&gt;1" in page(facts)

    rows = export(workspace, home / "all.parquet")
    table = parquet.read_table(home / "all.parquet")
    assert rows == table.num_rows
    assert set(table["candidates"].to_pylist()) == {"0 2 3"}
    assert set(table["teacher"].to_pylist()) == {None}

    card = distill(workspace, GROUP, home / "student.safetensors", setting=TAUGHT)
    content = json.loads((home / "student.json").read_text())
    assert content["pair"] == {"teachers": [0, 2, 3], "student": 1}
    assert "--student 1 --teachers 0,2,3" in card.request.command
    assert "--taught-by 0,1,3" in card.request.command
    again = distill(workspace, GROUP, home / "again.safetensors", setting=replace(TAUGHT))
    assert again.sha256 == card.sha256


def opened(home: Path) -> Workspace:
    return Workspace.open(SMALL, home=home)


def test_candidates_are_named_by_numbers_or_all(tmp_path: Path) -> None:
    workspace = opened(tmp_path)
    assert groups_of(workspace, "3, 0,2", 1) == (GROUP,)
    assert groups_of(workspace, "all", 1) == (GROUP,)
    assert groups_of(workspace, "2", 1) == (Pair(2, 1),)
    everybody = groups_of(workspace, "0,3", None)
    assert everybody == (Pair(3, 0), Group((0, 3), 1), Group((0, 3), 2), Pair(0, 3))
    mixed: list[AnyPair] = [Pair(3, 0), Group((0, 3), 2), Pair(0, 3)]
    assert sorted(mixed) == mixed[::-1]


@pytest.mark.parametrize(
    ("text", "student", "words"),
    [
        ("0,9", 1, "participant 9 does not exist"),
        ("0,1", 1, "cannot teach itself"),
        ("", 1, "names no teachers"),
        ("0;2", 1, "no participant '0;2'"),
        ("best:0", 1, "'best:0': say how many of the best"),
        ("0", 7, "participant 7 does not exist"),
    ],
)
def test_other_candidates_are_refused(tmp_path: Path, text: str, student: int, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        groups_of(opened(tmp_path), text, student)


def test_the_best_are_not_known_before_a_pair_is_tuned(tmp_path: Path) -> None:
    with pytest.raises(NotTuned):
        groups_of(opened(tmp_path), "best:2", 1)
