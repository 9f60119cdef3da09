"""`autokd tune`: search pairs, judge them, and print what is recommended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autokd.cli import options, status
from autokd.cli.answer import further, show
from autokd.cli.console import note, out, print_json
from autokd.cli.progress import watching
from autokd.cli.selection import selected
from autokd.core.setting import Position

if TYPE_CHECKING:
    from autokd.workspace import Batch, Workspace


def tune(
    pair: options.OnePair = None,
    pairs: options.SomePairs = None,
    more: options.MorePairs = None,
    every: options.AllPairs = False,
    teacher: options.Teacher = None,
    student: options.Student = None,
    study: options.Study = options.DEFAULT_STUDY,
    space: options.SpaceName = None,
    trials: Annotated[
        int | None, typer.Option(min=2, help="Per pair, the default setting included; more extend a study.")
    ] = None,
    position: Annotated[
        Position | None,
        typer.Option(help="Search only this position of S; by default both directions of the meeting."),
    ] = None,
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
    """Find the setting with which T should teach S, prove it, and say whether to swap the roles.

    Many pairs are tuned in one batch. What the store has is not done again: the same command goes on after
    Ctrl-C or a crash, and adds nothing once all is done.

    Examples:

        [bold]autokd tune --pair 4,9[/bold]

        [bold]autokd tune --pair 4,9 --trials 64[/bold]   (search further)

        [bold]autokd tune --all[/bold]   (every pair, overnight)

        [bold]autokd tune --student 9 --position student --space private[/bold]

        [bold]autokd tune --pair 4,9 --device cuda --gpus-per-trial 0.25[/bold]

        [bold]autokd tune --all --ray-address 10.0.0.1:6379[/bold]   (on a cluster, from one of its nodes)
    """
    from autokd.workspace import Workspace

    workers = options.workers(
        concurrency=concurrency, cpus=cpus_per_trial, gpus=gpus_per_trial, address=ray_address, device=device
    )
    workspace = Workspace.open(study, home=home, storage=storage, space=space, trials=trials)
    asked = selected(
        participants=workspace.plan.federation.size,
        pair=pair,
        pairs=[text for text in (pairs, *(more or ())) if text],
        every=every,
        teacher=teacher,
        student=student,
    )
    with watching() as callbacks:
        batch = workspace.tune_all(
            asked,
            position=position,
            compute=options.compute(
                device=device, precision=precision, channels_last=channels_last, threads=threads
            ),
            workers=workers,
            callbacks=callbacks,
        )
    if batch.interrupted:
        raise typer.Exit(130)
    if not batch.ran:
        note("nothing was left to do; this is what the store has")
    if pair is None:
        _show_many(batch, workspace, json=json)
    else:
        (one,) = asked
        first = workspace.recommend(one if one in batch.answers else one.reverse)
        if json:
            print_json(first.to_json())
        else:
            show(first)
            where = options.repeated(study=study, space=space, home=home, storage=storage)
            out.print(further(first, where), markup=False, style="dim", soft_wrap=True)
    if any(answer["verdict"] == "failed" for answer in batch.answers.values()):
        raise typer.Exit(1)


def _show_many(batch: Batch, workspace: Workspace, *, json: bool) -> None:
    if json:
        print_json([dict(batch.answers[pair]) for pair in sorted(batch.answers)])
    else:
        status.show(workspace.status())
