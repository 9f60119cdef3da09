"""The mean over all participants before and after one round."""

from __future__ import annotations

import pytest

from autokd.core.pair import AnyPair, Group, Pair
from autokd.recommendation.whole_federation import Answer, whole_federation

BEFORE = [0.5, 0.3, 0.4]


def answer(
    pair: AnyPair, gain: float, confirmed: float, *, trains: bool = True, sent: int | None = 10
) -> Answer:
    return Answer(pair=pair, trains=trains, gain=gain, confirmed=confirmed, sent=sent)


def test_each_follows_the_answer_that_is_best_on_confirmation() -> None:
    answers = [
        answer(Pair(1, 0), gain=9.0, confirmed=1.0),
        answer(Pair(2, 0), gain=3.0, confirmed=2.0, sent=7),
        answer(Pair(0, 1), gain=6.0, confirmed=5.0),
        answer(Pair(0, 2), gain=8.0, confirmed=4.0, trains=False),
    ]
    whole = whole_federation(BEFORE, answers)
    assert whole is not None
    assert whole.before == pytest.approx(0.4)
    assert whole.best_pair is not None
    assert whole.best_pair.accuracy == pytest.approx(0.43)
    assert (whole.best_pair.judged, whole.best_pair.learning, whole.best_pair.sent) == (3, 2, 17)
    assert whole.several is None


def test_groups_are_a_round_of_their_own() -> None:
    group = Group((1, 2), 0)
    whole = whole_federation(BEFORE, [answer(group, 30.0, 20.0), answer(Pair(1, 0), 3.0, 2.0, sent=None)])
    assert whole is not None
    assert whole.several is not None
    assert whole.several.accuracy == pytest.approx(0.5)
    assert (whole.several.judged, whole.several.learning, whole.several.sent) == (1, 1, 10)
    assert whole.best_pair is not None
    assert whole.best_pair.sent is None


def test_without_participants_there_is_nothing() -> None:
    assert whole_federation([], []) is None


@pytest.mark.parametrize("figure", ["candidate_gain", "default_gain"])
def test_an_answer_is_read_from_what_the_store_has(figure: str) -> None:
    default, tuned = {"temperature": 1.0}, {"temperature": 2.0}
    payload = {
        "recommended": {"answer": "tuned", "gain": {"mean": 3.0}},
        "candidate": {"setting": tuned},
        "setting": tuned if figure == "candidate_gain" else default,
        "decided_on": {"candidate_gain": {"mean": 1.0}, "default_gain": {"mean": 2.0}},
        "network": None,
    }
    expected = {"candidate_gain": 1.0, "default_gain": 2.0}[figure]
    assert Answer.of_json(Pair(0, 1), payload) == answer(Pair(0, 1), 3.0, expected, sent=None)
