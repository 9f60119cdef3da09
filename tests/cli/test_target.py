"""A study that aims at other class shares than the common splits have: each command has the same figures."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pyarrow import parquet

import autokd
from autokd.compute.device import Compute
from autokd.core.records import RunRecord, RunState, Stage, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, Split
from autokd.distillation import Run
from autokd.federation.federation import Federation
from autokd.workflows.report import report_data
from autokd.workflows.results import open_results
from autokd.workspace import Workspace
from tests.cli.conftest import Command, refused
from tests.paths import FEW

PAIR = Pair(0, 1)
RECIPE: dict[str, Any] = {
    "name": "aimed",
    "federation": {
        "name": "aimed",
        "dataset": "digits",
        "participants": 2,
        "splits": {"validation": 200, "confirmation": 250, "test": 250, "public": 60},
        "partition": {"scheme": "dirichlet", "beta": 0.3},
        "architectures": [{"name": "cnn", "options": {"widths": [4, 8]}}],
        "pretraining": {"optimizer": "sgd", "learning_rate": 0.03, "momentum": 0.9, "epochs": 8},
        "seed": 2,
    },
    "distillation": {"optimizer": "sgd", "learning_rate": 0.03, "momentum": 0.9, "epochs": 4},
    "space": FEW,
    "search": {"trials": 3, "stopping": {"rungs": [2], "grace": 2}},
    "confirmation": {"candidates": 2, "race_seeds": 1, "seeds": 2, "early_looks": [], "resamples": 300},
}
SHARES = {"0": 0.5, "3": 0.3, "9": 0.2}


@dataclass
class Aimed:
    """A federation on disk, and studies of it that differ in their target."""

    home: Path

    def recipe(self, target: object) -> Path:
        file = self.home.parent / f"{target if isinstance(target, str) else 'shares'}.yaml"
        file.write_text(yaml.safe_dump({**RECIPE, "target": target}))
        return file

    def options(self, target: object) -> tuple[object, ...]:
        return "--study", self.recipe(target), "--home", self.home

    def workspace(self, target: object) -> Workspace:
        return Workspace.open(self.recipe(target), home=self.home)


@pytest.fixture(scope="module")
def aimed(tmp_path_factory: pytest.TempPathFactory) -> Aimed:
    return Aimed(tmp_path_factory.mktemp("aimed") / "home")


def by_hand(federation: Federation, target: object, student: int, split: Split) -> np.ndarray:
    """Weights, written out: the share of an example's class over its share in the split."""
    labels = federation.data.labels[federation.splits[split]]
    private = federation.data.labels[federation.participants[student].private]
    aim = {
        name: (private == number).mean() if target == "own" else SHARES.get(name, 0.0)
        for number, name in enumerate(federation.data.classes)
    }
    return np.array([aim[federation.data.classes[label]] / np.mean(labels == label) for label in labels])


