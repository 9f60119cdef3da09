"""Decisions of a store of ninety pairs, worked out again by their rule from what is told, and followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from autokd.core.setting import Pair
from benchmarks.decisions import by_the_rule, of_learning_or_adopting, on_test
from tests.report.federations import BAD, GOOD, Gains, everybody, make_material

OWN = (0.5, 0.6, 0.4, 0.5, 0.7, 0.45, 0.65, 0.55, 0.35, 0.6)
KINDS: tuple[Gains, ...] = (GOOD, BAD, (0.0, 0.01), (-0.05, 0.1), (0.1, 0.1))


@pytest.fixture(scope="module")
def decisions() -> Mapping[Pair, Mapping[str, Any]]:
    gains = {pair: KINDS[number % len(KINDS)] for number, pair in enumerate(everybody(10))}
    pairs = make_material(OWN, gains).pairs
    return {
        data.records.pair: data.recommendation.decision.to_json()
        for data in pairs
        if data.recommendation is not None and isinstance(data.records.pair, Pair)
    }


def test_every_decision_is_the_simplest_way_that_is_not_shown_to_be_worse(
    decisions: Mapping[Pair, Mapping[str, Any]],
) -> None:
    assert len(decisions) == 90
    for pair, decision in decisions.items():
        way = by_the_rule(decision["weighed"])
        assert (decision["name"], decision["gain"]) == (way["name"], way["gain"]), pair
        count = len({weighed["action"] for weighed in decision["weighed"]})
        assert decision["confidence"] == pytest.approx(1 - 0.05 / count)
    assert len({decision["action"] for decision in decisions.values()}) >= 3


def test_following_them_gains_what_the_better_of_learning_and_adopting_does(
    decisions: Mapping[Pair, Mapping[str, Any]],
) -> None:
    beyond = [
        on_test(by_the_rule(decision["weighed"])) - of_learning_or_adopting(decision["weighed"])
        for decision in decisions.values()
    ]
    assert sum(beyond) / len(beyond) >= -0.5
