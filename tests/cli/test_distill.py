"""The model in hand: what `autokd distill` writes, refuses and repeats."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autokd.cli import options
from autokd.compute.device import Compute
from autokd.config.target import ClassShares, TargetName
from autokd.core.setting import BatchNorm, LabelPrior, Method, Pair, Schedule, Setting, TransferSet
from autokd.delivery import DistillationRequest
from autokd.recommendation import Verdict
from autokd.workflows import distill as workflow
from autokd.workflows.results import StoredResults
from autokd.workspace import Workspace
from tests.cli.conftest import Command, Tuned, refused
from tests.paths import ROOT
from tests.recommendation.meetings import verdict

SETTING = ("--temperature", "2", "--alpha", "0.3", "--transfer-set", "both")


@pytest.fixture
def convincing(tuned: Tuned, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """A copy of `tuned` in which the candidate of 4->9 is right on every example of its confirmation."""
    copy = tuned.copy(tmp_path_factory.mktemp("convincing") / "home")
    of_candidate = (
        "SELECT r.id FROM autokd_run r JOIN autokd_recommendation a ON a.study = r.study "
        "WHERE r.stage = 'confirmation' AND r.study LIKE '%/4->9' "
        "AND r.temperature = json_extract(a.payload, '$.candidate.setting.temperature') "
        "AND r.alpha IS json_extract(a.payload, '$.candidate.setting.alpha') "
        "AND r.transfer_set = json_extract(a.payload, '$.candidate.setting.transfer_set')"
    )
    with sqlite3.connect(copy.database) as connection:
        rows = connection.execute(
            f"SELECT run_id, split, examples FROM autokd_run_correct WHERE run_id IN ({of_candidate})"
        ).fetchall()
        for run, split, examples in rows:
            connection.execute(
                "UPDATE autokd_run_correct SET bits = ? WHERE run_id = ? AND split = ?",
                (np.packbits(np.ones(examples, dtype=bool)).tobytes(), run, split),
            )
    connection.close()
    assert len(rows) >= 2 * 2
    return copy


@pytest.mark.slow
@pytest.mark.ray
def test_the_recommended_model_is_worth_what_its_card_states(
    here: Command, convincing: Tuned, tmp_path: Path
) -> None:
    """Measured by the script on the card, which is also that of docs/use-the-model.md."""
    recommendation = here("recommend", "--pair", "4,9", "--home", convincing.home, "--json").json()
    assert recommendation["verdict"] == "tuned"
    arguments = ("distill", "--pair", "4,9", "--home", convincing.home, "--out", "student.safetensors")
    card = here(*arguments, "--json").json()
    assert card == json.loads((tmp_path / "student.json").read_text())
    assert card["setting"] == recommendation["setting"]
    assert card["chosen_by"] == "recommendation"
    assert card["promised"]["gain"] == recommendation["gain"]

    code = _block((tmp_path / "student.md").read_text())
    assert _run(code, tmp_path) == card["scores"]["test"]["accuracy"]
    script = _block((ROOT / "docs" / "use-the-model.md").read_text())
    # Weights differ in their last bits from one kind of processor to another, and so does the hash of them.
    assert _unhashed(script) == _unhashed(code.replace(convincing.home.as_posix(), "autokd-home"))

    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    refused(here(*arguments), "student.safetensors is there already", "--force replaces it")
    assert here(*arguments, "--force").code == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    # The layout of the pair's study, which its command spells out: it needs no store.
    assert card["compute"]["memory_format"] == "channels_last"
    assert card["compute"]["channels_last"] is True
    assert "--memory-format channels_last --precision float32" in card["command"]
    again = shlex.split(card["command"])[1:]
    made = here(*again, "--force", "--json").json()
    assert made["model"]["sha256"] == card["model"]["sha256"]
    assert (made["scores"], made["setting"]) == (card["scores"], card["setting"])
    assert (made["chosen_by"], made["promised"]) == ("hand", None)


@pytest.mark.slow
@pytest.mark.ray
def test_people_are_told_in_eighty_columns(here: Command, tuned: Tuned, tmp_path: Path) -> None:
    shown = here("distill", "--pair", "1,2", "--home", tuned.home, "--out", "s.safetensors", *SETTING)
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert lines[0] == "1->2  T=2 α=0.3 on both, seed 0"
    assert max(map(len, lines)) <= 80
    assert next(line for line in lines if line.startswith("the student's own"))
    card = json.loads((tmp_path / "s.json").read_text())
    test = card["scores"]["test"]
    assert f"{test['accuracy']:.1%}" in next(line for line in lines if line.startswith("on test"))
    assert lines[-1] == "wrote s.safetensors, s.json, s.md"
    assert "distilling: 10 of 10 epochs" in shown.err


@pytest.mark.slow
@pytest.mark.ray
def test_images_that_do_not_fit_are_told_of_and_change_nothing(
    here: Command, tuned: Tuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("distill", "--pair", "1,2", "--home", tuned.home, *SETTING)
    assert "no room" not in here(*arguments, "--out", "resident.safetensors").err
    monkeypatch.setattr(options.ComputeOptions, "compute", lambda self: Compute(image_bytes=0))
    shown = here(*arguments, "--out", "streamed.safetensors")
    assert shown.err.count("memory has no room for a run's images") == 1
    students = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("resident", "streamed")]
    assert students[0] == students[1]


def _block(markdown: str) -> str:
    return markdown.partition("```python\n")[2].partition("```")[0]


def _unhashed(code: str) -> str:
    return re.sub(r"(?<=federations/)(digits-[0-9a-f]{8}|NAME)(?=\")", "NAME", code)


def _run(code: str, folder: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command line asks for, in place of doing it."""
    seen: dict[str, Any] = {}

    def distill(workspace: Workspace, pair: Pair, out: Path, **others: Any) -> None:
        seen.update(workspace=workspace, pair=pair, out=out, **others)
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "distill", distill)
    return seen


