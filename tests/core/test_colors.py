from __future__ import annotations

import pytest

from autokd.core.colors import AROUND_OWN, diverging, legible_on, reach


def test_the_scale_is_the_same_on_both_sides_of_zero() -> None:
    ends = [diverging(value, 10.0) for value in (-10.0, 0.0, 10.0)]
    assert ends == [AROUND_OWN[0], AROUND_OWN[3], AROUND_OWN[-1]]
    # Half-way between two colours: ef8a62 and fddbc7.
    assert diverging(-5.0, 10.0) == "#f6b294"


def test_what_lies_beyond_has_the_colour_of_the_end() -> None:
    assert diverging(99.0, 10.0) == diverging(10.0, 10.0)
    assert diverging(-99.0, 10.0) == diverging(-10.0, 10.0)


@pytest.mark.parametrize(
    ("gains", "end"),
    [
        pytest.param([], 1.0, id="none"),
        pytest.param([0.2, -0.3], 1.0, id="at least one pp"),
        pytest.param([-3.2, 2.0], 4.0, id="whole pp, whatever the sign"),
        # 95% of 20 are 19: the largest of all stretches nothing.
        pytest.param([*map(float, range(1, 20)), 500.0], 19.0, id="without the odd one"),
    ],
)
def test_the_scale_ends_where_nearly_all_gains_lie(gains: list[float], end: float) -> None:
    assert reach(gains) == end


def contrast(color: str, other: str) -> float:
    """Of WCAG 2.1, written out once more."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(color), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_whatever_the_gain_its_figure_can_be_read() -> None:
    for tenth in range(-250, 251):
        colour = diverging(tenth / 10, 25.0)
        assert contrast(legible_on(colour), colour) >= 4.5
