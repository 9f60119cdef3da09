"""Which recommendation is of today, which is stale, and how a list says so."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from autokd.cli.listing import ListFormat, form_of, table, written
from autokd.config.study import StudyConfig
from autokd.core.setting import Pair, Setting
from autokd.errors import InputError
from autokd.search.study_names import study_name
from autokd.store import Store, sqlite_url
from autokd.workflows.recommend import PairResult, pair_results
from autokd.workflows.results import StoredResults
from autokd.workflows.stale import StaleStudies
from tests.recommendation.meetings import PAIR, PLAN, TOWARDS, by_rule_3, make_meeting, verdict
from tests.recommendation.samples import recommend_from
from tests.search.worlds import open_space

FEDERATION = make_meeting().federation
SPACE = open_space()
OTHER = StudyConfig.model_validate(
    {**PLAN.model_dump(mode="json"), "distillation": {"learning_rate": 0.5, "epochs": 10}}
)


def study(federation: str = FEDERATION.name, config: StudyConfig = PLAN, pair: Pair = PAIR) -> str:
    return study_name(federation, config, SPACE, pair)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(sqlite_url(tmp_path / "store.db")) as opened:
        yield opened


def keep(store: Store, name: str, advice: str) -> None:
    entry = {**verdict(next(iter(TOWARDS))).to_json(), "advice": advice, "basis": "b"}
    store.put_recommendation(name, entry)


def stale_count(store: Store, pairs: Sequence[Pair]) -> int:
    return StaleStudies(StoredResults(PLAN, SPACE, FEDERATION, store)).count(pairs)


def answer(store: Store, *, stale: bool, prepared: bool = True) -> PairResult:
    results = StoredResults(PLAN, SPACE, FEDERATION if prepared else None, store)
    (only,) = pair_results(results, [PAIR], stale=stale)
    return only


def test_a_pair_without_any_is_listed_with_the_way_out(store: Store) -> None:
    plain = answer(store, stale=True).to_json()
    assert (plain["verdict"], plain["stale"], plain["way_out"]) == (None, False, "autokd tune --pair 0,1")
    assert "has no recommendation yet" in str(plain["reason"])
    assert stale_count(store, [PAIR]) == 0


@pytest.mark.parametrize(
    ("name", "prepared", "why"),
    [
        (
            study(federation="digits-00000000"),
            True,
            "digits-00000000, today's is digits-1a2b3c4d",
        ),
        (study(config=OTHER), True, "recipe, early stopping or space of the study were others then"),
        (study(), True, "more runs than it was made from"),
        (study(), False, "today's is not prepared"),
    ],
)
def test_what_is_not_of_today_is_shown_only_when_asked_for(
    store: Store, name: str, prepared: bool, why: str
) -> None:
    keep(store, name, "then")
    assert stale_count(store, [PAIR, PAIR.reverse]) == 1
    held_back = answer(store, stale=False, prepared=prepared)
    assert (held_back.payload, held_back.held_back) == (None, True)
    assert why in held_back.missing
    assert "--stale shows it" in held_back.missing
    plain = answer(store, stale=True, prepared=prepared).to_json()
    assert (plain["stale"], plain["advice"], plain["verdict"]) == (True, "then", "tuned")
    assert why in str(plain["why_stale"])
    assert "basis" not in plain


def test_other_names_are_other_studies_and_not_older(store: Store) -> None:
    renamed = PLAN.model_copy(update={"name": "another"})
    for name in (study(config=renamed), study(federation="cifar-00000000"), study(pair=PAIR.reverse)):
        keep(store, name, "not this")
    assert answer(store, stale=True).payload is None


def test_of_several_the_closest_to_today_is_shown(store: Store) -> None:
    for name in ("digits-00000001", "digits-00000000"):
        store.put_federation(replace(FEDERATION, name=name))
    for name, advice in (
        (study(federation="digits-00000001"), "first federation"),
        (study(federation="digits-00000000"), "last federation"),
    ):
        keep(store, name, advice)
    shown = answer(store, stale=True).payload
    assert shown is not None
    assert shown["advice"] == "last federation"
    keep(store, study(config=OTHER), "same federation")
    shown = answer(store, stale=True).payload
    assert shown is not None
    assert shown["advice"] == "same federation"


ANSWERS = (
    *(PairResult(pair=PAIR, recommendation=verdict(wanted)) for wanted in TOWARDS),
    PairResult(pair=Pair(3, 4), missing="nothing yet", held_back=True),
    PairResult(pair=Pair(4, 3), kept=verdict(next(iter(TOWARDS))).to_json(), stale="of yesterday"),
)
ENTRIES = [answer.to_json() for answer in ANSWERS]


def test_json_and_yaml_say_the_same() -> None:
    listed = json.loads(written(ENTRIES, ListFormat.JSON, single=False))
    assert listed == yaml.safe_load(written(ENTRIES, ListFormat.YAML, single=False))
    assert [entry["verdict"] for entry in listed] == [*map(str, TOWARDS), None, "tuned"]
    assert [entry["stale"] for entry in listed] == [False] * 5 + [True]
    assert json.loads(written(ENTRIES[:1], ListFormat.JSON, single=True)) == listed[0]


def test_a_spreadsheet_gets_the_same_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(written(ENTRIES, ListFormat.CSV, single=False))))
    assert len(rows) == len(ENTRIES)
    for row, answer in zip(rows, ANSWERS, strict=True):
        plain = answer.payload
        if plain is None:
            assert (row["teacher"], row["verdict"], row["way_out"]) == ("3", "", "autokd tune --pair 3,4")
            continue
        assert float(row["gain"]) == plain["gain"]["mean"]
        assert float(row["default_gain_high"]) == plain["default_gain"]["high"]
        assert float(row["single_run_low"]) == plain["single_run"]["low"]
        assert row["answer"] == plain["recommended"]["answer"]
        setting = {name: row[name] for name in ("temperature", "alpha", "transfer_set")}
        assert Setting.from_json(
            {**setting, "temperature": float(setting["temperature"]), "alpha": float(setting["alpha"])}
        ) == Setting.from_json(plain["setting"])
    assert (rows[-1]["stale"], rows[-1]["why_stale"]) == ("true", "of yesterday")


def test_a_spreadsheet_has_the_teachers_part_where_pairs_were_judged_by_rule_3() -> None:
    federation, records = by_rule_3({"winner": 0.85, "default": 0.70, "no_teacher": 0.80})
    newer = PairResult(pair=PAIR, kept=recommend_from(PLAN, federation, records).to_json())
    usual = list(csv.DictReader(io.StringIO(written(ENTRIES, ListFormat.CSV, single=False))))
    rows = list(
        csv.DictReader(io.StringIO(written([*ENTRIES, newer.to_json()], ListFormat.CSV, single=False)))
    )
    assert newer.payload is not None
    for name in ("teacher_part", "corrected_gain"):
        assert name not in usual[0]
        assert rows[0][name] == ""
        for end, key in (("", "mean"), ("_low", "low"), ("_high", "high")):
            assert float(rows[-1][f"{name}{end}"]) == newer.payload[name][key]


def test_a_spreadsheet_has_label_priors_where_there_are_any() -> None:
    payload = ANSWERS[0].payload
    assert payload is not None
    setting = {**payload["setting"], "label_prior": "adjusted"}
    usual = list(csv.DictReader(io.StringIO(written(ENTRIES, ListFormat.CSV, single=False))))
    corrected = [ENTRIES[0] | {"setting": setting}, *ENTRIES[1:]]
    rows = list(csv.DictReader(io.StringIO(written(corrected, ListFormat.CSV, single=False))))
    assert "label_prior" not in usual[0]
    assert [row.pop("label_prior") for row in rows] == ["adjusted"] + [""] * (len(rows) - 1)
    assert rows == usual


def test_it_has_schedules_where_there_are_any() -> None:
    payload = ANSWERS[0].payload
    assert payload is not None
    setting = {**payload["setting"], "schedule": "cosine"}
    text = written([ENTRIES[0] | {"setting": setting}, *ENTRIES[1:]], ListFormat.CSV, single=False)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["schedule"] for row in rows] == ["cosine"] + [""] * (len(rows) - 1)
    assert "label_prior" not in rows[0]


@pytest.mark.parametrize("columns", [80, 140])
def test_people_get_a_table(columns: int) -> None:
    from rich.console import Console

    console = Console(width=columns, file=io.StringIO(), force_terminal=False)
    console.print(table(ANSWERS))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    parts = ["tuned", "skip", "(stale)"]
    if columns > 80:
        parts += ["the model as it is", "autokd tune --pair 3,4"]
    for part in parts:
        assert part in text
    assert "6 pairs: 2 tuned" in text
    assert "have a stale one" in " ".join(text.split())


def test_the_form_follows_from_options_or_the_files_name() -> None:
    nothing = {"json": False, "csv": False, "yaml": False}
    assert form_of(**nothing, path=None) is None
    assert form_of(**nothing, path=Path("a.yml")) is ListFormat.YAML
    assert form_of(**{**nothing, "csv": True}, path=Path("a.json")) is ListFormat.CSV
    with pytest.raises(InputError, match=r"--out a.txt.*--json, --csv or --yaml"):
        form_of(**nothing, path=Path("a.txt"))
    with pytest.raises(InputError, match="--json and --yaml"):
        form_of(json=True, csv=False, yaml=True, path=None)
