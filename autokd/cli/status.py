"""`autokd status`: where every pair stands, from the store alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from autokd.cli import options
from autokd.cli.console import out, print_json
from autokd.cli.matrix import Cell, Matrix

if TYPE_CHECKING:
    from autokd.search.overview import Overview


def status(
    study: options.Study = options.DEFAULT_STUDY,
    space: options.SpaceName = None,
    home: options.Home = options.DEFAULT_HOME,
    storage: options.Storage = None,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Show the verdict and gain of every pair, and what it cost, while a driver is at work or after it.

    Examples:

        [bold]autokd status[/bold]

        [bold]watch -n 5 autokd status[/bold]                beside a running `autokd tune --all`
    """
    from autokd.workspace import Workspace

    seen = Workspace.open(study, home=home, storage=storage, space=space).status()
    if json:
        print_json(seen.to_json())
    else:
        show(seen)


def show(seen: Overview) -> None:
    """The matrix, and the cost beside the sweep's."""
    from autokd.answers import stale_ones

    cells = {one.pair: Cell(one.verdict, one.gain, sum(one.trials.values()) + one.runs) for one in seen.pairs}
    search, confirmation = seen.cost
    out.print(
        Text(f"federation {seen.federation}: {seen.judged} of {len(seen.pairs)} studied pairs are judged")
    )
    out.print(Matrix(seen.participants, cells))
    if seen.judged:
        out.print(Text(str(seen.discoveries)))
    if seen.stale:
        out.print(Text(stale_ones(seen.stale), style="yellow"))
    out.print(
        Text(
            f"epochs, as a share of sweeping the grid on the same pairs: search {search:.1%}, "
            f"race and confirmation {confirmation:.1%}",
            style="dim",
        )
    )
