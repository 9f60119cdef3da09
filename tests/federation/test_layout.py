from __future__ import annotations

import numpy as np

from autokd.data.dataset import Dataset
from autokd.federation.layout import Layout, lay_out, only_used

from .conftest import make_recipe


def everything(layout: Layout) -> list[list[int]]:
    return [part.tolist() for part in (*layout.splits.values(), layout.public, *layout.private)]


def test_parts_are_disjoint_and_cover_the_data(digits: Dataset) -> None:
    layout = lay_out(make_recipe(), digits)
    together = np.sort(np.concatenate([np.array(part) for part in everything(layout)]))
    np.testing.assert_array_equal(together, np.arange(1797))
    assert len(layout.private) == 3


def test_the_layout_follows_from_the_recipes_name_and_seed(digits: Dataset) -> None:
    arrays = everything(lay_out(make_recipe(), digits))
    assert arrays == everything(lay_out(make_recipe(), digits))
    assert arrays != everything(lay_out(make_recipe(seed=1), digits))
    assert arrays != everything(lay_out(make_recipe(name="other"), digits))
    trained_longer = make_recipe(pretraining={"learning_rate": 0.01, "epochs": 9})
    assert arrays == everything(lay_out(trained_longer, digits))


def test_what_is_nobodys_is_left_out_and_everybody_keeps_the_same_examples(digits: Dataset) -> None:
    recipe = make_recipe(partition={"scheme": "dirichlet_equal", "beta": 0.5, "examples": 50})
    before = lay_out(recipe, digits)
    data, after = only_used(digits, before)
    assert sorted(number for part in everything(after) for number in part) == list(range(len(data.labels)))
    assert len(data.labels) < len(digits.labels)
    assert (data.mean, data.std, data.classes) == (digits.mean, digits.std, digits.classes)
    for old, new in zip(everything(before), everything(after), strict=True):
        np.testing.assert_array_equal(data.images[new], digits.images[old])
        np.testing.assert_array_equal(data.labels[new], digits.labels[old])


def test_where_everything_is_somebodys_nothing_changes(digits: Dataset) -> None:
    layout = lay_out(make_recipe(), digits)
    assert only_used(digits, layout) == (digits, layout)
