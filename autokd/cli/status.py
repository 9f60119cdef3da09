"""`autokd status`: where every pair stands, from the store alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from autokd.cli import options
from autokd.cli.console import about, out, pace, print_json
from autokd.cli.matrix import Cell, Matrix

if TYPE_CHECKING:
    from autokd.workflows.status import DriverStatus, Overview


def status(
    study: options.StudyOptions,
    json: options.Json = False,
) -> None:
    """Show the verdict and gain of every pair, what it cost, and how far the drivers are that are at work.

    Examples:

        [bold]autokd status[/bold]

        [bold]watch -n 5 autokd status[/bold]                beside a running `autokd tune --all`
    """
    from autokd.workflows import status as workflow

    seen = workflow.status(study.workspace())
    if json:
        print_json(seen.to_json())
    else:
        show(seen)


def show(seen: Overview) -> None:
    """The matrix, and the cost beside the sweep's."""
    from autokd.workflows.stale import stale_hint

    cells = {one.pair: Cell(one.verdict, one.gain, sum(one.trials.values()) + one.runs) for one in seen.pairs}
    search, confirmation = seen.cost
    out.print(
        Text(f"federation {seen.federation}: {seen.judged} of {len(seen.pairs)} studied pairs are judged")
    )
    out.print(Matrix(seen.participants, cells))
    if seen.judged:
        out.print(Text(str(seen.discoveries)))
    if seen.stale:
        out.print(Text(stale_hint(seen.stale), style="yellow"))
    out.print(
        Text(
            f"epochs, as a share of sweeping the grid on the same pairs: search {search:.1%}, "
            f"race and confirmation {confirmation:.1%}",
            style="dim",
        )
    )
    for one in seen.drivers:
        out.print(Text(at_work(one), style="dim" if one.alive else "yellow"))


def at_work(one: DriverStatus) -> str:
    """A driver in one line: who, since when, how far, and how long it will take."""
    since = f"{one.since.astimezone():%Y-%m-%d %H:%M:%S}"
    if not one.alive:
        return (
            f"{one.owner}, at work since {since}, is gone and had not finished; the same autokd tune "
            "goes on where it was"
        )
    if not one.ended:
        return f"{one.owner}, at work since {since}: no run has ended yet"
    eta = about(one.seconds_left if one.left else None)
    told = f"{one.ended} runs done{pace(one.per_second)}, {one.left} to go{eta}"
    return f"{one.owner}, at work since {since}: {told}"
