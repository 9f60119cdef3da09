"""`autokd stop`: end a running command in good order, from another terminal or machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autokd.cli import options
from autokd.cli.console import out, print_json
from autokd.cli.pair_options import PairOptions
from autokd.cli.progress import watching
from autokd.text.escaping import one_line
from autokd.text.quoting import counted

if TYPE_CHECKING:
    from autokd.workflows.stop import Stopped, StoppedDriver


def stop(
    pairs: PairOptions,
    study: options.StudyOptions,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Return at once instead of waiting until it has ended.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Stop the command that tunes, sweeps or explains these pairs, as Ctrl-C in its own terminal would.

    It stops with all of its pairs: runs in progress end at their next report, everything reported is kept,
    and the same command continues later. This works from any machine that reaches the same storage. Without
    an option for pairs, it is for all of them. Exit code 0, also if nothing is running.

    Examples:
        autokd stop
        autokd stop --pair 4,9 --space private
        autokd stop --storage postgresql://me@server/studies --no-wait
    """
    from autokd.workflows import stop as workflow

    workspace = study.workspace()
    participants = workspace.config.federation.size
    selected = pairs.selected(workspace.names) if pairs.any_given else None
    with watching() as callbacks:
        stopped = workflow.stop(workspace, selected, wait=not no_wait, callbacks=callbacks)
    if json:
        print_json(stopped.to_json())
    else:
        _show(stopped, study, participants)


def _show(stopped: Stopped, study: options.StudyOptions, participants: int) -> None:
    for driver in stopped.drivers:
        out.print(one_line(_line(driver, study, participants)), soft_wrap=True)
    if not any(driver.was_alive for driver in stopped.drivers):
        out.print(f"nothing is running for these pairs of study {study.study}", soft_wrap=True)
        for owner, name in stopped.elsewhere:
            line = f"{owner} is at work on {name}: name its --study, --space or pairs"
            out.print(one_line(line), soft_wrap=True)


def _line(driver: StoppedDriver, study: options.StudyOptions, participants: int) -> str:
    """Return what became of a driver, how far it was, and how to go on."""
    if not driver.was_alive:
        what = f"{driver.owner} had ended before"
    elif driver.ended:
        what = f"stopped {driver.owner}"
    else:
        what = f"asked {driver.owner} to stop, which it does when its runs report next"
    if driver.command == "prepare":
        return f"{what}: the federation is not prepared; the same command starts that again"
    pairs = driver.pairs
    far = (
        f": {driver.judged} of {counted(len(pairs), 'pair')} {'is' if len(pairs) == 1 else 'are'} done"
        if driver.command == "tune"
        else ""
    )
    if len(pairs) == participants * (participants - 1):
        which = " --all"
    elif len({pair.meeting for pair in pairs}) == 1:
        which = f" {pairs[0].options}"
    else:
        return f"{what}{far}; the same autokd {driver.command} command continues"
    return f"{what}{far}; autokd {driver.command}{which}{study.repeated()} continues"
