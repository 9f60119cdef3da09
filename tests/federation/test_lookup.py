from __future__ import annotations

from pathlib import Path

import pytest

from autokd.errors import FederationError
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.federation.storage import federations_folder, save

from .conftest import make_recipe, prepare_here


def test_a_recipe_finds_its_federation_and_no_other(folder: Path, home: Path, federation: Federation) -> None:
    prepared = find(home, federation.recipe)
    assert prepared is not None
    assert prepared.name == federation.name
    assert find(home, make_recipe(seed=1)) is None
    assert find(home, make_recipe(name="smal")) is None
    assert find(home / "elsewhere", federation.recipe) is None


def test_of_several_with_one_name_the_recipe_decides(folder: Path, home: Path) -> None:
    other = prepare_here(make_recipe(seed=1))
    save(other, federations_folder(home) / other.name)
    prepared = find(home, other.recipe)
    assert prepared is not None
    assert prepared.name == other.name


def test_what_is_no_federation_is_passed_by(folder: Path, home: Path, federation: Federation) -> None:
    (federations_folder(home) / ".unfinished-abc" / "small-11111111").mkdir(parents=True)
    (federations_folder(home) / "small-notes").mkdir()
    (federations_folder(home) / "small-big-11111111").mkdir()
    assert find(home, federation.recipe) is not None


def test_a_damaged_folder_that_may_be_the_one_is_not_passed_by(folder: Path, home: Path) -> None:
    (folder / "manifest.json").write_text("{")
    with pytest.raises(FederationError, match=r"manifest\.json: is no JSON"):
        find(home, make_recipe())
