"""A small grid swept, and the table of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyarrow import parquet

from autokd.core.setting import Split
from autokd.core.tensor_format import TensorFormat
from tests.cli.conftest import Command, Tuned, dump, tensor_formats

pytestmark = [pytest.mark.slow, pytest.mark.ray]
GRID = {
    "name": "three",
    "temperature": [2],
    "alpha": [0.1, 1],
    "transfer_set": ["student", "public"],
}
SETTINGS = [(2.0, 0.1, "student"), (2.0, 1.0, "student"), (2.0, None, "public")]


@pytest.fixture
def grid(tmp_path: Path) -> str:
    (tmp_path / "three.yaml").write_text(yaml.safe_dump(GRID))
    return "three.yaml"


@pytest.fixture
def small_study(quick_study: Path) -> str:
    """The quick one, with three participants that are quickly made."""
    config = yaml.safe_load(quick_study.read_text())
    config["federation"]["participants"] = 3
    config["federation"]["pretraining"]["epochs"] = 2
    quick_study.write_text(yaml.safe_dump(config))
    return quick_study.name


def rows_of(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
    return rows


def test_a_grid_is_swept_once_and_exported(
    here: Command, command: Command, grid: str, small_study: str, tmp_path: Path
) -> None:
    arguments = ("sweep", "--pair", "0,2", "--study", small_study, "--space", grid)
    first = here(*arguments)
    assert first.code == 0, first.err
    assert "3 of 3 runs swept" in first.err
    counted, heads, best, *_, way_on = first.out.splitlines()
    assert heads.startswith("pair best swept setting")
    assert re.search(r"^0->2 .* [+-]\d+\.\d \[.*\] +not tuned", best)
    assert counted.endswith(": 3 runs swept, 3 of them now")
    assert way_on == "as a table: autokd export --study quick.yaml --out table.parquet"

    assert tensor_formats(tmp_path / "autokd-home" / "autokd.db") == {TensorFormat("channels_last")}
    (unused := tmp_path / "ray").mkdir()
    before = dump(tmp_path / "autokd-home" / "autokd.db")
    again = command(*arguments, "--json", RAY_TMPDIR=str(unused)).json()
    assert again["runs"] == {"done": 3, "failed": 0, "new": 0}
    (summary,) = again["best"]
    assert (summary["pair"], summary["settings"], summary["seeds"]) == ({"teacher": 0, "student": 2}, 3, 1)
    assert summary["gain"]["low"] <= summary["gain"]["mean"] <= summary["gain"]["high"]
    assert summary["decision"] is None
    assert dump(tmp_path / "autokd-home" / "autokd.db") == before
    assert list(unused.iterdir()) == []

    export = here("export", "--study", small_study, "--out", "table.parquet", "--json").json()
    assert export == {"rows": 12, "path": "table.parquet"}
    rows = rows_of(tmp_path / "table.parquet")
    swept = [(row["temperature"], row["alpha"], row["transfer_set"], row["epoch"]) for row in rows]
    expected = [(*setting, epoch) for setting in SETTINGS for epoch in (1, 2, 3, 4)]
    assert Counter(swept) == Counter(expected)
    sizes = {Split.VALIDATION: 200, Split.CONFIRMATION: 350, Split.TEST: 250}
    for row in rows:
        assert [row[name] for name in ("teacher", "student", "stage", "seed", "state")] == [
            0,
            2,
            "sweep",
            0,
            "COMPLETE",
        ]
        for split, size in sizes.items():
            right = row[f"{split}_accuracy"] * size
            assert right == pytest.approx(round(right))
            assert -100 <= row[f"{split}_forgetting"] <= 100
    facts = json.loads(parquet.read_schema(tmp_path / "table.parquet").metadata[b"autokd"])
    assert facts["federation"] == again["federation"]
    assert [participant["number"] for participant in facts["participants"]] == [0, 1, 2]
    assert set(facts["pairs"]) == {f"{t}->{s}" for t in range(3) for s in range(3) if t != s}


def test_a_sweep_changes_nothing_of_what_was_tuned_and_is_exported_beside_it(
    here: Command, tuned: Tuned, grid: str, tmp_path: Path
) -> None:
    home = tuned.copy(tmp_path / "home").home
    recommendation = here("recommend", "--pair", "4,9", "--home", home, "--json").out
    swept = here("sweep", "--pair", "4,9", "--space", grid, "--seeds", "2", "--home", home, "--json").json()
    assert swept["runs"] == {"done": 6, "failed": 0, "new": 6}
    assert here("recommend", "--pair", "4,9", "--home", home, "--json").out == recommendation
    (best,) = swept["best"]
    decision = json.loads(recommendation)["decision"]
    assert best["seeds"] == 2
    assert best["decision"] == {name: decision[name] for name in best["decision"]}
    assert here("export", "--home", home, "--out", "new/table.parquet").code == 0
    rows = rows_of(tmp_path / "new" / "table.parquet")
    ends = Counter((row["stage"], row["teacher"]) for row in rows if row["epoch"] == 10)
    assert ends["sweep", 4] == 6
    assert ends["sweep", 9] == 0
    for teacher in (4, 9):
        assert ends["search", teacher] >= 1
        assert ends["confirmation", teacher] >= 5
    # Whether a race is worth its runs depends on what the search found.
    assert {row["stage"] for row in rows} - {"race"} == {"search", "confirmation", "sweep"}
    assert {row["seed"] for row in rows if row["stage"] == "sweep"} == {0, 1}


def test_a_sweep_whose_runs_fail_says_so_and_does_not_repeat_them(
    here: Command, grid: str, small_study: str, tmp_path: Path
) -> None:
    config = yaml.safe_load((tmp_path / small_study).read_text())
    config["distillation"]["learning_rate"] = 1e30
    (tmp_path / small_study).write_text(yaml.safe_dump(config))
    arguments = ("sweep", "--pair", "0,2", "--study", small_study, "--space", grid)
    for new in (3, 0):
        failed = here(*arguments, "--json")
        assert failed.code == 1
        assert json.loads(failed.out)["runs"] == {"done": 3, "failed": 3, "new": new}
        assert failed.err.splitlines()[-1] == "3 runs failed; autokd export lists them with state FAIL"
    assert here("export", "--study", small_study, "--out", "table.parquet").code == 0
    rows = rows_of(tmp_path / "table.parquet")
    assert [(row["state"], row["epoch"], row["seconds"]) for row in rows] == [("FAIL", 0, None)] * 3
