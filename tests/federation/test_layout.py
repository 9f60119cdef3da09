from __future__ import annotations

import numpy as np

from autokd.federation import Dataset
from autokd.federation.layout import Layout, lay_out

from .conftest import make_recipe


def everything(layout: Layout) -> list[list[int]]:
    return [part.tolist() for part in (*layout.splits.values(), layout.public, *layout.private)]


def test_parts_are_disjoint_and_cover_the_data(digits: Dataset) -> None:
    layout = lay_out(make_recipe(), digits)
    together = np.sort(np.concatenate([np.array(part) for part in everything(layout)]))
    np.testing.assert_array_equal(together, np.arange(1797))
    assert len(layout.private) == 3


def test_the_layout_follows_from_the_recipes_name_and_seed(digits: Dataset) -> None:
    one = everything(lay_out(make_recipe(), digits))
    assert one == everything(lay_out(make_recipe(), digits))
    assert one != everything(lay_out(make_recipe(seed=1), digits))
    assert one != everything(lay_out(make_recipe(name="other"), digits))
    trained_longer = make_recipe(pretraining={"learning_rate": 0.01, "epochs": 9})
    assert one == everything(lay_out(trained_longer, digits))
