"""How a long command gets on: a live view in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autokd.cli.console import about, clock, err, note, pace
from autokd.cli.matrix import FEW, Cell, Matrix
from autokd.workflows.callbacks import Callbacks

if TYPE_CHECKING:
    from autokd.execution.run_queue import RunQueueProgress
    from autokd.search.progress import Progress, StudyProgress
    from autokd.store import Outage

_LINE_SECONDS: Final = 10.0
"""Between two lines where there is no terminal."""


@contextmanager
def watching(console: Console = err) -> Iterator[Callbacks]:
    """Show the progress of what runs inside on standard error."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines()
        return
    with Live(console=console, transient=True, refresh_per_second=4) as live:
        yield Screen(live)


class Lines(Callbacks):
    """A line at the beginning, every ten seconds, and at the end of each stage."""

    def __init__(self) -> None:
        self._last = -_LINE_SECONDS

    def on_prepare(self, done: int, total: int) -> None:
        if self._due() or done == total:
            note(f"preparing: {done} of {total} participants")

    def on_search(self, progress: Progress) -> None:
        if self._due() or progress.left == 0 or _starting(progress):
            note(f"{_pace(progress)}; {_told(progress)}")

    def on_sweep(self, progress: RunQueueProgress) -> None:
        if self._due() or progress.done == progress.total:
            note(swept(progress))

    def on_explain(self, progress: RunQueueProgress) -> None:
        if self._due() or progress.done == progress.total or not progress.ended:
            note(compared(progress))

    def on_distill(self, done: int, total: int) -> None:
        if self._due() or done == total:
            note(f"distilling: {done} of {total} epochs")

    def on_outage(self, outage: Outage | None) -> None:
        if outage is None or outage.tries == 1 or self._due():
            note(away(outage))

    def on_stopping(self) -> None:
        note(STOPPING)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._last < _LINE_SECONDS:
            return False
        self._last = now
        return True


class Screen(Callbacks):
    """The whole picture, redrawn in place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def on_prepare(self, done: int, total: int) -> None:
        self._show(Text(f"preparing {total} participants"), _bar(done, total))

    def on_search(self, progress: Progress) -> None:
        picture = table(progress.studies) if _few(progress) else matrix(progress.studies)
        total = progress.ended + progress.left
        self._show(picture, _bar(progress.ended, total), Text(_pace(progress), style="dim"))

    def on_sweep(self, progress: RunQueueProgress) -> None:
        self._show(_bar(progress.done, progress.total), Text(swept(progress), style="dim"))

    def on_explain(self, progress: RunQueueProgress) -> None:
        self._show(_bar(progress.done, progress.total), Text(compared(progress), style="dim"))

    def on_distill(self, done: int, total: int) -> None:
        self._show(_bar(done, total), Text(f"distilling: {done} of {total} epochs", style="dim"))

    def on_outage(self, outage: Outage | None) -> None:
        self._show(Text(away(outage), style="yellow"))

    def on_stopping(self) -> None:
        self._live.console.print(STOPPING, style="yellow")

    def _show(self, *parts: RenderableType) -> None:
        self._live.update(Group(*parts))


STOPPING: Final = "stopping: what was reported is kept (Ctrl-C again stops at once)"


def away(outage: Outage | None) -> str:
    """That the database does not answer, or answers again."""
    if outage is None:
        return "the database answers again"
    since = outage.since.astimezone().strftime("%H:%M:%S")
    return f"waiting for the database since {since}, tried {outage.tries} times: {outage.reason}"


def table(studies: Sequence[StudyProgress]) -> Table:
    """One row a pair: how many trials there are, what the default reaches, and the best so far.

    `after` counts the runs of race and confirmation.
    """
    from autokd.core.records import TrialState

    states = [state for state in TrialState if any(study.counts.get(state) for study in studies)]
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("pair", header_style="bold", no_wrap=True)
    for name in (*(state.value.lower() for state in states), "after", "default"):
        grid.add_column(name, justify="right", header_style="bold", no_wrap=True)
    grid.add_column("best so far", header_style="bold")
    for study in studies:
        counts = [study.counts.get(state, 0) for state in states]
        best = "" if study.best is None else f"{study.best[0]:.1%} {study.best[1]}"
        grid.add_row(str(study.pair), *map(_count, (*counts, study.runs)), _percent(study.baseline), best)
    return grid


def matrix(studies: Sequence[StudyProgress]) -> Matrix:
    """Teacher by student: verdict and gain where there is one, else how many runs there were."""
    cells = {
        study.pair: Cell(study.conclusion.verdict, study.conclusion.gain)
        if study.conclusion
        else Cell(None, runs=sum(study.counts.values()) + study.runs)
        for study in studies
    }
    return Matrix(1 + max(max(pair.meeting) for pair in cells), cells)


def _few(progress: Progress) -> bool:
    """Whether every pair can have a line of its own."""
    return len(progress.studies) <= FEW


def _told(progress: Progress) -> str:
    if _few(progress):
        return "; ".join(plain(study) for study in progress.studies)
    judged = Counter(study.conclusion.verdict for study in progress.studies if study.conclusion)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(judged.items()))
    done = sum(judged.values())
    return f"{done} of {len(progress.studies)} pairs judged" + (f": {verdicts}" if verdicts else "")


def plain(study: StudyProgress) -> str:
    """A pair in one line."""
    best = "" if study.best is None else f", best {study.best[0]:.1%} with {study.best[1]}"
    default = "" if study.baseline is None else f", default {study.baseline:.1%}"
    return f"{study.pair}: {_counts(study)}{default}{best}"


def _counts(study: StudyProgress) -> str:
    trials = ", ".join(f"{count} {state.value.lower()}" for state, count in sorted(study.counts.items()))
    runs = f" + {study.runs} of race and confirmation" if study.runs else ""
    return (trials or "waiting") + runs


def _count(number: int) -> str:
    return str(number) if number else "–"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _pace(progress: Progress) -> str:
    if _starting(progress):
        return f"starting workers for {progress.left} runs"
    eta = about(progress.seconds_left if progress.left else None)
    epochs = sum(study.epochs for study in progress.studies)
    return (
        f"{progress.ended} runs done{pace(progress.per_second)}, {progress.left} to go, {epochs} epochs of "
        f"{progress.sweep_epochs} in a sweep, {clock(progress.seconds)} so far{eta}"
    )


def swept(progress: RunQueueProgress) -> str:
    """How far a sweep is, in one line."""
    eta = about(progress.seconds_left if progress.done != progress.total else None)
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.done} of {progress.total} runs swept{failed}{eta}"


def compared(progress: RunQueueProgress) -> str:
    """How far the runs of a pair's rivals are, in one line."""
    eta = about(progress.seconds_left if progress.done != progress.total else None)
    return f"{progress.done} of {progress.total} runs of rivals done{eta}"


def _starting(progress: Progress) -> bool:
    return not (progress.ended or progress.live)


def _bar(done: int, total: int) -> RenderableType:
    # NOTE: a bar by itself does not end its line.
    line = Table.grid()
    line.add_row(ProgressBar(total=max(total, 1), completed=done, width=60))
    return line
