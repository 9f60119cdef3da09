"""A store and a federation of an earlier version open, upgrade, answer the same and can be extended."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from pyarrow import parquet

from autokd.cli.app import run
from autokd.core.tensor_format import FORMER_FORMAT
from autokd.store import Store, sqlite_url
from tests.cli.conftest import Outcome

FOLDER = Path(__file__).parent
PAIRS = 12

Ask = Callable[..., Outcome]


@pytest.fixture(scope="module")
def old_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home as commit bb3545b left it; for reading."""
    home = tmp_path_factory.mktemp("old") / "home"
    shutil.unpack_archive(FOLDER / "home.zip", home)
    return home


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command of the small study in this process."""

    def call(home: Path, command: str, *arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["autokd", command, *options(home), *map(str, arguments)])
        capsys.readouterr()
        code = run()
        return Outcome(code, *capsys.readouterr())

    return call


def options(home: Path) -> tuple[str, ...]:
    return "--study", str(FOLDER / "small.yaml"), "--home", str(home)


def expected(name: str) -> Any:
    return json.loads((FOLDER / "expected" / f"{name}.json").read_text())


COSTS_IN_EXAMPLES = {"examples_spent", "cost_of_sweep_in_examples", "sweep_budget"}


def without_what_is_new(recommendation: dict[str, Any]) -> dict[str, Any]:
    """What the earlier version wrote: no decision, no number of its only rule, and costs in epochs alone."""
    new = {"decision", *COSTS_IN_EXAMPLES}
    recommendation = {key: recommendation[key] for key in recommendation if key not in new}
    decided_on = recommendation.get("decided_on")
    if decided_on is None:
        return recommendation
    assert decided_on["rule"] == 1
    return {**recommendation, "decided_on": {key: decided_on[key] for key in decided_on if key != "rule"}}


def test_recommends_the_same_to_the_last_digit(ask: Ask, old_home: Path) -> None:
    recommendations = json.loads(ask(old_home, "recommend", "--all", "--json").out)
    assert len(recommendations) == PAIRS
    assert [without_what_is_new(recommendation) for recommendation in recommendations] == expected(
        "recommend_all"
    )


def test_recommends_the_same_in_another_space(ask: Ask, old_home: Path) -> None:
    private = ask(old_home, "recommend", "--pair", "0,1", "--space", "private", "--json").json()
    assert without_what_is_new(private) == expected("recommend_private")


@pytest.mark.parametrize(("command", "name"), [("status", "status"), ("observations", "observations")])
def test_shows_the_same(ask: Ask, old_home: Path, command: str, name: str) -> None:
    shown, before = json.loads(ask(old_home, command, "--json").out), expected(name)
    if (
        command == "status"
    ):  # It tells more today: costs in training examples, findings, the whole federation.
        shown["pairs"] = [
            {key: now[key] for key in then} for now, then in zip(shown["pairs"], before["pairs"], strict=True)
        ]
        shown = {key: shown[key] for key in before}
    if command == "observations":  # A sweep of few pairs hid what searches show; today it does not.
        figures = [then["figure"] for then in before["observations"]]
        for output in (shown, before):
            output["observations"] = [
                claim for claim, figure in zip(output["observations"], figures, strict=True) if figure
            ]
        assert shown["observations"]
    assert shown == before


def test_explains_the_same_without_a_run(ask: Ask, old_home: Path, tmp_path: Path) -> None:
    home = shutil.copytree(old_home, tmp_path / "home")
    explanation = ask(home, "explain", "--pair", "0,1", "--json").json()
    assert explanation == expected("explain")


def test_exports_the_same_table(ask: Ask, old_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.parquet"
    assert ask(old_home, "export", "--out", out).code == 0
    assert parquet.read_table(out).equals(parquet.read_table(FOLDER / "expected" / "table.parquet"))


def test_tuning_again_runs_nothing_and_changes_no_answer(ask: Ask, old_home: Path, tmp_path: Path) -> None:
    home = shutil.copytree(old_home, tmp_path / "home")
    before = counts(home)
    again = ask(home, "tune", "--all", "--json")
    assert again.code == 0, again.err
    assert "began with the space default as it was before, and keep it" in " ".join(again.err.split())
    assert counts(home) == before
    recommendations = json.loads(ask(home, "recommend", "--all", "--json").out)
    assert [without_what_is_new(recommendation) for recommendation in recommendations] == expected(
        "recommend_all"
    )


@pytest.mark.slow
@pytest.mark.ray
def test_more_trials_extend_the_same_study(ask: Ask, old_home: Path, tmp_path: Path) -> None:
    home = shutil.copytree(old_home, tmp_path / "home")
    before, trials = counts(home), trial_rows(home)
    further = ask(home, "tune", "--pair", "0,1", "--trials", "10")
    assert further.code == 0, further.err
    after = counts(home)
    assert after["studies"] == before["studies"]
    assert after["trials"] >= before["trials"] + 4  # both pairs of the meeting have two trials more
    assert trial_rows(home)[: len(trials)] == trials
    answer = ask(home, "recommend", "--pair", "0,1", "--json").json()
    assert answer["study"] == expected("recommend_all")[0]["study"]
    assert sum(answer["trials"].values()) > sum(expected("recommend_all")[0]["trials"].values())
    # It goes on as it began: the older trials name no tensor format, the newer ones the former.
    added = f"SELECT key, value_json FROM trial_user_attributes WHERE trial_id > {trials[-1][0]}"
    formats = {row for row in rows(home, added) if row[0] in ("memory_format", "precision")}
    assert formats == {("memory_format", '"contiguous"'), ("precision", '"float32"')}


def test_another_layout_than_the_study_began_with_is_refused(
    ask: Ask, old_home: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(old_home, tmp_path / "home")
    before = counts(home)
    more = ("--pair", "0,1", "--trials", "10")
    refused = ask(home, "tune", *more, "--memory-format", "channels_last")
    assert refused.code == 2
    assert "the stored runs of pair 0->1 are contiguous" in refused.err
    assert "leave --memory-format out" in refused.err
    assert counts(home) == before


def test_every_stored_run_counts_as_contiguous_and_float32(ask: Ask, old_home: Path, tmp_path: Path) -> None:
    home = shutil.copytree(old_home, tmp_path / "home")
    assert ask(home, "recommend", "--pair", "0,1", "--json").code == 0
    with Store.open(sqlite_url(home / "autokd.db")) as store:
        studies = store.studies()
        formats = [trial.tensor_format for study in studies for trial in store.trials(study)]
        formats += [run.tensor_format for study in studies for run in store.runs(study)]
        assert not any(run.logits for study in studies for run in store.runs(study)), "none were kept"
    assert len(formats) > PAIRS
    assert set(formats) == {FORMER_FORMAT}


def test_the_schema_is_upgraded_to_the_newest(ask: Ask, old_home: Path, tmp_path: Path) -> None:
    home = shutil.copytree(old_home, tmp_path / "home")
    assert ask(home, "tune", "--pair", "0,1", "--json").code == 0
    migrations = ScriptDirectory(str(FOLDER.parents[1] / "autokd" / "store" / "migrations"))
    assert rows(home, "SELECT version_num FROM autokd_alembic_version") == [(migrations.get_current_head(),)]


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(home / "autokd.db") as connection:
        rows = connection.execute(query).fetchall()
    connection.close()
    return rows


def counts(home: Path) -> dict[str, int]:
    """Rows of the tables that a run adds to."""
    return {
        table: rows(home, f"SELECT count(*) FROM {table}")[0][0]
        for table in ("studies", "trials", "autokd_run", "autokd_recommendation")
    }


def trial_rows(home: Path) -> list[tuple[Any, ...]]:
    return rows(home, "SELECT * FROM trials ORDER BY trial_id")
