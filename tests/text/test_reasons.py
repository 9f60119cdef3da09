from __future__ import annotations

import pytest

from autokd.core.records import REASON_LENGTH
from autokd.text.reasons import in_a_line, traceback_in, with_traceback

FORMER = """Traceback (most recent call last):
  File "trainer.py", line 3, in step
    raise ValueError("inner")
ValueError: inner

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "trainer.py", line 5, in step
    loss.backward()
torch.linalg.LinAlgError: matrix is singular
and more of it
"""


def _fail(words: str) -> None:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise RuntimeError(words) from error


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (FORMER, "LinAlgError: matrix is singular"),
        ("loss became nan at step 3", "loss became nan at step 3"),
        ("the worker was lost\nand its node", "the worker was lost"),
        ("", ""),
        ("\n \n", ""),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("x" * 1000, "x" * 300 + "…"),
    ],
)
def test_a_reason_is_one_line(reason: str, line: str) -> None:
    assert in_a_line(reason) == line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("shapes differ", "RuntimeError: shapes differ"),
        ("shapes differ:\n(3, 4)\n(4, 3)", "RuntimeError: shapes differ:"),
        ("", "RuntimeError"),
        ("x" * 9000, "RuntimeError: " + "x" * 286 + "…"),
    ],
)
def test_what_is_stored_has_the_line_first_and_the_traceback_below(words: str, line: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        _fail(words)
    stored = with_traceback(caught.value)[:REASON_LENGTH]
    assert in_a_line(stored) == line
    assert traceback_in(stored).startswith("Traceback (most recent call last):")
    assert "_fail" in traceback_in(stored)
    assert traceback_in(line) == ""
