"""`autokd distill`: the recommended student, as weights on disk with a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from autokd.cli import options
from autokd.cli.console import out, print_json
from autokd.cli.progress import watching
from autokd.core.setting import BatchNorm, Method, Setting, Split, TransferSet
from autokd.errors import PlanError

if TYPE_CHECKING:
    from autokd.delivery import Card


def distill(
    pair: options.PairText,
    path: Annotated[
        Path,
        typer.Option(
            "--out",
            help="The file to write; its card is written beside it as .json and .md.",
            metavar="STUDENT.SAFETENSORS",
        ),
    ],
    temperature: Annotated[
        float | None, typer.Option(help="With --transfer-set: this setting, not the recommended one.")
    ] = None,
    alpha: Annotated[float | None, typer.Option(help="Of that setting; not with public.")] = None,
    transfer_set: Annotated[TransferSet | None, typer.Option(help="Of that setting.")] = None,
    method: Annotated[Method | None, typer.Option(help="Of that setting; by default plain.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of that setting; by default the study's, as in the next two.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Of that setting.")] = None,
    batch_norm: Annotated[BatchNorm | None, typer.Option(help="Of that setting.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Which of this setting's runs; no search or verdict has seen any.")
    ] = 0,
    force: Annotated[
        bool,
        typer.Option("--force", help="Distil against the recommendation; replace files that are there."),
    ] = False,
    study: options.Study = options.DEFAULT_STUDY,
    space: options.SpaceName = None,
    home: options.Home = options.DEFAULT_HOME,
    storage: options.Storage = None,
    device: options.Device = "cpu",
    precision: options.PrecisionName = options.Precision.FLOAT32,
    channels_last: options.ChannelsLast = False,
    threads: options.Threads = 1,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Train the student that is recommended for a tuned pair, and write its weights with a card.

    The card says what the model is worth before and after, by split and class, and how to make it again: the
    same command gives the same file. Where the recommendation is to leave the model as it is, nothing is
    trained.

    Examples:

        [bold]autokd distill --pair 4,9 --out student.safetensors[/bold]

        [bold]autokd distill --pair 4,9 --temperature 2 --transfer-set public --out own.safetensors[/bold]
    """
    from autokd.workspace import Workspace

    workspace = Workspace.open(study, home=home, storage=storage, space=space)
    with watching() as callbacks:
        card = workspace.distill(
            workspace.pair(pair),
            path,
            setting=_setting(
                {
                    "temperature": temperature,
                    "alpha": alpha,
                    "transfer_set": transfer_set,
                    "method": method,
                    "learning_rate": learning_rate,
                    "epochs": epochs,
                    "batch_norm": batch_norm,
                }
            ),
            seed=seed,
            force=force,
            compute=options.compute(
                device=device, precision=precision, channels_last=channels_last, threads=threads
            ),
            callbacks=callbacks,
        )
    if json:
        print_json(card.to_json())
    else:
        _show(card, path)


def _setting(given: Mapping[str, Any]) -> Setting | None:
    """What was given by hand; None if nothing was.

    Raises:
        PlanError: If it is no whole setting.
    """
    told = {name: value for name, value in given.items() if value is not None}
    if not told:
        return None
    if told.get("transfer_set") is TransferSet.VALIDATION:
        problem = "validation is held out: the card could not say what the model is worth there"
        raise PlanError(source="command line", field="--transfer-set", problem=problem)
    needed = ["temperature", "transfer_set"]
    if told.get("transfer_set") is not TransferSet.PUBLIC:
        needed.append("alpha")
    elif "alpha" in told:
        problem = "has no meaning on public, which has no labels; leave it out"
        raise PlanError(source="command line", field="--alpha", problem=problem)
    for name in needed:
        if name not in told:
            problem = "is missing; a setting is --temperature, --transfer-set and, except on public, --alpha"
            raise PlanError(source="command line", field=f"--{name.replace('_', '-')}", problem=problem)
    try:
        return Setting.from_json(told)
    except ValueError as error:
        raise PlanError(source="command line", field="setting", problem=str(error)) from error


def _show(card: Card, path: Path) -> None:
    from autokd.delivery.markdown import signed

    order = card.order
    out.print(Text.assemble((str(order.pair), "bold"), f"  {order.setting}, seed {order.seed}"))
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in (f"participant {order.pair.student}", "before", "after", "gain of this model"):
        grid.add_column(header, header_style="dim")
    for split in (Split.TEST, Split.CONFIRMATION, Split.VALIDATION):
        one = card.scores[split]
        grid.add_row(f"on {split}", f"{one.before:.1%}", f"{one.after:.1%}", str(one.gain))
    out.print(grid)
    test = card.scores[Split.TEST]
    out.print(Text(f"forgetting on test {signed(test.forgetting)} pp"))
    if order.promise is not None and order.promise.gain is not None:
        promise = order.promise
        out.print(
            Text(
                f"recommended ({promise.verdict}) for a gain on test of {promise.gain}, the mean of "
                f"{promise.seeds} other seeds; of a single run {promise.single_run}"
            )
        )
    names = (path, path.with_suffix(".json"), path.with_suffix(".md"))
    out.print(Text(f"wrote {', '.join(map(str, names))}", style="dim"), soft_wrap=True)
