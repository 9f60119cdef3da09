"""`autokd status`: show how far every pair is, from the stored results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from autokd.cli import options
from autokd.cli.console import about, out, pace, print_result
from autokd.cli.matrix import Cell, Matrix

if TYPE_CHECKING:
    from autokd.workflows.status import DriverStatus, Overview


def status(study: options.StudyOptions, json: options.Json = False) -> None:
    """Show verdict and gain of every pair, the cost so far, and the progress of running commands.

    Examples:

        [bold]autokd status[/bold]

        [bold]watch -n 5 autokd status[/bold]   (beside a running `autokd tune --all`)
    """
    from autokd.workflows import status as workflow

    print_result(workflow.status(study.workspace()), show, json=json)


def show(seen: Overview) -> None:
    """Print the matrix, the cost as a share of a sweep, and the running commands."""
    from autokd.workflows.stale import stale_hint

    cells = {
        pair.pair: Cell(pair.verdict, pair.gain, sum(pair.trials.values()) + pair.runs) for pair in seen.pairs
    }
    search, confirmation = seen.cost
    out.print(
        Text(
            f"federation {seen.federation}: {seen.judged} of {len(seen.pairs)} pairs with a study are judged"
        )
    )
    out.print(Matrix(seen.participants, cells))
    if seen.judged:
        out.print(Text(str(seen.discoveries)))
    if seen.stale:
        out.print(Text(stale_hint(seen.stale), style="yellow"))
    out.print(
        Text(
            f"epochs so far, as a share of a sweep of the same pairs: search {search:.1%}, "
            f"race and confirmation {confirmation:.1%}",
            style="dim",
        )
    )
    for driver in seen.drivers:
        out.print(Text(at_work(driver), style="dim" if driver.alive else "yellow"))


def at_work(driver: DriverStatus) -> str:
    """Return a running command in one line: who, since when, how far, and how long it will take."""
    since = f"{driver.since.astimezone():%Y-%m-%d %H:%M:%S}"
    if not driver.alive:
        return (
            f"{driver.owner}, at work since {since}, ended before it was done; the same autokd tune command "
            "continues"
        )
    if not driver.ended:
        return f"{driver.owner}, at work since {since}: no run has ended yet"
    eta = about(driver.seconds_left if driver.left else None)
    return (
        f"{driver.owner}, at work since {since}: {driver.ended} runs done{pace(driver.per_second)}, "
        f"{driver.left} to go{eta}"
    )
