"""Commands that a service does without a run: what it has is printed, or written to a file here."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from autokd.cli.console import NOTHING_LEFT, err, note, out
from autokd.cli.listing import form_of
from autokd.cli.remote_arguments import Asked
from autokd.core.atomic_write import write_together
from autokd.errors import PlanError

if TYPE_CHECKING:
    from autokd.client import Client


def read(client: Client, asked: Asked, *, ran: bool = False) -> int:
    """Print what a command prints where the service runs.

    Args:
        ran: Whether there were runs, so that it is not said that there was nothing left to do.
    """
    options, path = asked.options("path"), asked.values.get("path")
    if path is not None:
        flags = {name: bool(asked.values.get(name)) for name in ("json", "csv", "yaml")}
        form = form_of(**flags, path=path)
        if form is not None and not any(flags.values()):
            options.append({"name": f"--{form.value}"})
    answer = client.run(
        asked.command,
        asked.study,
        space=asked.space,
        options=options,
        columns=min(max(out.width, 20), 500),
        color=out.is_terminal and out.color_system is not None and path is None,
    )
    said = answer["errors"].replace(f"{NOTHING_LEFT}\n", "") if ran else answer["errors"]
    err.file.write(said)
    if path is None:
        out.file.write(answer["output"])
    elif answer["exit_code"] == 0:
        write_together({path: answer["output"].encode()}, option=f"--out {path}")
        note(f"wrote {path}")
    return int(answer["exit_code"])


def report(client: Client, asked: Asked) -> int:
    """Write the page of the service."""
    from autokd.cli.report import say_written
    from autokd.report.pdf import writer_of

    for name in asked.typed.keys() & {"pair", "figures", "json"}:
        raise PlanError.of_option(asked.typed[name], "is not for a service; the page has all pairs")
    path: Path = asked.values["path"]
    write = writer_of(path)
    with tempfile.TemporaryDirectory() as folder:
        page = client.report(asked.study, Path(folder) / "page.html", space=asked.space).read_text("utf-8")
    write(page, path)
    say_written(path)
    return 0
