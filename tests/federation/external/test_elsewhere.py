"""Models that a plain PyTorch script made are worth to autokd what they were worth to the script."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import autokd
from autokd import Split
from tests.cli.conftest import Command
from tests.federation.external.conftest import measured
from tests.federation.external.samples import PARTS, recipe, write
from tests.samples import verdict_by_rule

SIZES = {"test": 4 * PARTS["test"]} | {f"part{number}": 4 * PARTS[f"part{number}"] for number in range(3)}


@pytest.fixture
def study(elsewhere: Path, tmp_path: Path) -> Path:
    """The script's files with a recipe, which says what the script has measured."""
    folder = tmp_path / "mine"
    shutil.copytree(elsewhere, folder)
    content = recipe()
    for number, counts in measured(elsewhere).items():
        one = content["federation"]["participants"][int(number)]
        one["claimed_accuracy"] = counts["private"] / SIZES[f"part{number}"]
    return write(content, folder)


def test_the_script_trained_something(elsewhere: Path) -> None:
    for counts in measured(elsewhere).values():
        # A tenth would be right by chance; how many are depends a little on the processor.
        assert counts["test"] > 0.25 * SIZES["test"]


def test_check_finds_the_accuracies_that_the_script_measured(here: Command, study: Path) -> None:
    found = here("check", study, "--json").json()
    assert found["problems"] == []
    (warning,) = found["warnings"]
    assert "48 examples are few" in warning["problem"]
    for one in found["participants"]:
        right = measured(study.parent)[str(one["number"])]["private"]
        assert one["accuracy"] * one["private"] == pytest.approx(right)
    assert found["splits"] == {"validation": 40, "confirmation": 48, "test": 60, "public": 24}


@pytest.mark.ray
@pytest.mark.slow
def test_a_recipe_alone_gets_them_tuned(here: Command, study: Path, tmp_path: Path) -> None:
    prepared = here("prepare", "--study", study, "--json").json()
    for number, accuracy in prepared["test_accuracy"].items():
        assert accuracy * SIZES["test"] == pytest.approx(measured(study.parent)[number]["test"])
    found = here("tune", "--study", study, "--pair", "0,1", "--json").json()
    assert found["verdict"] == verdict_by_rule(found)
    made = here(
        *("distill", "--study", study, "--pair", "1,2", "--out", "student.safetensors", "--json"),
        *("--temperature", 2, "--alpha", 0.5, "--transfer-set", "both"),
    ).json()
    before = made["scores"]["test"]["accuracy_before"]
    assert before * SIZES["test"] == pytest.approx(measured(study.parent)["2"]["test"])


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
