"""The matrix of a federation in terminals of all kinds."""

from __future__ import annotations

import io
import re
from itertools import permutations
from pathlib import Path

import pytest
from rich.console import Console

from autokd.cli.listing import table
from autokd.cli.matrix import FEW, Matrix, PairCell, matrix
from autokd.cli.progress import Lines, Screen, watching
from autokd.core.colors import diverging
from autokd.core.setting import Pair
from autokd.workflows.recommend import PairResult
from tests.cli.conftest import PROGRAM, Tuned
from tests.cli.terminal import Terminal

GAINS = {
    Pair(0, 1): PairCell("tuned", 12.34),
    Pair(1, 0): PairCell("skip", -0.4),
    Pair(0, 2): PairCell("undecided", -20),
}
CELLS = {
    **GAINS,
    Pair(2, 0): PairCell("failed"),
    Pair(1, 2): PairCell(None, runs=17),
    Pair(2, 1): PairCell(None),
}
# `tuned` and `failed` in turn, so that there are cells with and without a gain.
MANY = {
    pair: PairCell("failed")
    if sum(pair.meeting) % 9 == 0
    else PairCell("tuned", 100.0 * (-1) ** pair.teacher)
    for pair in (Pair(*pair) for pair in permutations(range(30), 2))
}


def drawn(matrix: object, *, width: int, terminal: bool = True, no_color: bool = False) -> str:
    screen = io.StringIO()
    console = Console(
        file=screen,
        width=width,
        force_terminal=terminal,
        color_system="truecolor" if terminal else None,
        no_color=no_color,
    )
    console.print(matrix)
    return screen.getvalue()


def bare(text: str) -> str:
    return re.sub(r" +$", "", re.sub(r"\x1b\[[0-9;]*m", "", text), flags=re.MULTILINE)


def test_a_wide_terminal_shows_all() -> None:
    lines = bare(drawn(Matrix(3, CELLS), width=80)).splitlines()
    assert lines == [
        "teacher     ->0     ->1     ->2",
        "      0         +12.3 t -20.0 u",
        "      1  -0.4 s            (17)",
        "      2       f       ·",
        "gain of the judged setting on test in pp, red -20 to blue +20; t tuned 1, s skip",
        "1, u undecided 1, f failed 1, (runs) not judged yet 2",
    ]


def test_the_decision_stands_in_the_cell_if_all_judged_pairs_have_one() -> None:
    decided = {
        Pair(0, 1): PairCell("tuned", 12.3, action="adopt", action_gain=20.0),
        Pair(1, 0): PairCell("skip", -0.4, action="let_partner_learn", action_gain=3.0),
        Pair(0, 2): PairCell(None, runs=17),
    }
    text = bare(drawn(matrix(decided), width=100))
    assert "+20.0 a" in text
    assert "+3.0 p" in text
    assert "gain of the decision on test in pp, red -20 to blue +20" in text
    assert "p let partner learn 1, a adopt 1, (runs) not judged yet 1" in " ".join(text.split())
    older = {**decided, Pair(2, 0): PairCell("skip", -1.0)}
    text = bare(drawn(matrix(older), width=100))
    assert "+12.3 t" in text
    assert "adopt" not in text


def test_a_narrow_one_rounds() -> None:
    lines = bare(drawn(Matrix(3, CELLS), width=28)).splitlines()
    assert lines[:4] == [
        "teacher  ->0  ->1  ->2",
        "      0      +12t -20u",
        "      1  -0s      (17)",
        "      2    f    ·",
    ]


def test_a_very_narrow_one_has_a_letter_a_pair_and_says_how_to_read_it() -> None:
    lines = bare(drawn(Matrix(3, CELLS), width=20)).splitlines()
    assert lines[:4] == ["  0 1 2", "0   t u", "1 s   ·", "2 f ·"]
    assert "rows teach, columns learn" in " ".join(lines[4:])


def test_where_nothing_fits_each_judged_pair_has_a_line() -> None:
    lines = bare(drawn(Matrix(3, CELLS), width=6)).splitlines()
    assert "0->1" in lines
    assert "+12.3 t" not in lines  # Folded: the terminal is narrower than a pair.
    assert max(map(len, lines)) <= 6


