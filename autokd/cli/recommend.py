"""`autokd recommend`: the answer for a pair, from the store alone."""

from __future__ import annotations

from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.answer import show, show_prediction
from autokd.cli.console import note, print_json
from autokd.errors import InputError


def recommend(
    pair: options.PairText,
    study: options.Study = options.DEFAULT_STUDY,
    space: options.SpaceName = None,
    home: options.Home = options.DEFAULT_HOME,
    storage: options.Storage = None,
    json: options.Json = False,
    figure: options.Figure = None,
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

        [bold]autokd recommend --pair 4,9 --predict[/bold]   (from the runs of other pairs)
    """
    from autokd.workspace import Workspace

    workspace = Workspace.open(study, home=home, storage=storage, space=space)
    if predict:
        if figure is not None:
            raise InputError("--figure: a prediction has no runs to draw; leave out --predict or --figure")
        expected = workspace.predict(workspace.pair(pair))
        if json:
            print_json(expected.to_json())
        else:
            show_prediction(expected)
        return
    found = workspace.recommend(workspace.pair(pair))
    if figure is not None:
        # Imported here: drawing takes a while to import, and most calls draw nothing.
        from autokd.report import write

        write(found, figure)
        note(f"wrote {figure}; open it in a browser")
    if json:
        print_json(found.to_json())
    else:
        show(found)
