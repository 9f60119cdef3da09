"""The recipes on which costs are measured say all that they mean, and stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from autokd.config.base import content_hash
from autokd.config.space import Space, read_space
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read, read_study_config
from autokd.core.setting import Pair
from autokd.errors import UnknownName
from autokd.federation.hashing import Hashes
from autokd.federation.lookup import find
from autokd.federation.storage import federations_folder, save
from autokd.search.study_names import study_name
from benchmarks.simulation.table import TABLES, load
from tests.distillation.conftest import make_federation
from tests.paths import ROOT

RECIPE, SPACE, PRIVATE, GRID = (
    str(ROOT / "benchmarks" / "frozen" / f"{name}.yaml")
    for name in ("digits", "default", "private", "poster_sweep")
)


def left_out(model: BaseModel, where: str = "") -> Iterator[str]:
    """Yield each field that a file leaves to its default."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name not in model.model_fields_set:
            yield where + name
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, BaseModel):
                yield from left_out(part, f"{where}{name}.")


def test_their_content_stays() -> None:
    """If this fails, a figure of docs/results.md has lost its yardstick: put the recipe back."""
    assert content_hash(read("studies", RECIPE, StudyConfig)) == "14934cf7"
    assert content_hash(read_space(SPACE)) == "df4d450c"
    assert content_hash(read_space(PRIVATE)) == "b184c992"
    assert content_hash(read_space(GRID)) == "c2f7f525"


@pytest.mark.parametrize(
    "model",
    [read_study_config(RECIPE), *map(read_space, (SPACE, PRIVATE, GRID))],
    ids=["study", "space", "private", "grid"],
)
def test_no_field_is_left_to_a_default(model: StudyConfig | Space) -> None:
    assert list(left_out(model)) == []


def test_a_field_that_is_left_out_is_found() -> None:
    shipped = list(left_out(read_study_config("digits")))
    assert {"search", "federation.partition.minimum", "distillation.schedule"} <= set(shipped)


def test_recorded_tables_are_read_without_any_shipped_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.config.yaml_files.shipped", lambda kind: ())
    with pytest.raises(UnknownName):
        read_space("poster_sweep")
    for name in TABLES:
        assert load.__wrapped__(name).space == read_space(GRID)


def test_studies_are_named_as_those_of_the_shipped_recipe_were() -> None:
    """So a store of the shipped study, from before its space changed, goes on with either."""
    config = read_study_config(RECIPE)
    for file, name in ((config.space, "default-1b01c241"), (PRIVATE, "private-b893606b")):
        assert study_name("f", config, read_space(file), Pair(4, 9)) == f"f/digits-{name}/4->9"


@pytest.mark.parametrize(
    "recipe", ["cifar10_six", "cifar10_resnet18_pair", "tables/digits_plain", "tables/digits_classes"]
)
def test_recipes_of_figures_name_the_frozen_space(recipe: str) -> None:
    config = read_study_config(str(ROOT / "benchmarks" / f"{recipe}.yaml"))
    assert read_space(config.space) == read_space(SPACE)


def test_a_federation_prepared_for_the_shipped_study_serves_the_frozen_one(tmp_path: Path) -> None:
    """It is found by its recipe, whatever it holds."""
    shipped, frozen = (read_study_config(name).federation for name in ("digits", RECIPE))
    assert (
        (frozen.name, content_hash(frozen)) == (shipped.name, content_hash(shipped)) == ("digits", "67530c99")
    )
    two = make_federation()
    held = replace(
        two,
        recipe=shipped,
        participants=tuple(replace(two.participants[0], number=number) for number in range(shipped.size)),
        logits=np.repeat(two.logits[:1], shipped.size, axis=0),
    )
    federation = replace(held, name=Hashes.of(held).name(shipped, held.data))
    save(federation, federations_folder(tmp_path) / federation.name)
    home = find(tmp_path, frozen)
    assert home is not None
    assert home.name == federation.name
