from __future__ import annotations

import pytest

from autokd.service.accepted import preferred

JSON, CSV = "application/json", "text/csv"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV; charset=utf-8", CSV),
        ("text/*", CSV),
        ("application/json;q=0.5, text/csv", CSV),
        ("text/csv;q=0.5, */*;q=0.6", JSON),
        ("text/csv;q=0, */*", JSON),
        ("application/*;q=0", None),
        ("image/png", None),
    ],
)
def test_the_format_that_is_preferred(accept: str | None, chosen: str | None) -> None:
    assert preferred(accept, (JSON, CSV)) == chosen
