"""`autokd recommend`: the answer for a pair, from the store alone."""

from __future__ import annotations

from autokd.cli import options
from autokd.cli.answer import show
from autokd.cli.console import note, print_json


def recommend(
    pair: options.PairText,
    study: options.Study = options.DEFAULT_STUDY,
    space: options.SpaceName = None,
    home: options.Home = options.DEFAULT_HOME,
    storage: options.Storage = None,
    json: options.Json = False,
    figure: options.Figure = None,
    debug: options.Debug = False,
) -> None:
    """Say what participant S should do with teacher T; the pair must have been tuned.

    Gains are in percentage points of the student, on the common test split, with 95% intervals.

    Example: [bold]autokd recommend --pair 4,9 --json[/bold]
    """
    from autokd.workspace import Workspace

    workspace = Workspace.open(study, home=home, storage=storage, space=space)
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
