"""Stored results are found by these names: no renaming of classes may change them."""

from __future__ import annotations

import pytest

from autokd.config.base import content_hash
from autokd.config.space import former_spaces, read_space
from autokd.config.yaml_files import read_study_config, shipped
from autokd.core.setting import Pair
from autokd.search.study_names import rivals_name, study_name, sweep_name

RECIPES = {
    "cifar10_resnet18": ("95126b98", "ffd8ea18"),
    "cifar10_small": ("426e7437", "8c53f002"),
    "digits": ("5ac4372a", "67530c99"),
    "digits_iid": ("8c839eae", "46792716"),
}
"""Hashes of the whole study recipe, which has the defaults of how much to do in it, and of its federation."""
STUDIES = {
    "cifar10_resnet18": ("a70272a7", "e538b4f3", "d386e042", "0fbb6e1b", "d5c85761"),
    "cifar10_small": ("c8bcc0d7", "6cb5652a", "a02f5433", "3b8c10a7", "134b2433"),
    "digits": ("71a20d95", "6fb4f864", "f0839d0f", "9d2d6f15", "74a6f5e5"),
    "digits_iid": ("71a20d95", "6fb4f864", "f0839d0f", "9d2d6f15", "74a6f5e5"),
}
"""Hashes in the names of the studies, by search space in alphabetical order, and of the sweep."""
FORMER = {
    "cifar10_resnet18": {"default": "e7d7bf6b", "private": "f19f4118"},
    "cifar10_small": {"default": "7b0aa432", "private": "f5eb9ce4"},
    "digits": {"default": "1b01c241", "private": "b893606b"},
    "digits_iid": {"default": "1b01c241", "private": "b893606b"},
}
"""Hashes in the names of the studies that began with what a space was before, by space."""


def test_every_shipped_recipe_is_pinned() -> None:
    assert set(RECIPES) == set(STUDIES) == set(shipped("studies"))
    assert shipped("search_spaces") == ("default", "extended", "poster_sweep", "private")


@pytest.mark.parametrize("name", RECIPES)
def test_names_of_stored_studies_stay(name: str) -> None:
    config, pair = read_study_config(name), Pair(4, 9)
    assert (content_hash(config), content_hash(config.federation)) == RECIPES[name]
    *hashes, of_sweep = STUDIES[name]
    for space, digest in zip(shipped("search_spaces"), hashes, strict=True):
        searched = read_space(space).resolved(config)
        assert study_name("f", config, searched, pair) == f"f/{name}-{space}-{digest}/4->9"
    assert sweep_name("f", config, pair) == f"f/{name}-sweep-{of_sweep}/4->9"
    assert rivals_name("f", config, pair) == f"f/{name}-rivals-{of_sweep}/4->9"


@pytest.mark.parametrize("name", FORMER)
def test_names_of_studies_that_began_with_a_former_space_stay(name: str) -> None:
    config, pair = read_study_config(name), Pair(4, 9)
    for space, digest in FORMER[name].items():
        (before,) = former_spaces(space)
        assert study_name("f", config, before.resolved(config), pair) == f"f/{name}-{space}-{digest}/4->9"
    others = set(shipped("search_spaces")) - FORMER[name].keys()
    assert not any(map(former_spaces, others))
