"""`autokd sweep`: run every setting of a grid without early stopping, as the yardstick of a search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.console import note, out, print_json
from autokd.cli.pair_options import PairOptions
from autokd.cli.progress import watching
from autokd.text.quoting import counted


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

    A sweep is the yardstick of a search: it costs what the search saves, and enters no recommendation. Stored
    runs are not run again: after Ctrl-C or a crash the same command continues.

    Examples:

        [bold]autokd sweep --pair 4,9[/bold]

        [bold]autokd sweep --all --seeds 2[/bold]   (every pair, hours)

        [bold]autokd export --out table.parquet[/bold]   (the results as a table)
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
        runs = {"done": progress.done, "failed": progress.failed, "new": progress.ended}
        print_json({"federation": swept.federation, "runs": runs})
    else:
        out.print(f"federation {swept.federation}: {progress.done} runs swept, {progress.ended} of them now")
        # `autokd export` would take the grid for the space of a search.
        where = replace(study, space=None).repeated()
        out.print(f"as a table: autokd export{where} --out table.parquet", style="dim", soft_wrap=True)
    if progress.failed:
        note(f"{counted(progress.failed, 'run')} failed; autokd export lists them with state FAIL")
        raise typer.Exit(1)
