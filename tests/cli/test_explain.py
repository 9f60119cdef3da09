"""A tuned pair explained, and the observations of its store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from autokd.core.tensor_format import FORMER_FORMAT
from tests.cli.conftest import Command, Tuned, dump, tensor_formats
from tests.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.ray]
OLD = ROOT / "tests" / "compatibility"
ALWAYS = {
    "as_is",
    "partner",
    "average",
    "default",
    "default_on_teacher",
    "default_on_both",
    "default_on_public",
    "default_learning_rate",
    "validation",
}


def is_interval(value: Any) -> bool:
    return set(value) == {"mean", "low", "high"} and value["low"] <= value["mean"] <= value["high"]


def test_a_tuned_pair_is_explained_once(here: Command, tmp_path: Path) -> None:
    """In the home of an earlier version: its runs are short, and this pair has not been explained yet."""
    home = tmp_path / "home"
    shutil.unpack_archive(OLD / "home.zip", home)
    where = ("--study", OLD / "small.yaml", "--home", home)
    arguments = ("explain", "--pair", "2,3", *where)
    first = here(*arguments)
    assert first.code == 0, first.err
    assert max(map(len, first.out.splitlines())) <= 80
    assert "teacher or data: " in first.out

    # The alternatives are compared with runs of an earlier version.
    assert tensor_formats(home / "autokd.db") == {FORMER_FORMAT}
    before = dump(home / "autokd.db")
    second = here(*arguments, "--json")
    assert [line for line in second.err.splitlines() if "nothing was left to do" in line]
    assert "runs done" not in second.err
    again = second.json()
    assert dump(home / "autokd.db") == before
    rivals = {rival["rival"]: rival for rival in again["rivals"]}
    assert rivals.keys() >= ALWAYS
    for rival in rivals.values():
        for split in ("confirmation", "test"):
            assert is_interval(rival["gain"][split])
            assert is_interval(rival["difference"][split])
    assert rivals["validation"]["setting"] == {
        "temperature": 1.0,
        "alpha": 0.0,
        "transfer_set": "validation",
    }
    for split, worth in again["where_the_gain_comes_from"].items():
        parts = sum(part["mean"] for part in worth["parts"].values())
        assert parts == pytest.approx(worth["total"]["mean"], abs=1e-6), split
    assert again["budget"]["owed"] == 0

    assert here("export", *where, "--out", "table.parquet").code == 0
    rows = parquet.read_table(tmp_path / "table.parquet").to_pylist()
    made = [row for row in rows if row["stage"] == "rival" and (row["teacher"], row["student"]) == (2, 3)]
    assert {row["state"] for row in made} == {"COMPLETE"}
    assert any(row["learning_rate"] for row in rows if row["stage"] == "race")
    on_validation = [row for row in made if row["transfer_set"] == "validation"]
    assert len(on_validation) == 3
    assert all(row["validation_accuracy"] is None and row["test_accuracy"] for row in on_validation)


def test_observations_say_what_a_single_meeting_cannot_tell(here: Command, tuned: Tuned) -> None:
    output = here("observations", "--home", tuned.home)
    assert output.code == 0, output.err
    assert max(map(len, output.out.splitlines())) <= 80
    observations = here("observations", "--home", tuned.home, "--json").json()["observations"]
    assert {observation["status"] for observation in observations} == {"not measurable here"}
    assert all(observation["how"] for observation in observations)


@pytest.mark.parametrize(
    "arguments", [("explain", "--pair", "1,2"), ("explain", "--pair", "4,9", "--space", "private")]
)
def test_what_was_not_tuned_has_nothing_to_explain(
    here: Command, tuned: Tuned, arguments: tuple[str, ...]
) -> None:
    refused = here(*arguments, "--home", tuned.home)
    assert refused.code == 2
    assert refused.out == ""
    assert "run autokd tune --pair" in refused.err
    assert len(refused.err.splitlines()) == 1


def test_in_an_empty_home_both_commands_say_what_to_run(here: Command) -> None:
    for arguments in (("explain", "--pair", "4,9"), ("observations",)):
        refused = here(*arguments)
        assert refused.code == 2
        assert "run autokd tune" in refused.err
