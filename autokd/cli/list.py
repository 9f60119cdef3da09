"""`autokd list`: what a home and its store hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autokd.cli import options
from autokd.cli.console import out, print_result
from autokd.config.defaults import HOME
from autokd.text.escaping import one_line
from autokd.text.quoting import counted

if TYPE_CHECKING:
    from datetime import datetime

    from autokd.workflows.inventory import Batch, Inventory

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def list(home: options.Home = HOME, storage: options.Storage = None, json: options.Json = False) -> None:
    """List the federations and studies in a home and its store, with dates, sizes and verdicts.

    A line for each federation, and under it one for each study recipe with its search space, and for sweeps
    and alternatives. Their names are what `autokd delete` takes.

    Examples:
        autokd list
        autokd list --home ~/autokd-home --json
    """
    from autokd.config.defaults import usual_storage
    from autokd.workflows import inventory as workflow
    from autokd.workspace import storage_url

    inventory = workflow.inventory(home, storage_url(storage or usual_storage(), home))
    print_result(inventory, show, json=json)


def show(inventory: Inventory) -> None:
    """Print each federation with its batches, and how large the store is."""
    if not inventory.federations:
        out.print(f"nothing is stored under {inventory.home}", soft_wrap=True)
    for federation in inventory.federations:
        prepared = "not prepared in this home"
        if federation.prepared is not None:
            prepared = f"prepared {_day(federation.prepared)}, {size(federation.size)}"
        out.print(one_line(f"{federation.name}: {prepared}"), soft_wrap=True)
        for batch in federation.batches:
            out.print(one_line(f"  {_line(batch)}"), soft_wrap=True)
    if inventory.size is not None:
        out.print(f"store {inventory.storage}, {size(inventory.size)}", style="dim", soft_wrap=True)


def _line(batch: Batch) -> str:
    work = ", ".join(
        counted(number, noun)
        for number, noun in ((len(batch.studies), "pair"), (batch.trials, "trial"), (batch.runs, "run"))
        if number
    )
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in batch.verdicts.items())
    days = dict.fromkeys(_day(time) for time in (batch.began, batch.ended) if time is not None)
    return "; ".join(filter(None, (f"{batch.name}: {work}", verdicts, " to ".join(days))))


def _day(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d")


def size(number: float) -> str:
    """Return a number of bytes as `12 MB`."""
    for unit in _UNITS[:-1]:
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} {_UNITS[-1]}"
