"""`autokd init`: a recipe that holds as it is written, and never in place of a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from autokd.config.external import ExternalFederation, HeldOutSplits, SharedSplits
from autokd.config.yaml_files import read_study_config
from tests.cli.conftest import Command
from tests.core.test_atomic_write import files_end_at


def test_a_recipe_is_written_that_can_be_read(here: Command) -> None:
    said = here("init")
    assert said.code == 0
    assert "wrote mine.yaml; fill it in, then: autokd check mine.yaml" in said.out
    recipe = read_study_config("mine.yaml").federation
    assert isinstance(recipe, ExternalFederation)
    assert recipe.size == 2
    # Its files are not there yet: check says so, once for each.
    problems = here("check", "mine.yaml").err.splitlines()
    assert len(problems) == 7
    assert all("No such file" in line for line in problems)


def test_what_is_commented_out_holds_as_well(here: Command) -> None:
    here("init")
    text = Path("mine.yaml").read_text()
    uncommented = (
        text.replace("# labels: [", "labels: [")
        .replace("# claimed", "claimed")
        .replace("# held_out:", "held_out:")
    )
    uncommented = uncommented.replace("  # images: {", "  images: {").replace(
        "  # classes: [", "  classes: ["
    )
    content = yaml.safe_load(uncommented)
    first = content["federation"]["participants"][0]
    assert {"labels", "claimed_accuracy", "held_out"} <= set(first)
    assert {"images", "classes"} <= set(content["federation"])
    ExternalFederation.model_validate(content["federation"])
    for line in re.findall(r"# data: (\{.*?\})", text):
        first["data"] = yaml.safe_load(line)
        ExternalFederation.model_validate(content["federation"])
    shared = dict(re.findall(r"^    # (data|validation|confirmation|test|public): (.*)$", text, re.MULTILINE))
    assert isinstance(
        ExternalFederation.model_validate(
            content["federation"]
            | {
                "splits": {
                    "kind": "shared",
                    **{name: yaml.safe_load(value) for name, value in shared.items()},
                }
            }
        ).splits,
        SharedSplits,
    )
    content["federation"]["participants"][1]["held_out"] = first["data"]
    held_out = content["federation"] | {"splits": {"kind": "held_out", "duplicates": "drop"}}
    assert isinstance(ExternalFederation.model_validate(held_out).splits, HeldOutSplits)


def test_a_file_that_is_there_is_never_replaced(here: Command) -> None:
    Path("mine.yaml").write_text("precious")
    refused = here("init", "mine.yaml")
    assert (refused.code, refused.out) == (2, "")
    assert "mine.yaml: is there already" in refused.err
    assert Path("mine.yaml").read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "words"), [("mine.txt", "ends in .yaml"), ("absent/mine.yaml", "No such file")]
)
def test_a_name_that_cannot_be(here: Command, name: str, words: str) -> None:
    refused = here("init", name)
    assert refused.code == 2
    assert words in refused.err
    assert list(Path().iterdir()) == []


def test_a_full_disk_leaves_no_half_recipe(here: Command) -> None:
    with files_end_at(100):
        said = here("init")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "mine.yaml: cannot be written: File too large" in said.err
    assert here("init").code == 0
