from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.space import Range, read_space
from autokd.search.low_discrepancy import even_values, rounded

DIMENSIONS: Mapping[str, Range | tuple[Any, ...]] = {
    "rate": Range(low=0.01, high=1, log=True),
    "weight": Range(low=0, high=1),
    "set": ("student", "teacher", "both", "public"),
    "epochs": (10, 20, 40),
}


def test_listed_values_share_the_points_equally() -> None:
    points = even_values(DIMENSIONS, 7)
    assert len(points) == 128
    assert set(Counter(point["set"] for point in points).values()) == {32}
    assert all(41 <= count <= 44 for count in Counter(point["epochs"] for point in points).values())


@pytest.mark.parametrize(("name", "middle"), [("rate", 0.1), ("weight", 0.5)])
def test_half_of_a_range_gets_half_of_the_points(name: str, middle: float) -> None:
    values = np.array([point[name] for point in even_values(DIMENSIONS, 7)])
    assert (values < middle).sum() == pytest.approx(64, abs=1)
    assert values.min() < middle / 5
    assert values.max() > 1.9 * middle


def test_points_lie_more_evenly_than_random_ones() -> None:
    """Of 16 squares of two dimensions each has its 16 of 256 points, to one that rounding moved."""
    points = even_values({"a": Range(low=0, high=1), "b": Range(low=0, high=1)}, 8)
    squares = Counter((int(4 * point["a"]), int(4 * point["b"])) for point in points)
    assert len(squares) == 16
    assert all(14 <= count <= 18 for count in squares.values())


def test_the_dimensions_alone_decide() -> None:
    space = read_space("extended")
    renamed = space.model_copy(update={"name": "another"})
    assert even_values(space.dimensions, 5) == even_values(renamed.dimensions, 5)
    fewer = {name: dimension for name, dimension in DIMENSIONS.items() if name != "epochs"}
    assert [point["rate"] for point in even_values(DIMENSIONS, 5)] != [
        point["rate"] for point in even_values(fewer, 5)
    ]


@given(st.floats(1e-6, 0.5), st.floats(1.0, 1e4), st.booleans())
def test_values_lie_in_their_range(low: float, factor: float, log: bool) -> None:
    dimension = Range(low=low, high=low * factor, log=log)
    assert all(point["value"] in dimension for point in even_values({"value": dimension}, 4))


@given(st.floats(-1e6, 1e6))
def test_a_rounded_value_has_three_digits_and_is_close(value: float) -> None:
    assert rounded(value) == pytest.approx(value, rel=0.0051, abs=0)
    assert rounded(rounded(value)) == rounded(value)
