"""`autokd store`: backup, restore and check a store, and give back the pairs of a dead command."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.console import out, print_json
from autokd.cli.pair_options import PairOptions
from autokd.text.escaping import one_line


def backup(
    file: Annotated[Path, typer.Argument(help="New file for the backup.", metavar="FILE")],
    study: options.StudyOptions,
) -> None:
    """Copy the SQLite store into one file, also while commands are at work.

    The copy is what the store was at one moment. A server's database is backed up with its own tools:
    pg_dump, mysqldump or mariadb-dump.

    Example:
        autokd store backup autokd-backup.db
    """
    from autokd.workflows import store_care

    store_care.backup_store(study.workspace(), file)
    out.print(f"wrote {file}; autokd store restore {file} puts it back", soft_wrap=True)


def restore(
    file: Annotated[Path, typer.Argument(help="What autokd store backup wrote.", metavar="FILE")],
    study: options.StudyOptions,
) -> None:
    """Put a backup in the place of the SQLite store; no command may be at work on it.

    What was there is kept beside it, with `.before-restore` at the end of its name.

    Example:
        autokd store restore autokd-backup.db
    """
    from autokd.workflows import store_care

    store_care.restore_store(study.workspace(), file)
    out.print(f"restored {file}; autokd status shows what it holds", soft_wrap=True)


def check(study: options.StudyOptions, json: options.Json = False) -> None:
    """Say what is wrong in the store: its file, its tables' version, references, and rows of others.

    Nothing is changed. Exit code 0 if nothing is wrong, else 1.

    Example:
        autokd store check
    """
    from autokd.workflows import store_care

    problems = store_care.check_store(study.workspace())
    if json:
        print_json({"problems": [asdict(problem) for problem in problems]})
    else:
        for problem in problems:
            line = f"{problem.where}: {problem.what}; {problem.way_out}"
            out.print(one_line(line), soft_wrap=True)
        if not problems:
            out.print("nothing is wrong")
    if problems:
        raise typer.Exit(1)


def release(pairs: PairOptions, study: options.StudyOptions, json: options.Json = False) -> None:
    """Give back the pairs of a command that is dead but still has them.

    A lease ends by itself, but a clock that jumped may put its end years ahead. Should the command be alive
    after all, it writes nothing more. Without an option for pairs, it is for all of them.

    Example:
        autokd store release --pair 4,9
    """
    from autokd.workflows import store_care

    workspace = study.workspace()
    selected = pairs.selected(workspace.names) if pairs.any_given else None
    released = store_care.release_pairs(workspace, selected)
    if json:
        print_json({"released": [asdict(lease) for lease in released]})
        return
    for lease in released:
        out.print(one_line(f"gave back the {lease.studies} studies of {lease.owner}"), soft_wrap=True)
    if not released:
        out.print("nobody has these pairs")
