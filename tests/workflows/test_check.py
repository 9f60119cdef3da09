"""What `autokd check` says of studies as they are shipped, and of splits that are too small."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from autokd.compute.device import Compute
from autokd.config.federation import FederationConfig, SplitSizes
from autokd.config.yaml_files import read_study_config, shipped
from autokd.federation.preparation import check
from autokd.federation.pretraining import pretrain
from autokd.statistics.detectable import detectable, too_few
from autokd.workflows.check import inspect
from tests.cli.conftest import Command
from tests.cli.conftest import here as here

CIFAR = ("cifar10_resnet18", "cifar10_small")
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@pytest.fixture
def cifar_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few images of noise where the recipes look for CIFAR-10."""
    rng = np.random.default_rng(0)
    for name in NAMES:
        folder = tmp_path / "data" / "train" / name
        folder.mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("study", sorted(set(shipped("studies")) - set(CIFAR)))
def test_shipped_studies_whose_data_is_bundled_pass(here: Command, study: str) -> None:
    report = here("check", study, "--json").json()
    assert report["problems"] == report["warnings"] == []
    assert (
        sum(report["splits"].values()) + sum(participant["private"] for participant in report["participants"])
        == 1797
    )
    assert "nothing is wrong" in here("check", study).out


@pytest.mark.parametrize("study", CIFAR)
def test_where_the_data_is_absent_one_line_says_so(here: Command, study: str) -> None:
    outcome = here("check", study)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith(
        f"error: {study}: federation.dataset: data: root: torchvision's CIFAR10 is not there"
    )
    assert "download: true" in line
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("study", CIFAR)
def test_where_there_are_too_few_images_one_line_says_so(
    here: Command, cifar_folder: Path, study: str
) -> None:
    outcome = here("check", study)
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert f"{study}: federation.splits: they add up to" in line
    assert "300 examples" in line


@pytest.mark.parametrize("study", CIFAR)
def test_with_images_they_can_be_made(cifar_folder: Path, study: str) -> None:
    """With a hundredth of the examples; everything else is as shipped."""
    recipe = read_study_config(study).federation
    assert isinstance(recipe, FederationConfig)
    partition = recipe.partition.model_copy(update={"examples": 20, "minimum": 4})
    splits = SplitSizes(validation=20, confirmation=30, test=30, public=20)
    few = recipe.model_copy(update={"partition": partition, "splits": splits})
    checked = check(few)
    assert checked.data.images.shape == (300, 3, 32, 32)
    assert checked.data.classes == NAMES
    # Noise, each value alike: mean 127.5, deviation 73.9.
    assert checked.data.mean == pytest.approx((127.5,) * 3, abs=1)
    assert checked.data.std == pytest.approx((73.9,) * 3, abs=1)
    sizes = [len(own) for own in checked.layout.private]
    assert sizes == [20] * 10 if study == "cifar10_small" else min(sizes) >= 4
    brief = few.pretraining.model_copy(update={"epochs": 1})
    once = pretrain(
        few.model_copy(update={"pretraining": brief}),
        checked.data,
        checked.layout.private[0][:8],
        participant=0,
        compute=Compute(),
    )
    assert once.logits.shape == (300, 10)


@pytest.mark.parametrize("examples", [48, 350, 10_000])
def test_what_a_split_can_show_is_students_formula(examples: int) -> None:
    """Of a paired difference with a tenth of the answers changed: half width and power, by SciPy's t."""
    error = 100 * math.sqrt(0.1 / examples)
    t = stats.t(examples - 1)
    half = t.ppf(0.975) * error
    chance = math.sqrt(error**2 + half**2 / (2 * (examples - 1)))
    assert detectable(examples, 0.95) == pytest.approx(half + t.ppf(0.8) * chance)


def test_splits_that_are_too_small_for_the_effect_sought_are_warned_of() -> None:
    assert inspect("digits", effect=5).warnings == ()
    (warning,) = inspect("digits", effect=1).warnings
    assert "350 examples are few" in str(warning)
    assert "1 pp are sought" in str(warning)
    assert "about 7" in str(warning)  # thousand


@pytest.mark.parametrize(
    ("examples", "words"),
    [(1.0, "below inf pp"), (12.0, "12 examples are few"), (300.0, "about"), (400.0, None), (1e6, None)],
)
def test_examples_that_would_do_are_said_and_do(examples: float, words: str | None) -> None:
    said = too_few(examples, 0.95, 4.77)
    assert (words in said) if said is not None and words is not None else said is words is None
    needed = re.search(r"about (\d+) examples", said or "")
    if needed:
        assert 4 < detectable(float(needed[1]), 0.95) <= 4.77


def test_every_problem_of_a_recipe_is_listed(here: Command) -> None:
    config = read_study_config("digits").model_dump(mode="json")
    config["federation"]["participants"] = 1
    config["distillation"]["lr"] = config["distillation"].pop("learning_rate")
    Path("mine.yaml").write_text(json.dumps(config))
    outcome = here("check", "mine.yaml", "--json")
    assert outcome.code == 2
    fields = [problem["field"] for problem in json.loads(outcome.out)["problems"]]
    assert fields == ["distillation.lr", "distillation.learning_rate", "federation.participants"]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"space": "privat"}, "space", "Did you mean 'private'?"),
        ({"space": "absent.yaml"}, "", "absent.yaml"),
    ],
)
def test_the_space_is_looked_at_too(here: Command, change: dict[str, str], field: str, words: str) -> None:
    Path("mine.yaml").write_text(json.dumps(read_study_config("digits").model_dump(mode="json") | change))
    (problem,) = inspect("mine.yaml").problems
    assert problem.field == field
    assert words in str(problem)


def test_an_unknown_study_is_a_problem_like_any_other() -> None:
    (problem,) = inspect("digit").problems
    assert "Did you mean 'digits'?" in str(problem)
