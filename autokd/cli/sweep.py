"""`autokd sweep`: every setting of a grid, nothing stopped early: what a search is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from autokd.cli import options
from autokd.cli.answer import typed
from autokd.cli.console import note, out, print_json
from autokd.cli.progress import watching
from autokd.cli.selection import selected

if TYPE_CHECKING:
    from autokd.workspace import Swept


def sweep(
    pair: options.OnePair = None,
    pairs: options.SomePairs = None,
    more: options.MorePairs = None,
    every: options.AllPairs = False,
    teacher: options.Teacher = None,
    student: options.Student = None,
    study: options.Study = options.DEFAULT_STUDY,
    space: Annotated[
        str, typer.Option(help="The grid: a shipped space's name or a YAML file, all of listed values.")
    ] = options.SWEPT_SPACE,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each setting.")] = 1,
    home: options.Home = options.DEFAULT_HOME,
    storage: options.Storage = None,
    device: options.Device = "cpu",
    precision: options.PrecisionName = options.Precision.FLOAT32,
    channels_last: options.ChannelsLast = False,
    threads: options.Threads = 1,
    concurrency: options.Concurrency = None,
    cpus_per_trial: options.CpusPerTrial = 1.0,
    gpus_per_trial: options.GpusPerTrial = 0.0,
    ray_address: options.RayAddress = None,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Run every setting of the grid to its end, and look at all splits on the way.

    This is what a search is to save; nothing of it enters a search or a recommendation. What the store has is
    not run again: the same command goes on after Ctrl-C or a crash.

    Examples:

        [bold]autokd sweep --pair 4,9[/bold]

        [bold]autokd sweep --all --seeds 2[/bold]   (every pair, hours)

        [bold]autokd export --out table.parquet[/bold]   (what came out)
    """
    from autokd.workspace import Workspace

    workers = options.workers(
        concurrency=concurrency, cpus=cpus_per_trial, gpus=gpus_per_trial, address=ray_address, device=device
    )
    workspace = Workspace.open(study, home=home, storage=storage, space=space)
    asked = selected(
        participants=workspace.plan.federation.size,
        pair=pair,
        pairs=[text for text in (pairs, *(more or ())) if text],
        every=every,
        teacher=teacher,
        student=student,
    )
    with watching() as callbacks:
        swept = workspace.sweep(
            asked,
            seeds=seeds,
            compute=options.compute(
                device=device, precision=precision, channels_last=channels_last, threads=threads
            ),
            workers=workers,
            callbacks=callbacks,
        )
    if swept.interrupted:
        raise typer.Exit(130)
    # The grid is no space of a search, which is what export would take it for.
    where = options.repeated(study=study, space=None, home=home, storage=storage)
    _show(swept, where, json=json)
    if swept.progress.failed:
        note(f"{swept.progress.failed} runs failed; autokd export lists them with state FAIL")
        raise typer.Exit(1)


def _show(swept: Swept, where: Mapping[str, str], *, json: bool) -> None:
    progress = swept.progress
    if json:
        print_json(
            {
                "federation": swept.federation,
                "runs": {"done": progress.done, "failed": progress.failed, "new": progress.ended},
            }
        )
        return
    out.print(f"federation {swept.federation}: {progress.done} runs swept, {progress.ended} of them now")
    table = f"as a table: autokd export{typed(where)} --out table.parquet"
    out.print(table, markup=False, style="dim", soft_wrap=True)