@pytest.mark.parametrize("participants", [2, 10, 30])
@pytest.mark.parametrize("width", [24, 40, 80, 120, 300])
def test_no_line_is_wider_than_the_terminal(participants: int, width: int) -> None:
    cells = {pair: cell for pair, cell in MANY.items() if max(pair.meeting) < participants}
    text = bare(drawn(Matrix(participants, cells), width=width))
    assert max(map(len, text.splitlines())) <= width
    has_gains = re.search(r"\+100(t|\.0 t)", text) is not None
    assert has_gains == (7 + 6 * participants <= width or 2 + 2 * participants > width)


def test_thirty_participants_fit_80_columns() -> None:
    lines = bare(drawn(Matrix(30, MANY), width=80)).splitlines()
    assert lines[0].split() == ["1"] * 10 + ["2"] * 10
    assert lines[1].split() == [str(student % 10) for student in range(30)]
    assert [line.split()[0] for line in lines[2:32]] == [str(teacher) for teacher in range(30)]
    assert lines[2].split()[1:] == ["f" if student % 9 == 0 else "t" for student in range(1, 30)]


def test_the_colour_is_that_of_the_gain() -> None:
    text = drawn(Matrix(3, CELLS), width=80)
    for gain, shown in ((12.34, r"\+12.3 t"), (-0.4, r" -0.4 s"), (-20.0, r"-20.0 u")):
        parts = bytes.fromhex(diverging(gain, 20.0)[1:])
        assert re.search(rf"48;2;{parts[0]};{parts[1]};{parts[2]}m{shown}", text)


def test_no_colour_where_it_is_not_wanted() -> None:
    text = drawn(Matrix(3, CELLS), width=80, no_color=True)
    assert not re.search(r"\x1b\[[0-9;]*[34]8;", text)
    assert "+12.3 t" in text
    assert "red" not in text


def test_sixteen_colours_serve_too() -> None:
    screen = io.StringIO()
    Console(file=screen, width=80, force_terminal=True, color_system="standard").print(Matrix(3, CELLS))
    assert "\x1b[97;41m-20.0 u" in screen.getvalue()
    assert "\x1b[97;44m+12.3 t" in screen.getvalue()
    assert re.search(r"\x1b\[0m -0.4 s", screen.getvalue())  # Hardly a change.


def test_no_escape_outside_of_a_terminal() -> None:
    assert "\x1b" not in drawn(Matrix(3, CELLS), width=80, terminal=False)


def test_nothing_to_say_is_said_of_nothing() -> None:
    assert drawn(Matrix(2, {}), width=80, terminal=False).split() == ["teacher", "->0", "->1", "0", "1"]


def test_a_list_of_many_pairs_ends_with_their_matrix() -> None:
    answers = [PairResult(pair=Pair(*pair), missing="was not tuned") for pair in permutations(range(4), 2)]
    assert "not judged yet 12" in drawn(table(answers), width=80)
    assert "not judged yet" not in drawn(table(answers[:FEW]), width=80)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize(
    ("environment", "escapes"),
    [
        pytest.param({"COLORTERM": "truecolor"}, r"\x1b\[38;2;\d+;\d+;\d+;48;2;", id="all colours"),
        pytest.param({"NO_COLOR": "1"}, None, id="none wanted"),
        pytest.param({"TERM": "dumb"}, None, id="none possible"),
    ],
)
def test_status_has_the_colours_that_a_terminal_has(
    tuned: Tuned, tmp_path: Path, environment: dict[str, str], escapes: str | None
) -> None:
    command = (PROGRAM, "status", "--home", tuned.home)
    with Terminal(
        command, cwd=tmp_path, environment={"COLORTERM": "", "NO_COLOR": "", **environment}
    ) as screen:
        assert screen.end() == 0
    lines = bare(screen.shown).replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("teacher  ->0  ->1") for line in lines)
    if escapes is None:
        assert not re.search(r"\x1b\[[0-9;]*\b(3|4|9|10)\d", screen.shown)
    else:
        assert re.search(escapes, screen.shown)


def test_progress_is_redrawn_only_where_a_terminal_can() -> None:
    def shown_on(**kind: object) -> object:
        console = Console(file=io.StringIO(), **kind)  # type: ignore[arg-type]
        with watching(console) as callbacks:
            return callbacks

    assert isinstance(shown_on(force_terminal=True, _environ={"TERM": "xterm"}), Screen)
    assert isinstance(shown_on(force_terminal=True, _environ={"TERM": "dumb"}), Lines)
    assert isinstance(shown_on(force_terminal=False), Lines)
