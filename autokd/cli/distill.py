"""`autokd distill`: train the recommended student, and write its weights with a card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

import typer
from rich.text import Text

from autokd.cli import options
from autokd.cli.console import out, plain_table, print_json
from autokd.cli.progress import watching
from autokd.cli.students import StudentOptions
from autokd.config.target import remark
from autokd.core.setting import BatchNorm, LabelPrior, Method, Schedule, Setting, Split, TransferSet
from autokd.errors import PlanError
from autokd.text.quoting import one_of

if TYPE_CHECKING:
    from rich.table import Table

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
    transfer_set: Annotated[
        TransferSet | None,
        typer.Option(help=f"Examples to distill on: {one_of(TransferSet)}.", metavar="SET"),
    ] = None
    method: Annotated[
        Method | None,
        typer.Option(help=f"Method, by default plain: {one_of(Method)}.", metavar="METHOD"),
    ] = None
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
        autokd distill --pair 4,9 --out student.safetensors
        autokd distill --student 9 --teachers 0,3,7 --out student.safetensors
        autokd distill --pair 4,9 --for own --out at-home.safetensors
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
    if json:
        print_json(card.to_json())
    else:
        show(card.to_json(), path)


def show(card: Mapping[str, Any], path: Path) -> None:
    """Print what a card says.

    Args:
        card: Content of its JSON file.
        path: The file of weights beside it.
    """
    from autokd.delivery.markdown import signed

    scores, made_for, expected = card["scores"], card["for"], card["promised"]
    student = _called(card, "student")
    teachers = _called(card, "teacher") if "teacher" in card["pair"] else f"{{{_called(card, 'teachers')}}}"
    setting = f"  {Setting.from_json(card['setting'])}, seed {card['seed']}"
    out.print(Text.assemble((f"{teachers}->{student}", "bold"), setting))
    grid = plain_table(f"participant {student}", "before", "after", "gain of this model")
    for split in (Split.TEST, Split.CONFIRMATION, Split.VALIDATION):
        score = scores[split.value]
        accuracies = (f"{score[name]:.1%}" for name in ("accuracy_before", "accuracy"))
        grid.add_row(f"on {split}", *accuracies, _interval(score["gain"]))
    out.print(grid)
    out.print(_by_target(scores[Split.TEST.value]["targets"], corrected=made_for["added"] is not None))
    if made_for["added"] is not None:
        whose = "the student's own" if made_for["target"] == "own" else "the given"
        strength = made_for["added"]["strength"]
        out.print(f"in its logits: {strength:g} times the logarithms of {whose} class shares")
    if text := remark(card.get("target", "common")):
        out.print(text, style="dim")
    out.print(f"forgetting on test {signed(scores[Split.TEST.value]['forgetting'])} pp")
    if expected is not None and expected["gain"] is not None:
        gain, single = _interval(expected["gain"]), _interval(expected["single_run"])
        out.print(
            f"recommended ({expected['verdict']}) for a gain on test of {gain}, the mean of "
            f"{expected['seeds']} other seeds; expected of a single run: {single}"
        )
    names = ", ".join(str(path.with_suffix(suffix)) for suffix in (path.suffix, ".json", ".md"))
    out.print(f"wrote {names}", style="dim", soft_wrap=True)


def _called(card: Mapping[str, Any], role: str) -> str:
    """Return what the participants of a role are called: by name, or else by number."""
    numbers, names = card["pair"][role], card.get("names", {}).get(role)
    if not isinstance(numbers, list):
        return str(names or numbers)
    return ",".join(str(name or number) for number, name in zip(numbers, names or numbers, strict=True))


def _interval(gain: Mapping[str, float]) -> str:
    from autokd.statistics.paired import Interval

    return str(Interval(**gain))


def _by_target(targets: Mapping[str, Mapping[str, Any]], *, corrected: bool) -> Table:
    """Return the accuracies on each class distribution; those as trained only if a log-prior was added."""
    middle = ["as trained"] if corrected else []
    grid = plain_table("on test, by class shares", "before", *middle, "after", "gain of this model")
    shown = ("accuracy_before", *(["accuracy_as_trained"] if corrected else []), "accuracy")
    for name, of in targets.items():
        grid.add_row(_TARGETS[name], *(f"{of[key]:.1%}" for key in shown), _interval(of["gain"]))
    return grid