@pytest.mark.parametrize("target", ["common", "own", {"it's": 0.25, "b,c": 0.75}])
@pytest.mark.parametrize(
    ("setting", "compute"),
    [
        (Setting(1 / 3, 0.1, TransferSet.STUDENT), Compute()),
        (Setting(2.0, None, TransferSet.PUBLIC), Compute(device="cuda:1", precision="bfloat16", threads=3)),
        (Setting(1e-7, 0.0, TransferSet.TEACHER), Compute(memory_format="channels_last")),
        (Setting(4.0, 0.5, TransferSet.BOTH, Method.TRUST, 1e-3, 7, BatchNorm.FROZEN), Compute()),
        (Setting(1.0, 0.5, TransferSet.STUDENT, label_prior=LabelPrior.ADJUSTED), Compute()),
        (Setting(1.0, 0.5, TransferSet.BOTH, epochs=40, schedule=Schedule.COSINE), Compute()),
    ],
)
def test_a_cards_command_asks_for_the_same_again(
    here: Command,
    asked: dict[str, Any],
    setting: Setting,
    compute: Compute,
    target: TargetName | ClassShares,
) -> None:
    request = DistillationRequest(
        pair=Pair(4, 9),
        setting=setting,
        seed=5,
        study="digits_iid",
        home="a folder/home",
        file="my student.safetensors",
        compute=compute,
        target=target,
    )
    assert here(*shlex.split(request.command)[1:]).code == 130
    assert (asked["pair"], asked["setting"], asked["seed"]) == (request.pair, setting, 5)
    assert (asked["compute"], asked["force"], asked["target"]) == (compute, False, target)
    assert asked["out"] == Path("my student.safetensors")
    workspace = asked["workspace"]
    assert (workspace.study, workspace.home) == ("digits_iid", Path("a folder/home"))


@pytest.mark.parametrize(
    ("options", "compute"),
    [
        ((), Compute()),
        (("--memory-format", "contiguous"), Compute(memory_format="contiguous")),
        (("--precision", "auto", "--threads", "2"), Compute(precision="auto", threads=2)),
    ],
)
def test_what_no_option_says_is_left_open(
    here: Command, asked: dict[str, Any], options: tuple[str, ...], compute: Compute
) -> None:
    outcome = here("distill", "--pair", "4,9", "--out", "student.safetensors", *options)
    assert (asked["compute"], outcome.err) == (compute, "")


def test_the_former_option_of_the_layout_is_understood_and_names_the_new_one(
    here: Command, asked: dict[str, Any]
) -> None:
    arguments = ("distill", "--pair", "4,9", "--out", "student.safetensors", "--channels-last")
    outcome = here(*arguments)
    assert asked["compute"] == Compute(memory_format="channels_last")
    assert outcome.err == "--channels-last is deprecated: use --memory-format channels_last\n"
    refused(here(*arguments, "--memory-format", "contiguous"), "--channels-last: contradicts")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--temperature", "2"], ("--transfer-set: is missing", "a setting is --temperature")),
        (["--alpha", "0.5"], ("--temperature: is missing",)),
        (["--temperature", "2", "--transfer-set", "both"], ("--alpha: is missing",)),
        (["--temperature", "2", "--transfer-set", "public", "--alpha", "1"], ("--alpha", "no labels")),
        (["--temperature", "-2", "--transfer-set", "public"], ("--temperature", "must be greater than 0")),
        (["--temperature", "2", "--transfer-set", "both", "--alpha", "7"], ("--alpha", "[0, 1]")),
        (["--temperature", "2", "--transfer-set", "validation"], ("--transfer-set", "held out")),
        (["--epochs", "3"], ("--temperature: is missing",)),
        (["--temperature", "2", "--transfer-set", "public", "--epochs", "0"], ("--epochs", "at least 1")),
        (["--seed", "-1"], ("--seed",)),
        (["--for", "theirs"], ("theirs", "cannot be read", "common, own, or a JSON file")),
        (["--for", '{"a": 0.5}'], ("--for", "add up to 0.5", "must add up to 1")),
        (["--out", "student.pt"], ("--out student.pt", "must end in .safetensors")),
        ([], ("nothing has been tuned under autokd-home", "autokd tune --pair 4,9")),
        ([*SETTING], ("nothing has been tuned under autokd-home", "autokd prepare")),
    ],
)
def test_bad_input_is_one_line(here: Command, arguments: list[str], words: tuple[str, ...]) -> None:
    out = () if "--out" in arguments else ("--out", "student.safetensors")
    refused(here("distill", "--pair", "4,9", *out, *arguments), *words)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("wanted", [Verdict.SKIP, Verdict.UNDECIDED, Verdict.FAILED])
def test_what_is_not_recommended_is_refused_with_the_reason(
    here: Command, tuned: Tuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: Verdict
) -> None:
    against = verdict(wanted)
    monkeypatch.setattr(StoredResults, "recommendation", lambda self, pair: against)
    arguments = ("distill", "--pair", "0,1", "--home", tuned.home, "--out", "student.safetensors")
    refused(here(*arguments), wanted.value, against.reason, "--force distils")
    assert list(tmp_path.iterdir()) == []
    forced = here(*arguments, "--force", "--json").json()
    assert forced["chosen_by"] == "recommendation"
    assert forced["promised"]["verdict"] == wanted.value
    assert f"against the recommendation ({wanted.value}" in (tmp_path / "student.md").read_text()
