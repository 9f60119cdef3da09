"""Options of a budget: `--time 6h`, `--epochs 20000` or `--share-of-sweep 0.05`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import typer

from autokd.cli.options import Group
from autokd.config.effort import Effort
from autokd.errors import PlanError

_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


@dataclass(frozen=True, kw_only=True)
class BudgetOptions(Group):
    """The most that a command may spend; one of the three at most."""

    PANEL: ClassVar[str] = "Budget"

    time: Annotated[
        str | None,
        typer.Option(help="Most time in all, with what was spent on these pairs before.", metavar="6h"),
    ] = None
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Most epochs in all, on whatever examples, with those of before."),
    ] = None
    share_of_sweep: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Most training examples in all, as a share of a sweep of the grid poster_sweep.",
            metavar="0.05",
        ),
    ] = None

    def limits(self) -> dict[str, float | None]:
        """Return the limits by the names of the workflow's arguments.

        Raises:
            PlanError: If there are several, or the time cannot be read.
        """
        limits_asked = [
            name for name in ("time", "epochs", "share_of_sweep") if getattr(self, name) is not None
        ]
        if len(limits_asked) > 1:
            names = " and ".join(f"--{name.replace('_', '-')}" for name in limits_asked)
            raise PlanError.of_option(names, "give one budget, not several")
        seconds = None if self.time is None else seconds_of(self.time)
        return {"seconds": seconds, "epochs": self.epochs, "share_of_sweep": self.share_of_sweep}


@dataclass(frozen=True, kw_only=True)
class CostOptions(Group):
    """How much to do, and what is asked before it is done."""

    PANEL: ClassVar[str] = "Budget"

    effort: Annotated[
        Effort | None,
        typer.Option(help="How much to search and confirm: a named set of the study recipe's fields."),
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is to be done and how long it takes, and end.")
    ] = False
    confirm_above: Annotated[
        str, typer.Option(help="Ask before a batch that takes longer, in a terminal.", metavar="1h")
    ] = "1h"


def seconds_of(text: str, *, option: str = "--time") -> float:
    """Read a time such as `45s`, `90m`, `6h`, `1h30m` or `2d`.

    Raises:
        PlanError: If it is something else, or no time at all.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", text.strip())
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(map("".join, parts)) != text.strip() or seconds <= 0:
        raise PlanError.of_option(option, f"{text!r} is no time; write e.g. 90m, 6h, 1h30m or 2d")
    return seconds
