"""What people type for pairs, and what is told of a text that is none."""

from __future__ import annotations

import pytest

from autokd.core.pair_text import hint, is_cut_by_a_shell
from autokd.core.participant_names import ParticipantNames
from autokd.core.setting import Pair
from autokd.errors import PlanError

NUMBERS = ParticipantNames(count=10)
NAMES = ParticipantNames.of(["north", "south: old", "a > b", "east wing"])


@pytest.mark.parametrize("text", ["4,9", "4->9", "4>9", "4:9", "4→9", " 4 -> 9 ", "4 , 9"])
def test_a_pair_in_every_writing(text: str) -> None:
    assert NUMBERS.pair(text) == Pair(4, 9)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("north->east wing", Pair(0, 3)),
        ("north:south: old", Pair(0, 1)),
        ("a > b>north", Pair(2, 0)),
        ("2:south: old", Pair(2, 1)),
    ],
)
def test_a_name_may_have_a_mark_in_it(text: str, pair: Pair) -> None:
    assert NAMES.pair(text) == pair


@pytest.mark.parametrize("text", ["4,9 9,4", "4->9  9->4", "4, 9 9, 4", "4:9;9:4", " 4,9;\n9,4; "])
def test_several_pairs_in_one_argument(text: str) -> None:
    assert NUMBERS.pairs(text) == (Pair(4, 9), Pair(9, 4))


def test_names_with_blanks_are_listed_with_semicolons() -> None:
    assert NAMES.pairs("north, east wing; east wing, north") == (Pair(0, 3), Pair(3, 0))
    assert NAMES.pairs("north, east wing") == (Pair(0, 3),)


def test_a_name_that_is_almost_right_is_asked_back() -> None:
    with pytest.raises(PlanError, match="did you mean north"):
        NAMES.pair("nroth,east wing")


@pytest.mark.parametrize("text", ["4,9 left", "4,9 9,11", "left over", ""])
def test_a_list_with_something_else_in_it_is_refused(text: str) -> None:
    with pytest.raises(PlanError):
        NUMBERS.pairs(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("4-9", "did you mean 4,9?"),
        ("4 9", "did you mean 4,9?"),
        ("9<-4", "did you mean 4,9?"),
        ("4,9,9,4", "--pairs 4,9 9,4"),
        ("{0,3,7}->9", "--student 9 --teachers 0,3,7"),
        ("4-", "to a shell > means a file"),
        ("4", ""),
        ("a,b", ""),
    ],
)
def test_what_may_have_been_meant(text: str, meant: str) -> None:
    assert meant in hint(text)
    assert bool(hint(text)) == bool(meant)


def test_only_an_arrow_leaves_a_hyphen_at_the_end() -> None:
    assert is_cut_by_a_shell("4-")
    assert is_cut_by_a_shell("north-")
    assert not any(map(is_cut_by_a_shell, ("-", "4,9-", "4", "")))
