from __future__ import annotations

from typing import Any

import pytest

from autokd.core.setting import AnyPair, Pair
from autokd.errors import NotTuned
from autokd.recommendation.interim_looks import Unfinished
from autokd.recommendation.judgement import Judgement
from autokd.workflows.kept_recommendations import Basis, KeptRecommendations

PAIR = Pair(0, 1)


def judgement() -> Judgement:
    """One that differs from all others; what is in it does not matter here."""
    return object.__new__(Judgement)


def unfinished() -> Unfinished:
    return object.__new__(Unfinished)


class Results:
    """Results of two pairs that change, and how often a recommendation was made of them."""

    def __init__(self) -> None:
        self.judged: dict[AnyPair, Any] = {PAIR: judgement(), PAIR.reverse: unfinished()}
        self.kept, self.made = KeptRecommendations(), 0

    def get(self) -> Any:
        return self.kept.get(PAIR, self.judged.__getitem__, self.make)

    def make(self, basis: Basis) -> Any:
        if isinstance(basis.judged, Unfinished):
            raise NotTuned("not finished")
        self.made += 1
        return basis.judged, basis.reverse

    def change(self, pair: Pair, result: object) -> None:
        self.judged[pair] = result
        if pair == PAIR:
            self.kept.forget(PAIR)
        self.kept.doubt(lambda changed: changed == pair)


def test_runs_of_a_reverse_pair_that_is_not_finished_change_nothing() -> None:
    results = Results()
    first = results.get()
    for _ in range(3):
        results.change(PAIR.reverse, unfinished())
        assert results.get() is first
    assert results.made == 1


def test_a_reverse_pair_counts_once_it_is_finished_and_when_it_changes() -> None:
    results = Results()
    results.get()
    for count in (2, 3):
        result = judgement()
        results.change(PAIR.reverse, result)
        assert results.get()[1] is result
        assert results.get()[1] is result
        assert results.made == count
    results.change(PAIR.reverse, unfinished())
    assert results.get()[1] is None


def test_a_change_of_the_pair_itself_counts() -> None:
    results = Results()
    results.get()
    result = judgement()
    results.change(PAIR, result)
    assert results.get()[0] is result
    results.change(PAIR, unfinished())
    with pytest.raises(NotTuned):
        results.get()
    results.change(PAIR, result)
    assert results.get()[0] is result
    assert list(results.kept) == [PAIR]
