"""What an answer looks like, to people and to programs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.cli.conftest import Command, Tuned

pytestmark = [pytest.mark.slow, pytest.mark.ray]
ESCAPE = "\x1b"
SETS = {"student", "teacher", "both", "public"}


def is_interval(value: Any) -> bool:
    return set(value) == {"mean", "low", "high"} and value["low"] <= value["mean"] <= value["high"]


@pytest.mark.parametrize("pair", ["4,9", "9,4"])
def test_json_is_one_object_with_what_was_promised(command: Command, tuned: Tuned, pair: str) -> None:
    found = command("recommend", "--pair", pair, "--home", tuned.home, "--json").json()
    teacher, student = map(int, pair.split(","))
    assert found["pair"] == {"teacher": teacher, "student": student}
    assert found["verdict"] in {"tuned", "default", "skip", "undecided"}
    setting = found["setting"]
    assert set(setting) == {"temperature", "alpha", "transfer_set"}
    assert setting["temperature"] > 0
    assert setting["transfer_set"] in SETS
    assert (setting["alpha"] is None) == (setting["transfer_set"] == "public")
    for name in ("gain", "default_gain", "improvement"):
        assert is_interval(found[name])
    assert isinstance(found["forgetting"], float)
    assert found["seeds"] == 5
    assert found["split"] == "test"
    assert set(found["trials"]) == {"RUNNING", "COMPLETE", "PRUNED", "FAIL"}
    assert all(type(count) is int for count in found["trials"].values())
    assert found["epochs_spent"]["search"] >= 10
    assert found["epochs_spent"]["confirmation"] >= 10 * 2 * 5
    assert re.fullmatch(r"digits-[0-9a-f]{8}", found["federation"])
    assert found["study"].startswith(found["federation"] + "/")
    assert found["study"].endswith(f"/{teacher}->{student}")
    position = found["position"]
    assert position["advice"] in {"student", "teacher", "none"}
    for name in ("gain_as_student", "gain_as_teacher", "gain_by_adoption"):
        assert type(position[name]) is float


def test_people_read_the_same_numbers_in_eighty_columns(command: Command, tuned: Tuned) -> None:
    told = command("recommend", "--pair", "4,9", "--home", tuned.home, COLUMNS="80")
    found = command("recommend", "--pair", "4,9", "--home", tuned.home, "--json").json()
    assert ESCAPE not in told.out
    assert max(map(len, told.out.splitlines())) <= 80
    assert told.out.startswith(found["verdict"])
    for interval in (found["default_gain"], found["position"]["intervals"]["gain_by_adoption"]):
        assert "{mean:+.1f} pp [{low:+.1f}, {high:+.1f}]".format(**interval) in told.out
    rows = [line for line in told.out.splitlines() if line.startswith(("as student, ", "as teacher, "))]
    assert len(rows) == 2
    assert all(row.count(" pp ") == 2 for row in rows)


def test_tuning_ends_with_the_answer_and_where_to_look_further(tuned: Tuned) -> None:
    assert ESCAPE not in tuned.first.out + tuned.first.err
    for part in ("position ", "on confirmation (decides)", "look further:"):
        assert part in tuned.first.out
    assert f"autokd recommend --pair 9,4 --home {tuned.home} " in tuned.first.out
    assert f"autokd dashboard --home {tuned.home} " in tuned.first.out
    assert "pre-training: 10 of 10 participants" in tuned.first.err
    assert "starting workers for 52 runs" in tuned.first.err
    assert " 0 to go" in tuned.first.err
    assert "Traceback" not in tuned.first.err


def test_no_color_is_heeded(command: Command, tuned: Tuned) -> None:
    coloured = command("recommend", "--pair", "4,9", "--home", tuned.home, FORCE_COLOR="1")
    plain = command("recommend", "--pair", "4,9", "--home", tuned.home, FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[" in coloured.out
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", plain.out)
