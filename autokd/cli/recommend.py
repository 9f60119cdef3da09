"""`autokd recommend`: the answer for a pair, for many, or for a participant, from the store alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autokd.cli import options
from autokd.cli.answer import show, show_prediction
from autokd.cli.console import note, out, print_json
from autokd.cli.listing import Form, form_of, table, written
from autokd.cli.partners import show_partners
from autokd.cli.selection import selected
from autokd.core.atomic_write import write_together
from autokd.errors import InputError, NotTuned

if TYPE_CHECKING:
    from autokd.core.setting import Pair
    from autokd.workspace import Workspace


def recommend(
    pair: options.OnePair = None,
    pairs: options.SomePairs = None,
    more: options.MorePairs = None,
    every: options.AllPairs = False,
    teacher: options.Teacher = None,
    student: Annotated[
        int | None, typer.Option("--student", help="Rank all partners for this participant.", metavar="S")
    ] = None,
    study: options.Study = options.DEFAULT_STUDY,
    space: options.SpaceName = None,
    home: options.Home = options.DEFAULT_HOME,
    storage: options.Storage = None,
    json: options.Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print one line a pair, for a spreadsheet.")] = False,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print what --json does, as YAML.")] = False,
    path: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Write it to this file instead; the form by its ending, if no other was named.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    stale: Annotated[
        bool,
        typer.Option("--stale", help="Where there is no other, show one of an older federation or plan."),
    ] = False,
    predict: Annotated[
        bool,
        typer.Option("--predict", help="Without tuning it: what the runs of other pairs let one expect."),
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Say what participant S should do with teacher T; the pair must have been tuned, unless one predicts.

    Gains are in percentage points of the student, on the common test split, with 95% intervals. Of many
    pairs, those without a recommendation are listed, too.

    Examples:

        [bold]autokd recommend --pair 4,9 --json[/bold]

        [bold]autokd recommend --student 9[/bold]   (which of its partners?)

        [bold]autokd recommend --all --out pairs.csv[/bold]

        [bold]autokd recommend --pair 4,9 --predict[/bold]   (from the runs of other pairs)
    """
    from autokd.workspace import Workspace

    form = form_of(json=json, csv=csv, yaml=yaml, path=path)
    workspace = Workspace.open(study, home=home, storage=storage, space=space)
    if student is not None and not (pair or pairs or more or every or teacher is not None):
        if predict or stale or path is not None or form not in (None, Form.JSON):
            raise InputError("--student: its ranking is for people or --json; list pairs with --all instead")
        show_partners(workspace, student, json=json)
        return
    asked = selected(
        participants=workspace.plan.federation.size,
        pair=pair,
        pairs=[text for text in (pairs, *(more or ())) if text],
        every=every,
        teacher=teacher,
        student=student,
    )
    if predict:
        if len(asked) > 1 or path is not None or form not in (None, Form.JSON):
            raise InputError("--predict: is of one --pair, for people or as --json")
        _predict(workspace, asked[0], json=json)
        return
    answers = workspace.answers(asked, stale=stale)
    if pair is not None and answers[0].payload is None:
        raise NotTuned(answers[0].missing)
    if form is not None:
        text = written([one.to_json() for one in answers], form, single=pair is not None)
        _put(text, path)
    elif pair is not None and answers[0].found is not None:
        show(answers[0].found)
    else:
        out.print(table(answers))


def _predict(workspace: Workspace, pair: Pair, *, json: bool) -> None:
    expected = workspace.predict(pair)
    if json:
        print_json(expected.to_json())
    else:
        show_prediction(expected)


def _put(text: str, path: Path | None) -> None:
    if path is None:
        print(text, end="")  # noqa: T201
    else:
        write_together({path: text.encode()}, option=f"--out {path}")
        note(f"wrote {path}")
