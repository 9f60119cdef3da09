"""`autokd recommend`: the answer for a pair, for many, or for a participant, from the store alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.answer import show, show_partners, show_prediction
from autokd.cli.console import note, out, print_result
from autokd.cli.listing import ListFormat, form_of, table, written
from autokd.cli.output import can_write
from autokd.cli.students import TeacherOptions
from autokd.core.atomic_write import write_together
from autokd.core.setting import Pair
from autokd.errors import InputError, NotTuned
from autokd.text.quoting import one_of


class ListedVerdict(StrEnum):
    """Verdicts that may be asked for; named here, since the module that judges is slow to import."""

    TUNED = "tuned"
    DEFAULT = "default"
    SKIP = "skip"
    UNDECIDED = "undecided"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class RecommendPairs(TeacherOptions):
    """Which pairs to list; a student alone asks for the ranking of its partners."""

    student: Annotated[
        str | None,
        typer.Option(help="Rank all partners of this participant; with --teacher, this pair.", metavar="S"),
    ] = None

    @property
    def ranked(self) -> str | None:
        """The participant whose partners are ranked; None if pairs are asked for."""
        listed = (
            self.pair or self.pairs or self.more or self.every or self.teacher is not None or self.of_several
        )
        return None if listed else self.student


def recommend(
    pairs: RecommendPairs,
    study: options.StudyOptions,
    json: options.Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print one line per pair, for a spreadsheet.")] = False,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print the content of --json as YAML.")] = False,
    path: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Write to this file instead; its ending gives the format, unless an option names one.",
            metavar="FILE",
        ),
    ] = None,
    stale: Annotated[
        bool,
        typer.Option(
            "--stale", help="If there is no recommendation, show one of an older federation or study recipe."
        ),
    ] = False,
    top: Annotated[
        int | None, typer.Option(min=1, help="List only so many pairs: the largest gains.", metavar="N")
    ] = None,
    verdict: Annotated[
        list[ListedVerdict] | None,
        typer.Option(
            help=f"List only pairs with this verdict ({one_of(ListedVerdict)}), the largest gain first; may "
            "be repeated.",
            metavar="VERDICT",
        ),
    ] = None,
    predict: Annotated[
        bool,
        typer.Option("--predict", help="Predict the gain of an untuned pair from the runs of other pairs."),
    ] = False,
) -> None:
    """Show what participant S should do with teacher T, from the stored results of `autokd tune`.

    Gains are percentage points of the student's accuracy on the common test split, with 95% intervals. The
    table of many pairs begins with the largest gain and leaves out pairs without a recommendation; --json,
    --csv and --yaml list all of them by number, unless --top or --verdict choose.

    Examples:
        autokd recommend --pair 4,9 --json
        autokd recommend --student 9   (which partner is best for 9?)
        autokd recommend --all --top 10 --verdict tuned
        autokd recommend --all --out pairs.csv
        autokd recommend --pair 4,9 --predict   (a pair that was not tuned)
    """
    from autokd.workflows import recommend as workflow

    form = form_of(json=json, csv=csv, yaml=yaml, path=path)
    few = top is not None or bool(verdict)
    as_list = path is not None or few or form not in (None, ListFormat.JSON)
    workspace = study.workspace()
    if pairs.ranked is not None:
        if predict or stale or as_list:
            raise InputError(
                "--student: a ranking is printed as text or --json; list pairs with --all instead"
            )
        student = workspace.names.number(pairs.ranked, option="--student")
        print_result(workflow.partners(workspace, student), show_partners, json=json)
        return
    selected = pairs.chosen(workspace)
    if predict:
        if len(selected) > 1 or as_list or not isinstance(selected[0], Pair):
            raise InputError("--predict: takes one --pair, and prints text or --json")
        print_result(workflow.predict(workspace, selected[0]), show_prediction, json=json)
        return
    answers = workflow.recommend_all(workspace, selected, stale=stale)
    single = len(selected) == 1 and not few and (pairs.each_named or pairs.of_several)
    if single and answers[0].payload is None:
        raise NotTuned(answers[0].missing)
    if form is not None:
        listed = answers.best(top=top, verdicts=verdict or ()) if few else answers
        entries = [answer.to_json() for answer in listed]
        text = written(entries, form, single=single)
        if path is None and not can_write(text):
            text = written(entries, form, single=single, only_ascii=True)
        _put(text, path)
    elif single and answers[0].recommendation is not None:
        show(answers[0].recommendation)
    else:
        # A pair that was named is listed even if there is only a way out to tell.
        in_order = pairs.each_named and not few
        out.print(table(answers, None if in_order else answers.best(top=top, verdicts=verdict or ())))


def _put(text: str, path: Path | None) -> None:
    if path is None:
        print(text, end="")  # noqa: T201
    else:
        write_together({path: text.encode()}, option=f"--out {path}")
        note(f"wrote {path}")
