"""`autokd recommend`: the answer for a pair, from the store alone."""

from __future__ import annotations

from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.answer import show, show_prediction
from autokd.cli.console import print_json
from autokd.cli.partners import show_partners
from autokd.errors import InputError


def recommend(
    pair: options.OnePair = None,
    student: Annotated[
        int | None, typer.Option("--student", help="Rank all partners for this participant.", metavar="S")
    ] = None,
    study: options.Study = options.DEFAULT_STUDY,
    space: options.SpaceName = None,
    home: options.Home = options.DEFAULT_HOME,
    storage: options.Storage = None,
    json: options.Json = False,
    predict: Annotated[
        bool,
        typer.Option("--predict", help="Without tuning it: what the runs of other pairs let one expect."),
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Say what participant S should do with teacher T; the pair must have been tuned, unless one predicts.

    Gains are in percentage points of the student, on the common test split, with 95% intervals.

    Examples:

        [bold]autokd recommend --pair 4,9 --json[/bold]

        [bold]autokd recommend --student 9[/bold]   (which of its partners?)

        [bold]autokd recommend --pair 4,9 --predict[/bold]   (from the runs of other pairs)
    """
    from autokd.workspace import Workspace

    workspace = Workspace.open(study, home=home, storage=storage, space=space)
    if (pair is None) == (student is None) or (predict and pair is None):
        raise InputError(
            "say for whom: --pair 4,9, or --student 9 to rank its partners; --predict takes a pair"
        )
    if student is not None:
        show_partners(workspace, student, json=json)
        return
    assert pair is not None
    if predict:
        expected = workspace.predict(workspace.pair(pair))
        if json:
            print_json(expected.to_json())
        else:
            show_prediction(expected)
        return
    found = workspace.recommend(workspace.pair(pair))
    if json:
        print_json(found.to_json())
    else:
        show(found)
