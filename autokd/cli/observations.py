"""`autokd observations`: whether the poster's claims hold in this federation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.text import Text

from autokd.cli import options
from autokd.cli.console import out, print_json
from autokd.config.target import remark, target_json
from autokd.text.quoting import counted

if TYPE_CHECKING:
    from autokd.claims.claim import Claim
    from autokd.statistics.paired import Interval

_COLOR: Final = {
    "reproduced": "green",
    "not reproduced": "red",
    "cannot be told": "yellow",
    "not measurable here": "dim",
}


def observations(study: options.StudyOptions, json: options.Json = False) -> None:
    """Print each claim of the poster, and whether the stored results reproduce it.

    The figures come from the runs of `autokd sweep` if there are some, else from searches and confirmations.
    Their intervals resample participants.

    Examples:
        autokd observations
        autokd sweep --all && autokd observations --json   (hours)
    """
    from autokd.workflows import observe_claims as workflow

    workspace = study.workspace()
    claims, target = workflow.observe_claims(workspace), workspace.config.target
    if json:
        print_json({"observations": [claim.to_json() for claim in claims], **target_json(target)})
        return
    for claim in claims:
        show(claim)
    if text := remark(target):
        out.print(text, style="dim")


def show(claim: Claim) -> None:
    """Print a claim with its status, its figure, and how that was computed."""
    status = claim.status.value
    out.print(Text.assemble((status, f"bold {_COLOR[status]}"), f"  {claim.statement}"))
    if claim.figure is not None:
        gain = (figure(claim.figure, claim.unit), "bold")
        out.print(_indented(Text.assemble(gain, f"  {counted(claim.pairs, 'pair')}, from {claim.source}")))
    for name, beside in claim.beside.items():
        out.print(_indented(f"{figure(beside, claim.unit)}  {name}"))
    out.print(_indented(Text(claim.how, style="dim")))


def _indented(text: Text | str) -> Padding:
    return Padding(text, (0, 0, 0, 2))


def figure(interval: Interval, unit: str) -> str:
    """Return an interval in pp, or of shares in %."""
    if unit == "pp":
        return str(interval)
    return f"{interval.mean:.0%} [{interval.low:.0%}, {interval.high:.0%}]"
