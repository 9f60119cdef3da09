"""What `benchmarks.decisions` works out again from the figures of a recommendation."""

from __future__ import annotations

from typing import Any

from benchmarks.decisions import by_the_rule, of_learning_or_adopting


def way(name: str, action: str, confirmed: float, on_test: float, low: float) -> dict[str, Any]:
    return {
        "name": name,
        "action": action,
        "gain": {"mean": on_test},
        "decided_on": {"gain": {"mean": confirmed}, "best_minus_it": {"low": low}},
    }


WEIGHED = [
    way("as it is", "keep", 0.0, 0.0, 4.0),
    way("without a teacher", "train_alone", 7.0, 6.0, -1.0),
    way("the default setting", "learn", -1.0, 9.0, 3.0),
    way("the search's setting", "learn", 9.0, 8.0, 0.0),
    way("model 4 as it is", "adopt", 8.0, 12.0, -2.0),
]


def test_the_simplest_way_that_is_not_shown_to_be_worse() -> None:
    assert by_the_rule(WEIGHED)["name"] == "without a teacher"


def test_the_better_of_two_is_chosen_on_confirmation_and_told_from_test() -> None:
    assert of_learning_or_adopting(WEIGHED) == 8.0
    without = [entry for entry in WEIGHED if entry["name"] != "the search's setting"]
    assert of_learning_or_adopting(without) == 12.0
