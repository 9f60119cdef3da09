"""`autokd sweep`: run every setting of a grid without early stopping, as the yardstick of a search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from autokd.cli import options
from autokd.cli.console import note, out, plain_table, print_json
from autokd.cli.pair_options import PairOptions
from autokd.cli.progress import watching
from autokd.text.quoting import counted

if TYPE_CHECKING:
    from autokd.core.participant_names import ParticipantNames
    from autokd.statistics.paired import Interval
    from autokd.workflows.sweep import Swept


@dataclass(frozen=True, kw_only=True)
class SweepOptions(options.StudyOptions):
    """Which study, with a grid in place of the recipe's search space, and where its results are."""

    space: Annotated[
        str | None, typer.Option(help="Grid: a shipped space or a YAML file that lists all its values.")
    ] = "poster_sweep"


def sweep(
    pairs: PairOptions,
    study: SweepOptions,
    computing: options.RunOptions,
    seeds: Annotated[int, typer.Option(min=1, help="Runs per setting, each with a seed of its own.")] = 1,
    json: options.Json = False,
) -> None:
    """Run every setting of a grid to its last epoch, and evaluate it on all splits.

    A sweep is the yardstick of a search: it costs what the search saves, and enters no recommendation. It
    ends with the best setting of each pair, beside the answer of `autokd tune`. Stored runs are not run
    again: after Ctrl-C or a crash the same command continues.

    Examples:
        autokd sweep --pair 4,9
        autokd sweep --all --seeds 2   (every pair, hours)
        autokd export --out table.parquet   (the results as a table)
    """
    from autokd.workflows import sweep as workflow

    workspace = study.workspace()
    selected = pairs.selected(workspace.names)
    with watching() as callbacks:
        swept = workflow.sweep(workspace, selected, seeds=seeds, callbacks=callbacks, **computing.keywords())
    if swept.interrupted:
        raise typer.Exit(130)
    progress = swept.progress
    if json:
        print_json(swept.to_json())
    else:
        out.print(f"federation {swept.federation}: {progress.done} runs swept, {progress.ended} of them now")
        if swept.found:
            out.print(_found(swept, study.workspace().names))
            out.print(
                "the best is chosen on validation and told on test; it enters no recommendation", style="dim"
            )
        # `autokd export` would take the grid for the space of a search.
        where = replace(study, space=None).repeated()
        out.print(f"as a table: autokd export{where} --out table.parquet", style="dim", soft_wrap=True)
    if progress.failed:
        note(f"{counted(progress.failed, 'run')} failed; autokd export lists them with state FAIL")
        raise typer.Exit(1)


def _found(swept: Swept, names: ParticipantNames) -> Table:
    """Return the best swept setting of each pair, and what `autokd tune` answers."""
    columns = (
        "pair",
        Column("best swept setting", overflow="fold"),
        Column("gain on test, pp", no_wrap=True),
    )
    grid = plain_table(*columns, "answer of tune", Column("gain, pp", no_wrap=True), gap=1)
    for best in swept.found:
        decision = swept.decisions.get(best.pair)
        answer = (
            ("not tuned", "") if decision is None else (decision.action.words, _gain(decision.chosen.test))
        )
        grid.add_row(names.arrow(best.pair), str(best.setting), _gain(best.gain), *answer)
    return grid


def _gain(gain: Interval) -> Text:
    return Text(f"{gain.mean:+.1f} [{gain.low:+.1f}, {gain.high:+.1f}]")
