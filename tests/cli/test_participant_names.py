"""Participants are called by number or name, wherever one is typed or shown."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from autokd.cli.listing import ListFormat, table, written
from autokd.cli.matrix import PairCell, matrix
from autokd.cli.pair_options import PairOptions
from autokd.core.participant_names import ParticipantNames
from autokd.core.public_calls import pair as as_pair
from autokd.core.public_calls import pairs as as_pairs
from autokd.core.setting import Pair
from autokd.errors import ArgumentError, PlanError
from autokd.recommendation.partners import ranked
from autokd.report.dashboard import attributes, note
from autokd.report.parquet_table import export
from autokd.workflows.recommend import PairResult
from tests.cli.test_matrix import bare, drawn
from tests.report.samples import make_recommendation

NAMES = ParticipantNames.of(["hospital_a", "<b>*B*</b>", "c"])
PAIR = Pair(0, 1)


def test_every_option_of_pairs_takes_both() -> None:
    for by_name, by_number in (
        (PairOptions(pair="hospital_a,c"), PairOptions(pair="0,2")),
        (PairOptions(pairs="c,0", more=["2,1"]), PairOptions(pairs="2,0", more=["2,1"])),
        (PairOptions(teacher="c"), PairOptions(teacher="2")),
        (PairOptions(student="c"), PairOptions(student="2")),
        (PairOptions(teacher="hospital_a", student="c"), PairOptions(teacher="0", student="2")),
    ):
        assert by_name.selected(NAMES) == by_number.selected(NAMES) != ()
    with pytest.raises(PlanError, match="cannot teach itself"):
        PairOptions(teacher="c", student="2").selected(NAMES)
    with pytest.raises(PlanError, match="--teacher: there is no participant 'd'"):
        PairOptions(teacher="d").selected(NAMES)


def test_python_takes_both() -> None:
    assert as_pair("pair", "hospital_a,c", names=NAMES) == as_pair("pair", ("hospital_a", "c"), names=NAMES)
    assert as_pairs("pairs", ("hospital_a", "c"), names=NAMES) == (Pair(0, 2),)
    assert as_pairs("pairs", ["hospital_a,c", (1, 0), "2,1"], names=NAMES) == (
        Pair(0, 2),
        Pair(1, 0),
        Pair(2, 1),
    )
    with pytest.raises(ArgumentError, match="no participant 'd'"):
        as_pair("pair", ("d", 1), names=NAMES)


def test_lists_have_names_beside_numbers() -> None:
    named = replace(make_recommendation(), names=NAMES)
    results = [
        PairResult(pair=PAIR, recommendation=named, names=NAMES),
        PairResult(pair=Pair(2, 1), missing="not yet", names=NAMES),
    ]
    entries = [result.to_json() for result in results]
    assert [entry["names"] for entry in entries] == [
        {"teacher": "hospital_a", "student": "<b>*B*</b>"},
        {"teacher": "c", "student": "<b>*B*</b>"},
    ]
    assert entries[0]["pair"] == {"teacher": 0, "student": 1}
    assert json.loads(written(entries, ListFormat.JSON, single=False)) == json.loads(json.dumps(entries))
    rows = list(csv.DictReader(io.StringIO(written(entries, ListFormat.CSV, single=False))))
    assert [(row["teacher"], row["teacher_name"], row["student_name"]) for row in rows] == [
        ("0", "hospital_a", "<b>*B*</b>"),
        ("2", "c", "<b>*B*</b>"),
    ]
    first, second = rows
    assert (first["decision"], first["decision_gain"], second["decision"]) == ("learn", "20.0", "")
    shown = bare(drawn(table(results), width=160))
    assert "hospital_a-><b>*B*</b>" in shown
    assert re.search(r"learn +\+20\.0 \[.*\] +learn from participant 0 with T=4", shown)
    unnamed = [PairResult(pair=PAIR, recommendation=make_recommendation()).to_json()]
    assert "names" not in unnamed[0]
    assert "teacher_name" not in written(unnamed, ListFormat.CSV, single=False)


def test_a_stale_recommendation_has_the_names_of_today() -> None:
    kept = {**make_recommendation().to_json(), "names": {"teacher": "old", "student": "old"}}
    payload = PairResult(pair=PAIR, kept=kept, stale="another recipe", names=NAMES).to_json()
    assert payload["names"] == {"teacher": "hospital_a", "student": "<b>*B*</b>"}


def test_a_matrix_says_who_the_numbers_are() -> None:
    text = bare(
        drawn(matrix({PAIR: PairCell("tuned", 3.0), Pair(2, 0): PairCell("skip", 0.0)}, NAMES), width=80)
    )
    assert "participants: 0 hospital_a, 1 <b>*B*</b>, 2 c" in text


def test_a_ranking_calls_partners_by_name() -> None:
    ranking = ranked([replace(make_recommendation(), names=NAMES)], student=1, unknown=[2])
    assert ranking.advice.startswith("learn from hospital_a, with")
    assert ranking.to_json()["names"] == {"0": "hospital_a", "1": "<b>*B*</b>", "2": "c"}


def test_the_dashboard_carries_nothing_of_a_name_out() -> None:
    named = replace(make_recommendation(), names=NAMES)
    text = note(named, reproduce="autokd tune --pair 0,1")
    assert text.startswith(r"## hospital\_a-\>\<b\>\*B\*\</b\>: learn +20.0 pp")
    assert "<b>" not in text.replace(r"\<b\>", "")
    assert attributes(named)["student"] == "<b>*B*</b>"
    assert "student" not in attributes(make_recommendation())


def test_the_parquet_table_has_them_in_columns(tmp_path: Path) -> None:
    records = make_recommendation().records
    for names, added in ((NAMES, ["teacher_name", "student_name"]), (ParticipantNames(count=3), [])):
        export([records], tmp_path / "t.parquet", metadata={}, names=names)
        table = pq.read_table(tmp_path / "t.parquet")
        assert table.column_names[: 3 + len(added)] == ["teacher", "student", *added, "stage"]
        if added:
            assert set(table["student_name"].to_pylist()) == {"<b>*B*</b>"}


def test_a_name_where_participants_have_numbers_only_is_told_in_plain_words() -> None:
    with pytest.raises(PlanError) as raised:
        ParticipantNames(count=3).number("alice", option="--student")
    message = str(raised.value)
    assert "--student: there is no participant 'alice'; they are numbered 0 to 2" in message
    assert len(message.splitlines()) == 1
    assert "pydantic" not in message
