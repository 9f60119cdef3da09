"""`autokd tune`: search a pair, judge it, and print the recommendation."""

from __future__ import annotations

from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.answer import further, show
from autokd.cli.console import note, out, print_json
from autokd.cli.progress import watching
from autokd.errors import InputError
from autokd.setting import Position


def tune(
    pair: options.PairText,
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
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Runs at once; by default as many as there is room for.")
    ] = None,
    cpus_per_trial: Annotated[float, typer.Option(min=0, help="CPUs that a run reserves.")] = 1.0,
    gpus_per_trial: Annotated[
        float, typer.Option(min=0, help="GPUs that a run reserves, e.g. 0.25 for four runs on each.")
    ] = 0.0,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Find the setting with which T should teach S, prove it, and say whether to swap the roles.

    What the store has is not done again: the same command goes on after Ctrl-C or a crash, and adds nothing
    once all is done.

    Examples:

        [bold]autokd tune --pair 4,9[/bold]

        [bold]autokd tune --pair 4,9 --trials 64[/bold]                    search further

        [bold]autokd tune --pair 4,9 --position student --space private[/bold]

        [bold]autokd tune --pair 4,9 --device cuda --gpus-per-trial 0.25 --precision bfloat16[/bold]
    """
    from autokd.compute import Compute
    from autokd.search.workers import Workers
    from autokd.workspace import Workspace

    if cpus_per_trial + gpus_per_trial == 0:
        raise InputError(
            "--cpus-per-trial 0: a run must reserve something; give it a share of a GPU, "
            "e.g. --gpus-per-trial 0.25"
        )
    workspace = Workspace.open(study, home=home, storage=storage, space=space, trials=trials)
    asked = workspace.pair(pair)
    with watching() as listener:
        outcome = workspace.tune(
            asked,
            position=position,
            compute=Compute(
                device=device, precision=precision.value, channels_last=channels_last, threads=threads
            ),
            workers=Workers(
                concurrency=concurrency, cpus_per_run=cpus_per_trial, gpus_per_run=gpus_per_trial
            ),
            listener=listener,
        )
    if outcome.interrupted:
        raise typer.Exit(130)
    if not outcome.ran:
        note("nothing was left to do; this is what the store has")
    first = outcome.recommendations[0]
    if json:
        print_json(first.to_json())
    else:
        show(first)
        where = options.repeated(study=study, space=space, home=home, storage=storage)
        out.print(further(first, where), markup=False, style="dim", soft_wrap=True)
    if any(found.verdict.value == "failed" for found in outcome.recommendations):
        raise typer.Exit(1)
