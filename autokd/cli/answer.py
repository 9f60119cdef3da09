"""Prints a recommendation as text; its numbers are those of the recommendation, none is computed here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from autokd.cli.console import out

if TYPE_CHECKING:
    from autokd.recommendation import Recommendation
    from autokd.recommendation.verdict import Judgement
    from autokd.search.prediction import Prediction
    from autokd.statistics.paired import Interval

COLOR: Final = {
    "tuned": "green",
    "default": "green",
    "skip": "yellow",
    "undecided": "yellow",
    "failed": "red",
}


def show(found: Recommendation) -> None:
    """Print the verdict with its figures, and the position advice."""
    verdict = found.verdict.value
    out.print(Text.assemble((verdict, f"bold {COLOR[verdict]}"), "  ", (found.advice, "bold")))
    if found.judgement is not None:
        out.print(figures(found.judgement, found.pair.student))
        out.print(Text(in_use(found), style="dim"))
    if found.what_would_decide:
        out.print(Text(f"what would decide: {found.what_would_decide}"))
    if found.position is not None:
        position = found.position
        out.print(Text.assemble(("position ", "bold"), (position.advice.value, "bold"), f": {position.why}"))
        out.print(ways(found))
    out.print(Text(_cost(found), style="dim"))


def in_use(found: Recommendation) -> str:
    """Return the gain to expect of a single run, and the network traffic that it causes."""
    gain = (
        f"expected of a single run ({found.confirmation.confidence:.0%} interval): {found.single_run} on test"
    )
    return gain if found.network is None else f"{gain}\nsent over the network for it: {found.network}"


def show_prediction(found: Prediction) -> None:
    """Print a predicted gain, and say that it was not measured."""
    advice = "leave the model as it is" if found.setting is None else f"try {found.setting}"
    out.print(Text.assemble(("predicted", "bold yellow"), "  ", (advice, "bold")))
    if found.setting is not None:
        gain = f"{found.gain:+.1f} pp [{found.low:+.1f}, {found.high:+.1f}]"
        out.print(
            Text(
                f"expected gain of participant {found.pair.student}: {gain} for a single run, 95% interval, "
                "on validation"
            )
        )
    out.print(
        Text(
            f"predicted from {found.runs} runs of {found.pairs} other pairs, not measured; to measure it: "
            f"autokd tune --pair {found.pair.teacher},{found.pair.student}",
            style="dim",
        )
    )


def figures(judgement: Judgement, student: int) -> Table:
    """Return the gains on test beside those on confirmation."""
    grid = _grid(f"gain of participant {student}", "on test", "on confirmation (decides)")
    test, decided = judgement.test, judgement.confirmation
    if test.winner_gain is not None and judgement.evidence.winner is not None:
        setting = str(judgement.evidence.winner.setting)
        grid.add_row(setting, _pp(test.winner_gain), _pp(decided.winner_gain))
    grid.add_row("the default setting", _pp(test.default_gain), _pp(decided.default_gain))
    if test.improvement is not None:
        grid.add_row("difference", _pp(test.improvement), _pp(decided.improvement))
    return grid


def ways(found: Recommendation) -> Table:
    """Return the gain of each position, and of adopting the partner's model as it is."""
    assert found.position is not None
    test, decided = found.position.test, found.position.confirmation
    grid = _grid("", "", "")
    for name, here, there in (
        (f"as student, {found.pair}", test.as_student, decided.as_student),
        (f"as teacher, {found.pair.reverse} (adopted)", test.as_teacher, decided.as_teacher),
        (f"with model {found.pair.teacher} as it is", test.by_adoption, decided.by_adoption),
    ):
        grid.add_row(name, _pp(here), _pp(there))
    return grid


def _grid(*headers: str) -> Table:
    """Return an empty table; the tables of a recommendation share their columns, within 80 characters."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(headers))
    for header, width in zip(headers, (27, 23, 25), strict=True):
        grid.add_column(header, header_style="dim", min_width=width)
    return grid


def further(found: Recommendation, where: Mapping[str, str]) -> str:
    """Return the commands that show more of a pair.

    Args:
        where: Options to repeat, by name (see `StudyOptions.repeated`).
    """
    teacher, student = found.pair.teacher, found.pair.student
    commands = (
        (f"recommend --pair {student},{teacher}{typed(where)}", "the same meeting from the other side"),
        (f"recommend --pair {teacher},{student}{typed(where)} --json", "all the numbers"),
        (f"dashboard{typed(where, 'home', 'storage')}", "every trial, in the browser"),
    )
    width = max(len(command) for command, _ in commands)
    lines = (f"  autokd {command:<{width}}   {meaning}" for command, meaning in commands)
    return "\n".join(("look further:", *lines))


def typed(options: Mapping[str, str], *only: str) -> str:
    """Return options as they are typed after a command: all of them, or only some."""
    names = (name for name in options if not only or name in only)
    return "".join(f" --{name} {shlex.quote(options[name])}" for name in names)


def _pp(interval: Interval | None) -> str:
    return "not tried" if interval is None else str(interval)


def _cost(found: Recommendation) -> str:
    content = found.to_json()
    trials, epochs = content["trials"], content["epochs_spent"]
    assert isinstance(trials, dict)
    assert isinstance(epochs, dict)
    counts = ", ".join(f"{count} {state.lower()}" for state, count in trials.items() if count)
    return (
        f"trials: {counts}; epochs: {epochs['search']} of search, {epochs['confirmation']} of race and "
        f"confirmation; {content['seeds']} paired seeds"
    )
