from __future__ import annotations

import pickle
import re

import pytest

from autokd import errors
from autokd.errors import AutokdError, Diverged, InputError, OutOfMemory, TrialError, UnknownName

OURS = [
    member for member in vars(errors).values() if isinstance(member, type) and issubclass(member, AutokdError)
]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Each error stands in the drawing once, indented below one of its bases."""
    drawn = re.findall(r"^ {4}([│ ]*(?:[├└]── )?)(\w+)", errors.__doc__ or "", flags=re.MULTILINE)
    above: dict[int, str] = {}
    for indent, name in drawn:
        depth = len(indent) // 4
        error = getattr(errors, name)
        if depth:
            assert above[depth - 1] in {base.__name__ for base in error.__mro__[1:]}, name
        above[depth] = name
    assert sorted(name for _, name in drawn) == sorted(error.__name__ for error in OURS)


@pytest.mark.parametrize("error", OURS)
def test_the_exit_code_says_whose_it_is_to_mend(error: type[AutokdError]) -> None:
    assert error.exit_code == (2 if issubclass(error, InputError) else 1)


@pytest.mark.parametrize(
    "error", [Diverged(step=3, loss=float("inf")), OutOfMemory("full"), TrialError("other")]
)
def test_what_a_worker_raises_crosses_processes(error: TrialError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_an_unknown_name_guesses_only_what_is_close() -> None:
    assert "Did you mean 'digits'?" in str(UnknownName(kind="study", name="digit", known=["digits", "x"]))
    assert "Did you mean" not in str(UnknownName(kind="study", name="zzz", known=["digits", "x"]))


def test_what_others_wrote_gets_at_no_terminal() -> None:
    assert str(InputError("no \x1b[31mred\n, T² → α")) == "no \\x1b[31mred\\n, T² → α"
