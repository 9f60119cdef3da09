from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from autokd.cli.budget import BudgetOptions, seconds_of
from autokd.cli.progress import Lines
from autokd.errors import PlanError
from autokd.search.expected import ExpectedCost
from autokd.search.spending import Budget
from autokd.workflows.tune import BatchBudget


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6h", 21600),
        ("90m", 5400),
        ("1h30m", 5400),
        ("45s", 45),
        ("0.5h", 1800),
        ("2d", 172800),
        (" 5m ", 300),
    ],
)
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "6", "h", "6 hours", "-1h", "0s", "1h 30m", "6H", "1h30", "nan"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(PlanError, match=r"--time: .* is no time; write e\.g\. 90m, 6h, 1h30m or 2d"):
        seconds_of(text)


@given(st.integers(0, 100), st.integers(0, 59), st.integers(1, 59))
def test_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert seconds_of(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds


def test_one_budget_at_a_time() -> None:
    with pytest.raises(PlanError, match="--time and --share-of-sweep: give one budget, not several"):
        BudgetOptions(time="6h", share_of_sweep=0.1).limits()
    assert BudgetOptions().limits() == {"seconds": None, "epochs": None, "share_of_sweep": None}


def test_a_share_of_the_sweep_is_a_number_of_training_examples() -> None:
    assert BatchBudget().of(68400) is None
    budget = BatchBudget(share_of_sweep=0.05).of(68400)
    assert budget is not None
    assert budget == Budget(examples=3420)
    timed = BatchBudget(seconds=60).of(68400)
    assert timed is not None
    assert timed == Budget(seconds=60)
    assert BatchBudget(epochs=90, share_of_sweep=0.5).of(1000) == Budget(epochs=90, examples=500)


class Keyboard(io.StringIO):
    """A terminal on which somebody has typed."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "seconds", "typed", "goes_on"),
    [
        pytest.param(True, 7200.0, "n", False, id="long, and refused"),
        pytest.param(True, 7200.0, "y", True, id="long, and wanted"),
        pytest.param(True, 60.0, "n", True, id="short"),
        pytest.param(True, None, "n", True, id="nobody knows how long"),
        pytest.param(False, 7200.0, "n", True, id="nobody to ask"),
    ],
)
def test_before_a_long_batch_a_question_is_asked_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, seconds: float | None, typed: str, goes_on: bool
) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard(f"{typed}\n"))
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=120, no_color=True)
    cost = ExpectedCost(pairs=90, runs=1755, epochs=33911, seconds=seconds, at_once=2)
    display = Lines(console, confirm_above=3600.0)
    assert display.approves(lambda: cost) is goes_on
    assert "to do: about 1,755 runs of 90 pairs, 33,911 epochs" in output.getvalue()
    assert ("nothing was run" in output.getvalue()) is not goes_on
