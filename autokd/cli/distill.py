"""`autokd distill`: train the recommended student, and write its weights with a card."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import typer
from rich.text import Text

from autokd.cli import options
from autokd.cli.console import out, plain_table, print_result
from autokd.cli.progress import watching
from autokd.cli.students import StudentOptions
from autokd.config.target import remark
from autokd.core.setting import BatchNorm, LabelPrior, Method, Schedule, Setting, Split, TransferSet
from autokd.errors import PlanError

if TYPE_CHECKING:
    from rich.table import Table

    from autokd.delivery import Card

_TARGETS: Final = {
    "common": "common",
    "own": "the student's own",
    "study": "the study's target",
    "shares": "given by --for",
    "balanced": "balanced",
}


@dataclass(frozen=True, kw_only=True)
class SettingOptions(options.Group):
    """A setting to use in place of the recommended one."""

    PANEL: ClassVar = "A setting in place of the recommended one"

    temperature: Annotated[
        float | None, typer.Option(help="Temperature T; a setting needs it and --transfer-set.")
    ] = None
    alpha: Annotated[
        float | None, typer.Option(help="Weight α of the teacher's loss; needed, except on public.")
    ] = None
    transfer_set: Annotated[TransferSet | None, typer.Option(help="Examples to distill on.")] = None
    method: Annotated[Method | None, typer.Option(help="Method; by default plain.")] = None
    learning_rate: Annotated[float | None, typer.Option(help="By default the study recipe's.")] = None
    epochs: Annotated[int | None, typer.Option(help="By default the study recipe's.")] = None
    schedule: Annotated[
        Schedule | None, typer.Option(help="Of the learning rate; by default the study recipe's.")
    ] = None
    batch_norm: Annotated[BatchNorm | None, typer.Option(help="By default the study recipe's.")] = None
    label_prior: Annotated[
        LabelPrior | None, typer.Option(help="Correction for uneven class shares; by default none.")
    ] = None
    taught_by: Annotated[
        str | None,
        typer.Option(
            help="Which of --teachers teach; the student's number is its own model. By default all.",
            metavar="T,T,...",
        ),
    ] = None

    def setting(self) -> Setting | None:
        """Return the setting; None if no option was given.

        Raises:
            PlanError: If it is incomplete or not valid.
        """
        values = {name: value for name, value in asdict(self).items() if value is not None}
        if not values:
            return None
        if self.transfer_set is TransferSet.VALIDATION:
            raise PlanError.of_option(
                "--transfer-set",
                "validation is held out: the card could not say what the model is worth there",
            )
        needs_alpha = self.transfer_set is not TransferSet.PUBLIC
        if self.alpha is not None and not needs_alpha:
            raise PlanError.of_option(
                "--alpha", "has no meaning on public, which has no labels; leave it out"
            )
        for name in ("temperature", "transfer_set", *(["alpha"] if needs_alpha else [])):
            if name not in values:
                setting = "a setting is --temperature, --transfer-set and, except on public, --alpha"
                raise PlanError.of_option(f"--{name.replace('_', '-')}", f"is missing; {setting}")
        teachers = values.pop("taught_by", None)
        if teachers is not None:
            numbers = str(teachers).split(",")
            if not all(number.strip().isdecimal() for number in numbers):
                raise PlanError.of_option("--taught-by", f"{teachers!r}: write numbers, e.g. 0,3,7")
            values["teachers"] = " ".join(map(str, sorted({int(number) for number in numbers})))
        try:
            return Setting.from_json(values)
        except ValueError as error:
            raise options.option_error(error) from error


def distill(
    students: StudentOptions,
    path: Annotated[
        Path,
        typer.Option(
            "--out",
            help="File to write; the card is written beside it as .json and .md.",
            metavar="STUDENT.SAFETENSORS",
        ),
    ],
    setting: SettingOptions,
    study: options.StudyOptions,
    computing: options.ComputeOptions,
    seed: Annotated[
        int, typer.Option(min=0, help="Which run of the setting; neither search nor verdict has used any.")
    ] = 0,
    for_: Annotated[
        str,
        typer.Option(
            "--for",
            help="Class distribution that the model is for. common: as it was trained; own: with the "
            "student's own class shares in its logits; or a JSON file of class shares by class name.",
            metavar="common|own|SHARES.JSON",
        ),
    ] = "common",
    force: Annotated[
        bool,
        typer.Option("--force", help="Distill even against the recommendation; replace existing files."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Train the recommended student of a tuned pair, and write its weights with a card.

    The card states the accuracy before and after, by split and class, and how to make the model again: the
    same command gives the same file. If the recommendation is to leave the model as it is, nothing is
    trained.

    Examples:

        [bold]autokd distill --pair 4,9 --out student.safetensors[/bold]

        [bold]autokd distill --student 9 --teachers 0,3,7 --out student.safetensors[/bold]

        [bold]autokd distill --pair 4,9 --for own --out at-home.safetensors[/bold]

        [bold]autokd distill --pair 4,9 --temperature 2 --transfer-set public --out own.safetensors[/bold]
    """
    from autokd.config.target import read_target
    from autokd.workflows import distill as workflow

    workspace = study.workspace()
    with watching() as callbacks:
        card = workflow.distill(
            workspace,
            students.chosen(workspace),
            path,
            setting=setting.setting(),
            seed=seed,
            force=force,
            target=read_target(for_, option="--for"),
            compute=computing.compute(),
            callbacks=callbacks,
        )
    print_result(card, partial(_show, path=path), json=json)


def _show(card: Card, path: Path) -> None:
    from autokd.delivery.markdown import signed

    request, expected = card.request, card.request.expected
    out.print(
        Text.assemble((card.names.arrow(request.pair), "bold"), f"  {request.setting}, seed {request.seed}")
    )
    grid = plain_table(
        f"participant {card.names.word(request.pair.student)}", "before", "after", "gain of this model"
    )
    for split in (Split.TEST, Split.CONFIRMATION, Split.VALIDATION):
        score = card.scores[split]
        grid.add_row(f"on {split}", f"{score.before:.1%}", f"{score.after:.1%}", str(score.gain))
    out.print(grid)
    out.print(_by_target(card))
    if card.added is not None:
        whose = "the student's own" if request.target == "own" else "the given"
        out.print(f"in its logits: {card.added.strength:g} times the logarithms of {whose} class shares")
    if text := remark(card.target):
        out.print(text, style="dim")
    out.print(f"forgetting on test {signed(card.scores[Split.TEST].forgetting)} pp")
    if expected is not None and expected.gain is not None:
        out.print(
            f"recommended ({expected.verdict}) for a gain on test of {expected.gain}, the mean of "
            f"{expected.seeds} other seeds; expected of a single run: {expected.single_run}"
        )
    names = ", ".join(str(path.with_suffix(suffix)) for suffix in (path.suffix, ".json", ".md"))
    out.print(f"wrote {names}", style="dim", soft_wrap=True)


def _by_target(card: Card) -> Table:
    """Return the accuracies on each class distribution; those as trained only if a log-prior was added."""
    middle = [] if card.added is None else ["as trained"]
    grid = plain_table("on test, by class shares", "before", *middle, "after", "gain of this model")
    for name, of in card.scores[Split.TEST].targets.items():
        accuracies = [of.before, of.after] if card.added is None else [of.before, of.as_trained, of.after]
        grid.add_row(_TARGETS[name], *(f"{accuracy:.1%}" for accuracy in accuracies), str(of.gain))
    return grid