def mean_gain(runs: list[RunRecord], own: np.ndarray, weights: np.ndarray, split: Split) -> float:
    return float(np.mean([100 * np.mean(weights * (1.0 * run.correct[split] - own)) for run in runs]))


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", ["own", SHARES], ids=["own", "shares"])
def test_each_command_has_the_same_figures(
    here: Command, aimed: Aimed, tmp_path: Path, target: str | dict[str, float]
) -> None:
    options, pair = aimed.options(target), ("--pair", str(PAIR).replace("->", ","))
    tuned = here("tune", *pair, *options, "--json").json()
    assert any("examples" in warning["problem"] for warning in tuned.pop("warnings"))
    federation = autokd.load_federation(aimed.recipe(target), home=aimed.home)
    weights = {split: by_hand(federation, target, PAIR.student, split) for split in Split}
    own = {split: federation.correct(PAIR.student, split) for split in Split}

    with open_results(aimed.workspace(target), "") as (_, results):
        records = results.searched(PAIR)
    confirmed = [
        run for run in records.runs if (run.stage, run.state) == (Stage.CONFIRMATION, RunState.COMPLETE)
    ]
    of_default = [run for run in confirmed if run.setting == DEFAULT]

    # The figures of the recommendation are those of the stored runs, weighted by hand.
    recommendation = here("recommend", *pair, *options, "--json").json()
    assert recommendation == {**tuned, "stale": False}
    assert recommendation["target"] == target
    assert "on the target distribution" in recommendation["reason"]
    shown = [run for run in confirmed if run.setting == Setting.from_json(recommendation["setting"])]
    for split, figures in ((Split.TEST, recommendation), (Split.CONFIRMATION, recommendation["decided_on"])):
        expected = mean_gain(of_default, own[split], weights[split], split)
        assert figures["default_gain"]["mean"] == pytest.approx(expected)
    assert recommendation["gain"]["mean"] == pytest.approx(
        mean_gain(shown, own[Split.TEST], weights[Split.TEST], Split.TEST)
    )
    adopted = weights[Split.TEST] * (1.0 * federation.correct(PAIR.teacher, Split.TEST) - own[Split.TEST])
    assert recommendation["position"]["gain_by_adoption"] == pytest.approx(100 * adopted.mean())
    if target == "own":
        # Forgetting is the same quantity with its sign turned.
        assert recommendation["forgetting"] == pytest.approx(-recommendation["gain"]["mean"])

    # So are the accuracies that the search chose by: a trial, run again here.
    baseline = next(trial for trial in records.trials if trial.state is TrialState.COMPLETE)
    config = aimed.workspace(target).config
    run = Run(
        federation,
        PAIR,
        baseline.setting,
        seed=baseline.seed,
        recipe=config.distillation,
        rungs=config.rungs,
        splits=[Split.VALIDATION],
        compute=Compute().in_format(baseline.tensor_format),
    )
    right = [rung.evaluations[Split.VALIDATION].correct for rung in run]
    reached = [float(np.mean(weights[Split.VALIDATION] * each)) for each in right]
    assert [accuracy for _, accuracy in baseline.curve] == pytest.approx(reached)

    # The same figures from every other command.
    partner = here("recommend", "--student", PAIR.student, *options, "--json").json()
    assert partner["target"] == target
    assert partner["partners"][0]["gain"]["mean"] == recommendation["gain"]["mean"]
    rows = list(csv.DictReader(io.StringIO(here("recommend", "--all", *options, "--csv").out)))
    row = next(row for row in rows if row["student"] == str(PAIR.student))
    assert float(row["gain"]) == recommendation["gain"]["mean"]
    assert row["target"] == (target if isinstance(target, str) else json.dumps(target))
    status = here("status", *options, "--json").json()
    assert status["target"] == target
    assert status["pairs"][0]["gain"] == recommendation["gain"]["mean"]
    explained = here("explain", *pair, *options, "--json").json()
    assert explained["target"] == target
    lines = {line["rival"]: line for line in explained["rivals"]}
    assert explained["gain"]["test"]["mean"] == pytest.approx(recommendation["gain"]["mean"])
    assert lines["default"]["gain"]["test"]["mean"] == pytest.approx(recommendation["default_gain"]["mean"])
    assert lines["partner"]["gain"]["test"]["mean"] == pytest.approx(
        recommendation["position"]["gain_by_adoption"]
    )
    where = explained["where_the_gain_comes_from"]
    if where is not None and recommendation["position"]["advice"] != "teacher":
        assert where["test"]["total"]["mean"] == pytest.approx(recommendation["gain"]["mean"])
    facts = report_data(aimed.workspace(target))
    assert facts.federation is not None
    before = float(np.mean(weights[Split.TEST] * own[Split.TEST]))
    assert facts.accuracies[PAIR.student] == pytest.approx(before)
    assert facts.by_adoption(PAIR.teacher, PAIR.student) == pytest.approx(100 * adopted.mean())
    prepared = here("prepare", *options, "--json").json()
    assert prepared["test_accuracy"][str(PAIR.student)] == pytest.approx(before)

    card = here("distill", *pair, *options, "--out", tmp_path / "m.safetensors", "--force", "--json").json()
    assert card["target"] == target
    assert card["promised"]["gain"] == recommendation["gain"]
    assert card["scores"]["test"]["accuracy_before"] == pytest.approx(before)
    assert (card["for"]["target"], card["for"]["added"]) == ("common", None)
    of_study = card["scores"]["test"]["targets"]["own" if target == "own" else "study"]
    assert of_study["accuracy"] == card["scores"]["test"]["accuracy"]

    table = tmp_path / "table.parquet"
    assert here("export", *options, "--out", table).code == 0
    exported = parquet.read_table(table)
    metadata = json.loads(exported.schema.metadata[b"autokd"])
    assert metadata["target"] == target
    assert metadata["participants"][PAIR.student]["accuracy"]["test"] == pytest.approx(before)
    gains = [
        100 * (row["test_accuracy"] - before)
        for row in exported.to_pylist()
        if (row["teacher"], row["student"], row["stage"]) == (*_numbers(PAIR), "confirmation")
        and (row["temperature"], row["alpha"], row["transfer_set"]) == (1.0, 0.5, "student")
    ]
    assert np.mean(gains) == pytest.approx(recommendation["default_gain"]["mean"])

    # For people: said once, within 80 columns; and a page.
    output = here("recommend", *pair, *options).out
    assert "accuracies are on the target distribution" in " ".join(output.split())
    page = tmp_path / "report.html"
    assert here("report", *options, "--out", page).code == 0
    assert "All accuracies are on the target distribution" in page.read_text()


def _numbers(pair: Pair) -> tuple[int, int]:
    return pair.teacher, pair.student


@pytest.mark.parametrize("command", ["check", "prepare", "tune"])
@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"0": 0.5, "ten": 0.5}, "target: the federation has no class ten; its classes: 0, 1, 2"),
        ({"0": 0.5, "1": 0.4}, "target: the class shares add up to 0.9"),
        ("mine", "target: must be common, own, or class shares by class name"),
    ],
)
def test_a_target_that_does_not_fit_is_refused_before_anything_is_made(
    here: Command, tmp_path: Path, command: str, target: object, words: str
) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump({**RECIPE, "target": target}))
    study = (file,) if command == "check" else ("--study", file, "--home", tmp_path / "home")
    pair = ("--pair", "0,1") if command == "tune" else ()
    refused(here(command, *study, *pair), words, str(file))
    assert not (tmp_path / "home").exists() or not list((tmp_path / "home").glob("federations/*"))


def test_check_warns_of_weights_that_leave_few_examples(here: Command, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(
        yaml.safe_dump({**RECIPE, "target": {"0": 0.9, **{str(number): 0.1 / 9 for number in range(1, 10)}}})
    )
    done = here("check", file, "--json").json()
    assert not done["problems"]
    problems = [warning["problem"] for warning in done["warnings"] if warning["field"] == "target"]
    assert [words.split(":")[0] for words in problems] == ["split validation", "split confirmation"]
    even = here("check", file.with_name("study.yaml"), "--effect", "100", "--json").json()
    file.write_text(yaml.safe_dump(RECIPE))
    plain = here("check", file, "--effect", "100", "--json").json()
    assert even["detectable"] > 1.5 * plain["detectable"]
    assert not [warning for warning in plain["warnings"] if warning["field"] == "target"]
