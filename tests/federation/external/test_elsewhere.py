"""Models that a plain PyTorch script made are worth to autokd what they were worth to the script."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import autokd
from autokd import Split
from tests.cli.conftest import PROGRAM, Command
from tests.federation.external.conftest import measured
from tests.federation.external.samples import PARTS, recipe, write
from tests.samples import verdict_by_rule
from tests.trap import set_trap

SIZES = {"test": 4 * PARTS["test"]} | {f"part{number}": 4 * PARTS[f"part{number}"] for number in range(3)}


@pytest.fixture
def study(elsewhere: Path, tmp_path: Path) -> Path:
    """The script's files with a recipe, which says what the script has measured."""
    folder = tmp_path / "mine"
    shutil.copytree(elsewhere, folder)
    content = recipe()
    for number, counts in measured(elsewhere).items():
        participant = content["federation"]["participants"][int(number)]
        participant["claimed_accuracy"] = counts["private"] / SIZES[f"part{number}"]
    return write(content, folder)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="r-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_the_script_trained_something(elsewhere: Path) -> None:
    for counts in measured(elsewhere).values():
        # A tenth would be right by chance; how many are depends a little on the processor.
        assert counts["test"] > 0.25 * SIZES["test"]


def test_check_finds_the_accuracies_that_the_script_measured(here: Command, study: Path) -> None:
    report = here("check", study, "--json").json()
    assert report["problems"] == []
    (warning,) = report["warnings"]
    assert "48 examples are few" in warning["problem"]
    for participant in report["participants"]:
        right = measured(study.parent)[str(participant["number"])]["private"]
        assert participant["accuracy"] * participant["private"] == pytest.approx(right)
    assert report["splits"] == {"validation": 40, "confirmation": 48, "test": 60, "public": 24}


@pytest.mark.ray
@pytest.mark.slow
def test_a_recipe_alone_gets_them_tuned(here: Command, study: Path, tmp_path: Path) -> None:
    checked = here("check", study, "--json").json()["warnings"]
    # Nothing is prepared: tune does that, and says what check says.
    first = here("tune", "--study", study, "--pair", "0,1", "--json")
    recommendation = first.json()
    assert recommendation["verdict"] == verdict_by_rule(recommendation)
    assert recommendation["warnings"] == checked
    assert first.err.count("48 examples are few") == 1
    prepared = here("prepare", "--study", study, "--json").json()
    assert prepared["warnings"] == checked
    for number, accuracy in prepared["test_accuracy"].items():
        assert accuracy * SIZES["test"] == pytest.approx(measured(study.parent)[number]["test"])
    made = here(
        *("distill", "--study", study, "--pair", "1,2", "--out", "student.safetensors", "--json"),
        *("--temperature", 2, "--alpha", 0.5, "--transfer-set", "both"),
    ).json()
    before = made["scores"]["test"]["accuracy_before"]
    assert before * SIZES["test"] == pytest.approx(measured(study.parent)["2"]["test"])


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_own_code_runs_on_workers_and_nothing_from_where_one_stands(
    study: Path, tmp_path: Path, short_folder: Path
) -> None:
    mark = tmp_path / "mark"
    cwd, home = (set_trap(tmp_path / name, mark) for name in ("cwd", "home"))
    modes: dict[str, set[int]] = {}
    command = [PROGRAM, "tune", "--study", study, "--pair", "2,0", "--position", "student"]
    with (
        (tmp_path / "said").open("w") as said,
        subprocess.Popen(
            [*map(str, command), "--home", str(tmp_path / "of-autokd")],
            cwd=cwd,
            env={**os.environ, "HOME": str(home), "RAY_TMPDIR": str(short_folder)},
            stdout=said,
            stderr=said,
        ) as process,
    ):
        while process.poll() is None:
            for folder in (*short_folder.iterdir(), *short_folder.glob("*/ray/session_*")):
                with suppress(OSError):
                    kind = "session" if folder.name.startswith("session_") else "whole"
                    modes.setdefault(kind, set()).add(folder.stat().st_mode & 0o777)
            time.sleep(0.1)
    assert process.returncode == 0, (tmp_path / "said").read_text()
    assert not mark.exists(), mark.read_text()
    # Ray makes its own folders open to all: the one around them never is, and they are closed once it is up.
    assert modes["whole"] == {0o700}
    assert 0o700 in modes["session"]
    assert list(short_folder.iterdir()) == [], "Ray's folder is removed"


def test_another_checkpoint_is_another_federation(here: Command, study: Path, tmp_path: Path) -> None:
    first = here("prepare", "--study", study, "--json").json()["federation"]
    assert here("prepare", "--study", study, "--json").json()["federation"] == first
    # The data may go: the prepared copy is whole.
    shutil.move(study.parent / "images", tmp_path / "gone")
    assert autokd.load_federation(study).name == first
    shutil.move(tmp_path / "gone", study.parent / "images")
    import torch

    weights = torch.load(study.parent / "model2.pt", weights_only=True)
    weights["4.bias" if "4.bias" in weights else "3.bias"] += 1e-4
    torch.save(weights, study.parent / "model2.pt")
    assert here("prepare", "--study", study, "--json").json()["federation"] != first


def test_a_recipe_may_move_with_its_files(here: Command, study: Path, tmp_path: Path) -> None:
    first = here("prepare", "--study", study, "--json").json()["federation"]
    moved = shutil.move(study.parent, tmp_path / "elsewhere")
    federation = autokd.load_federation(Path(moved) / "mine.yaml")
    assert federation.name == first
    assert len(federation.splits[Split.TEST]) == SIZES["test"]
