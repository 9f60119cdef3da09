"""`autokd observations`: whether the poster's claims hold in this federation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.text import Text

from autokd.cli import options
from autokd.cli.console import out, print_json

if TYPE_CHECKING:
    from autokd.claims.claim import Claim
    from autokd.statistics.paired import Interval

_COLOR: Final = {
    "reproduced": "green",
    "not reproduced": "red",
    "cannot be told": "yellow",
    "not measurable here": "dim",
}


def observations(
    study: options.StudyOptions,
    json: options.Json = False,
) -> None:
    """Print each claim of the poster, and whether the stored results reproduce it.

    The figures come from the runs of `autokd sweep` if there are some, else from searches and confirmations.
    Their intervals resample participants.

    Examples:

        [bold]autokd observations[/bold]

        [bold]autokd sweep --all && autokd observations --json[/bold]   (hours)
    """
    from autokd.workflows import observe_claims as workflow

    found = workflow.observe_claims(study.workspace())
    if json:
        print_json({"observations": [one.to_json() for one in found]})
        return
    for one in found:
        show(one)


def show(one: Claim) -> None:
    """The claim, what became of it, the figure, and how it was found."""
    out.print(Text.assemble((one.status.value, f"bold {_COLOR[one.status.value]}"), f"  {one.statement}"))
    if one.figure is not None:
        gain = (figure(one.figure, one.unit), "bold")
        out.print(Padding(Text.assemble(gain, f"  {one.pairs} pairs, from {one.source}"), (0, 0, 0, 2)))
    for name, beside in one.beside.items():
        out.print(Padding(Text(f"{figure(beside, one.unit)}  {name}"), (0, 0, 0, 2)))
    out.print(Padding(Text(one.how, style="dim"), (0, 0, 0, 2)))


def figure(interval: Interval, unit: str) -> str:
    """Return an interval in pp, or of shares in %."""
    if unit == "pp":
        return str(interval)
    low, high = max(0.0, interval.low), min(1.0, interval.high)
    return f"{interval.mean:.0%} [{low:.0%}, {high:.0%}]"
