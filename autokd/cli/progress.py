"""How a long command gets on: a live view in a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from autokd.cli.console import about, clock, err, pace, plain_table
from autokd.cli.matrix import FEW, PairCell, matrix
from autokd.cli.output import outlives_terminal
from autokd.core.pair import Pair
from autokd.text.quoting import counted
from autokd.workflows.callbacks import Callbacks

if TYPE_CHECKING:
    from autokd.execution.run_queue import RunQueueProgress
    from autokd.search.expected import ExpectedCost
    from autokd.search.progress import Progress, StudyProgress
    from autokd.store import Outage

_LINE_SECONDS: Final = 10.0
"""Least time between two lines where there is no terminal."""


@contextmanager
def watching(
    console: Console = err, *, confirm_above: float | None = None, of_sweep: bool = False
) -> Iterator[Display]:
    """Show the progress of what runs inside on standard error; it goes on should the terminal be closed.

    Args:
        confirm_above: Seconds; before a longer batch a question is asked, where there is a terminal.
        of_sweep: Whether to tell the share of a sweep that was spent: where that is the budget.
    """
    with outlives_terminal():
        if not console.is_terminal or console.is_dumb_terminal:
            yield Lines(console, confirm_above=confirm_above, of_sweep=of_sweep)
            return
        with Live(console=console, transient=True, refresh_per_second=4) as live:
            yield Screen(live, confirm_above=confirm_above, of_sweep=of_sweep)


class Display(Callbacks, ABC):
    """Shows how many of the steps are done, with the `_show` of a subclass."""

    def __init__(
        self, console: Console, *, confirm_above: float | None = None, of_sweep: bool = False
    ) -> None:
        self._console, self._confirm_above, self._of_sweep = console, confirm_above, of_sweep

    def approves(self, expected: Callable[[], ExpectedCost]) -> bool:
        cost = expected()
        self._console.print(Text(f"to do: {in_words(cost)}"), soft_wrap=True)
        most, seconds = self._confirm_above, cost.seconds
        answers = self._console.is_terminal and sys.stdin.isatty()
        if most is None or not answers or seconds is None or seconds <= most:
            return True
        return self._asked()

    def _asked(self) -> bool:
        """Return whether the user wants to go on."""
        if typer.confirm("go on?", default=True, err=True):
            return True
        self._console.print(Text("nothing was run; --trials, --effort quick or --time make it less"))
        return False

    def on_prepare(self, done: int, total: int) -> None:
        self._show(f"preparing: {done} of {total} participants", done, total)

    def on_sweep(self, progress: RunQueueProgress) -> None:
        self._show(run_list("swept", progress), progress.done, progress.total)

    def on_explain(self, progress: RunQueueProgress) -> None:
        self._show(run_list("of alternatives done", progress), progress.done, progress.total)

    def on_distill(self, done: int, total: int) -> None:
        self._show(f"distilling: {done} of {total} epochs", done, total)

    def on_stopping(self) -> None:
        message = "stopping: reported results are kept (Ctrl-C again stops at once)"
        self._console.print(Text(message, style="yellow"), soft_wrap=True)

    def on_job(self, stage: str, figures: Mapping[str, Any]) -> None:
        """Show how far a job of a service is; see `JobProgress` of the service."""
        done, left = figures["done"], figures["left"]
        pairs = figures.get("pairs")
        judged = "" if pairs is None else f", {figures.get('judged') or 0} of {counted(pairs, 'pair')} judged"
        text = f"{stage}: {done} done{pace(figures.get('runs_per_second'))}, {left} to go{judged}"
        self._show(f"{text}{about(figures.get('seconds_left'))}", done, done + left)

    @abstractmethod
    def _show(self, text: str, done: int, total: int) -> None:
        """Show how far a stage is."""


class Lines(Display):
    """A line at the beginning, every ten seconds, and at the end of each stage."""

    def __init__(
        self, console: Console, *, confirm_above: float | None = None, of_sweep: bool = False
    ) -> None:
        super().__init__(console, confirm_above=confirm_above, of_sweep=of_sweep)
        self._last = -_LINE_SECONDS

    def on_search(self, progress: Progress) -> None:
        at_once = progress.left == 0 or not (progress.ended or progress.live)
        self._line(f"{_pace(progress, of_sweep=self._of_sweep)}; {_summary(progress)}", at_once=at_once)

    def on_outage(self, outage: Outage | None) -> None:
        self._line(away(outage), at_once=outage is None or outage.tries == 1)

    def on_waiting(self, owners: Sequence[str], seconds: float) -> None:
        self._line(waiting(owners, seconds), at_once=False)

    def _show(self, text: str, done: int, total: int) -> None:
        self._line(text, at_once=done in (0, total))

    def _line(self, text: str, *, at_once: bool) -> None:
        now = time.monotonic()
        if at_once or now - self._last >= _LINE_SECONDS:
            self._last = now
            self._console.print(Text(text), soft_wrap=True)


class Screen(Display):
    """The whole picture, redrawn in place."""

    def __init__(self, live: Live, *, confirm_above: float | None = None, of_sweep: bool = False) -> None:
        super().__init__(live.console, confirm_above=confirm_above, of_sweep=of_sweep)
        self._live = live

    def _asked(self) -> bool:
        self._live.stop()  # Else it would be drawn over the question.
        try:
            return super()._asked()
        finally:
            self._live.start()

    def on_search(self, progress: Progress) -> None:
        studies = progress.studies
        pairs = {study.pair: _cell(study) for study in studies if isinstance(study.pair, Pair)}
        few = len(studies) <= FEW or len(pairs) < len(studies)
        picture = table(studies) if few else matrix(pairs)
        self._show(
            _pace(progress, of_sweep=self._of_sweep), progress.ended, progress.ended + progress.left, picture
        )

    def on_outage(self, outage: Outage | None) -> None:
        self._live.update(Text(away(outage), style="yellow"))

    def on_waiting(self, owners: Sequence[str], seconds: float) -> None:
        self._live.update(Text(waiting(owners, seconds), style="dim"))

    def _show(self, text: str, done: int, total: int, *above: RenderableType) -> None:
        bar = Table.grid()  # NOTE: a bar by itself does not end its line.
        bar.add_row(ProgressBar(total=max(total, 1), completed=done, width=60))
        self._live.update(Group(*above, bar, Text(text, style="dim")))


def away(outage: Outage | None) -> str:
    """Return that the database does not answer, or answers again."""
    if outage is None:
        return "the database answers again"
    since = outage.since.astimezone().strftime("%H:%M:%S")
    return f"waiting for the database since {since}, tried {outage.tries} times: {outage.reason}"


def waiting(owners: Sequence[str], seconds: float) -> str:
    """Return who is waited for until its runs have ended, and since when."""
    return f"waiting until {' and '.join(owners)} ends, {clock(seconds)} so far"


def table(studies: Sequence[StudyProgress]) -> Table:
    """Return one row per pair: its trials by state, the accuracy of the default, and the best so far.

    The column `after` counts the runs of race and confirmation.
    """
    from autokd.core.records import TrialState

    states = [state for state in TrialState if any(study.counts.get(state) for study in studies)]
    names = (*(state.value.lower() for state in states), "after", "default")
    numbers = (Column(name, justify="right", no_wrap=True) for name in names)
    grid = plain_table(Column("pair", no_wrap=True), *numbers, "best so far", gap=1)
    for study in studies:
        counts = (*(study.counts.get(state, 0) for state in states), study.runs)
        default = "" if study.baseline is None else f"{study.baseline:.1%}"
        best = "" if study.best is None else f"{study.best[0]:.1%} {study.best[1]}"
        grid.add_row(str(study.pair), *(str(count or "–") for count in counts), default, best)
    return grid


def in_words(cost: ExpectedCost) -> str:
    """Return what is to be done, in a line."""
    if not cost.runs:
        return "nothing, everything is stored"
    what = f"about {cost.runs:,} runs of {counted(cost.pairs, 'pair')}, {cost.epochs:,} epochs"
    if cost.seconds is None:
        return f"{what}; the time is known once the federation is prepared"
    return (
        f"{what}, {clock(cost.seconds)} with {counted(cost.at_once, 'run')} at once; each pair may need fewer"
    )


def _cell(study: StudyProgress) -> PairCell:
    if study.conclusion is None:
        return PairCell(None, runs=sum(study.counts.values()) + study.runs)
    over = study.conclusion
    return PairCell(over.verdict, over.gain, 0, over.action, over.action_gain)


def _summary(progress: Progress) -> str:
    studies = progress.studies
    if len(studies) <= FEW:
        return "; ".join(map(plain, studies))
    judged = Counter(study.conclusion.verdict for study in studies if study.conclusion)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(judged.items()))
    return f"{judged.total()} of {len(studies)} pairs judged" + (f": {verdicts}" if verdicts else "")


def plain(study: StudyProgress) -> str:
    """Return the progress of a pair in one line."""
    trials = ", ".join(f"{count} {state.value.lower()}" for state, count in sorted(study.counts.items()))
    runs = f" + {study.runs} of race and confirmation" if study.runs else ""
    default = "" if study.baseline is None else f", default {study.baseline:.1%}"
    best = "" if study.best is None else f", best {study.best[0]:.1%} with {study.best[1]}"
    return f"{study.pair}: {trials or 'waiting'}{runs}{default}{best}"


def _pace(progress: Progress, *, of_sweep: bool = False) -> str:
    if not (progress.ended or progress.live):
        return f"starting workers for {progress.left} runs"
    eta = about(progress.seconds_left if progress.left else None)
    share = progress.share_of_sweep if of_sweep else None
    cost = "" if share is None else f", {share:.1%} of the training examples of a sweep"
    return (
        f"{progress.ended} runs done{pace(progress.per_second)}, {progress.left} to go{cost}, "
        f"{clock(progress.seconds)} so far{eta}"
    )


def run_list(what: str, progress: RunQueueProgress) -> str:
    """Return how many runs of a list are done, in one line; `what` says what was done with them."""
    eta = about(progress.seconds_left if progress.done != progress.total else None)
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.done} of {progress.total} runs {what}{failed}{eta}"
