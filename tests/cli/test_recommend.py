"""What an answer looks like, to people and to programs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from autokd.config.yaml_files import read_study_config
from tests.cli.conftest import Command, Tuned
from tests.paths import FEW
from tests.samples import verdict_by_rule

pytestmark = [pytest.mark.slow, pytest.mark.ray]
ESCAPE = "\x1b"
SETS = {"student", "teacher", "both", "public"}


def is_interval(value: Any) -> bool:
    return set(value) == {"mean", "low", "high"} and value["low"] <= value["mean"] <= value["high"]


@pytest.mark.parametrize("pair", ["4,9", "9,4"])
def test_json_is_one_object_with_what_was_promised(here: Command, tuned: Tuned, pair: str) -> None:
    recommendation = here("recommend", "--pair", pair, "--home", tuned.home, "--json").json()
    teacher, student = map(int, pair.split(","))
    assert recommendation["pair"] == {"teacher": teacher, "student": student}
    assert recommendation["verdict"] == verdict_by_rule(recommendation)
    setting = recommendation["setting"]
    assert set(setting) == {"temperature", "alpha", "transfer_set"}
    assert setting["temperature"] > 0
    assert setting["transfer_set"] in SETS
    assert (setting["alpha"] is None) == (setting["transfer_set"] == "public")
    for name in ("gain", "default_gain", "improvement"):
        assert is_interval(recommendation[name])
    assert isinstance(recommendation["forgetting"], float)
    assert recommendation["seeds"] in (3, 5)
    assert recommendation["search_ended"].startswith("search ended after ")
    assert recommendation["split"] == "test"
    assert set(recommendation["trials"]) == {"RUNNING", "COMPLETE", "PRUNED", "FAIL"}
    assert all(type(count) is int for count in recommendation["trials"].values())
    assert recommendation["epochs_spent"]["search"] >= 10
    assert recommendation["epochs_spent"]["confirmation"] >= 10 * 2 * recommendation["seeds"]
    assert re.fullmatch(r"digits-[0-9a-f]{8}", recommendation["federation"])
    assert recommendation["study"].startswith(recommendation["federation"] + "/")
    assert recommendation["study"].endswith(f"/{teacher}->{student}")
    position = recommendation["position"]
    if position["advice"] != "none":
        assert position["decided_on"][f"gain_as_{position['advice']}"]["low"] > 0
    for name in ("gain_as_student", "gain_as_teacher", "gain_by_adoption"):
        assert type(position[name]) is float


def test_people_read_the_same_numbers_in_eighty_columns(
    command: Command, here: Command, tuned: Tuned
) -> None:
    shown = command("recommend", "--pair", "4,9", "--home", tuned.home, COLUMNS="80")
    recommendation = here("recommend", "--pair", "4,9", "--home", tuned.home, "--json").json()
    assert ESCAPE not in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    decision = recommendation["decision"]
    assert shown.out.startswith(decision["action"].replace("_", " "))
    assert f"\n{recommendation['verdict']}  " in shown.out
    for interval in (recommendation["default_gain"], decision["gain"]):
        assert "{mean:+.1f} pp [{low:+.1f}, {high:+.1f}]".format(**interval) in shown.out
    table = shown.out.partition("best minus it")[2].splitlines()
    for way in decision["weighed"]:
        (row,) = (line for line in table if re.match(f"{re.escape(way['name'])}[ *]* ", line))
        assert row.count(" pp ") + ("the best" in row) == (1 if way["action"] == "keep" else 2)
        assert (" * " in row) == (way["name"] == decision["name"])


def test_a_participant_gets_one_decision(here: Command, tuned: Tuned) -> None:
    where = ("--home", tuned.home)
    advice = here("advise", "--student", "9", *where, "--json").json()
    assert advice["partners"] == [4]
    assert advice["unknown"] == [0, 1, 2, 3, 5, 6, 7, 8]
    shown = here("advise", "--student", "9", *where)
    assert max(map(len, shown.out.splitlines())) <= 80
    assert shown.out.startswith(advice["decision"]["action"].replace("_", " "))
    everybody = json.loads(here("advise", "--all", *where, "--json").out)
    assert [entry["student"] for entry in everybody] == [4, 9]
    assert everybody[1] == advice
    listed = here("advise", "--all", *where)
    assert max(map(len, listed.out.splitlines())) <= 80
    mean = sum(entry["decision"]["gain"]["mean"] for entry in everybody) / 2
    assert f"gains {mean:+.1f} pp on average" in listed.out
    for words in ((), ("--student", "9", "--all"), ("--student", "10")):
        assert here("advise", *words, *where).code == 2


def test_tuning_ends_with_the_answer_and_where_to_look_further(tuned: Tuned) -> None:
    assert ESCAPE not in tuned.first.out + tuned.first.err
    for part in ("position ", "on confirmation (decides)", "look further:"):
        assert part in tuned.first.out
    assert f"autokd recommend --pair 9,4 --space {FEW} --home {tuned.home} " in tuned.first.out
    assert f"autokd dashboard --home {tuned.home} " in tuned.first.out
    assert "preparing: 10 of 10 participants" in tuned.first.err
    assert "starting workers for 31 runs" in tuned.first.err
    assert " 0 to go" in tuned.first.err
    assert "Traceback" not in tuned.first.err


def test_no_color_is_heeded(command: Command, tuned: Tuned) -> None:
    coloured = command("recommend", "--pair", "4,9", "--home", tuned.home, FORCE_COLOR="1")
    plain = command("recommend", "--pair", "4,9", "--home", tuned.home, FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[" in coloured.out
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", plain.out)


def test_all_pairs_are_listed_tuned_or_not(here: Command, tuned: Tuned, tmp_path: Path) -> None:
    where = ("--home", tuned.home)
    listed = json.loads(here("recommend", "--all", *where, "--json").out)
    assert len(listed) == 90
    by_pair = {(entry["pair"]["teacher"], entry["pair"]["student"]): entry for entry in listed}
    assert sorted(pair for pair, entry in by_pair.items() if entry["verdict"]) == [(4, 9), (9, 4)]
    for pair in ((4, 9), (9, 4)):
        alone = here("recommend", "--pair", "{},{}".format(*pair), *where, "--json").json()
        assert by_pair[pair] == alone
        assert alone["stale"] is False
    assert by_pair[0, 1]["way_out"] == "autokd tune --pair 0,1"

    shown = here("recommend", "--pairs", "4,9", "0,1", *where)
    assert shown.code == 0
    assert max(map(len, shown.out.splitlines())) <= 80
    assert "autokd tune --pair 0,1" in shown.out

    assert here("recommend", "--teacher", "4", *where, "--out", "four.csv").code == 0
    assert len((tmp_path / "four.csv").read_text().splitlines()) == 10


def test_what_was_tuned_under_another_recipe_is_stale(here: Command, tuned: Tuned, tmp_path: Path) -> None:
    config = read_study_config("digits").model_dump(mode="json")
    config["distillation"]["epochs"] = 11
    (tmp_path / "digits.yaml").write_text(yaml.safe_dump(config))
    where = ("--study", "digits.yaml", "--home", tuned.home)
    refused = here("recommend", "--pair", "4,9", *where)
    assert refused.code == 2
    assert "--stale shows it" in refused.err
    stale = here("recommend", "--pair", "4,9", *where, "--stale", "--json").json()
    fresh = here("recommend", "--pair", "4,9", "--home", tuned.home, "--json").json()
    assert (stale["stale"], stale["gain"], stale["study"]) == (True, fresh["gain"], fresh["study"])
    assert "recipe" in stale["why_stale"]
    status = here("status", *where)
    assert "2 recommendations are of an older federation or study recipe (stale)" in " ".join(
        status.out.split()
    )
    assert here("status", *where, "--json").json()["stale"] == 2
    assert here("status", "--home", tuned.home, "--json").json()["stale"] == 0
