"""`autokd status`: show how far every pair is, from the stored results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autokd.cli import options
from autokd.cli.console import about, out, pace, plain_table, print_result
from autokd.cli.matrix import Matrix, PairCell, alike
from autokd.config.target import remark
from autokd.core.pair import Pair
from autokd.text.escaping import one_line
from autokd.text.quoting import counted

if TYPE_CHECKING:
    from rich.table import Table

    from autokd.core.participant_names import ParticipantNames
    from autokd.recommendation.whole_federation import WholeFederation
    from autokd.workflows.status import DriverStatus, Overview, PairOverview


def status(study: options.StudyOptions, json: options.Json = False) -> None:
    """Show decision and gain of every pair, the cost so far, and the progress of running commands.

    Examples:
        autokd status
        watch -n 5 autokd status   (beside a running `autokd tune --all`)
    """
    from autokd.workflows import status as workflow

    print_result(workflow.status(study.workspace()), _show, json=json)


def _show(overview: Overview) -> None:
    """Print an overview, and what was found when the federation was prepared; `tune` has said it before."""
    show(overview)
    for warning in overview.warnings:
        out.print(one_line(f"warning: {warning}"), style="yellow", soft_wrap=True)


def show(overview: Overview) -> None:
    """Print the matrix, the cost as a share of a sweep, and the running commands."""
    from autokd.workflows.stale import stale_hint

    cells: dict[Pair, PairCell] = {
        pair.pair: PairCell(
            pair.verdict,
            pair.gain,
            sum(pair.trials.values()) + pair.runs,
            pair.action,
            pair.action_gain,
        )
        for pair in overview.pairs
        if isinstance(pair.pair, Pair)
    }
    search, confirmation = (f"{share:.1%}" for share in overview.cost)
    with_study = counted(len(overview.pairs), "pair") + " with a study"
    judged = f"{overview.judged} of {with_study} {'is' if len(overview.pairs) == 1 else 'are'} judged"
    out.print(f"federation {overview.federation}: {judged}")
    if cells or not overview.groups:
        out.print(Matrix(overview.participants, alike(cells), overview.names))
    for group in overview.groups:
        out.print(_of_group(group, overview.names))
    if (whole := overview.whole) is not None and (whole.best_pair or whole.several):
        out.print(_of_all(whole))
    if text := remark(overview.target):
        out.print(text, style="dim")
    if overview.judged:
        out.print(str(overview.discoveries))
    if overview.stale:
        out.print(stale_hint(overview.stale), style="yellow")
    budget = "run to its end" if overview.sweep_budget is None else f"{overview.sweep_budget} epochs each"
    out.print(
        f"epochs so far, as a share of a sweep (every setting of the grid, {budget}): "
        f"search {search}, race and confirmation {confirmation}",
        style="dim",
    )
    if (examples := overview.cost_in_examples) is not None:
        search, confirmation = (f"{share:.1%}" for share in examples)
        out.print(f"in training examples: search {search}, race and confirmation {confirmation}", style="dim")
    for driver in overview.drivers:
        out.print(one_line(at_work(driver)), style="dim" if driver.alive else "yellow")


def _of_group(group: PairOverview, names: ParticipantNames) -> str:
    """Return where a group stands, in one line."""
    if group.action is not None:
        gain = "" if group.action_gain is None else f" {group.action_gain:+.1f} pp"
        return f"{names.arrow(group.pair)}: {group.action.replace('_', ' ')}{gain} ({group.verdict})"
    verdict = group.verdict or counted(sum(group.trials.values()), "trial")
    gain = "" if group.gain is None else f" {group.gain:+.1f} pp"
    return f"{names.arrow(group.pair)}: {verdict}{gain}"


def _of_all(whole: WholeFederation) -> Table:
    """Return the mean accuracy of all participants before and after one round."""
    from autokd.recommendation.communication import in_bytes

    grid = plain_table("all participants, mean on test", "accuracy", "learning", "sent")
    grid.add_row("as they are", f"{whole.before:.1%}", "", "")
    for words, after in (("best pair each", whole.best_pair), ("several teachers", whole.several)):
        if after is not None:
            sent = "unknown" if after.sent is None else in_bytes(after.sent)
            grid.add_row(words, f"{after.accuracy:.1%}", f"{after.learning} of {after.judged} judged", sent)
    return grid


def at_work(driver: DriverStatus) -> str:
    """Return a running command in one line: who, since when, how far, and how long it will take."""
    begun = f"{driver.owner}, at work since {driver.since.astimezone():%Y-%m-%d %H:%M:%S}"
    if not driver.alive:
        return f"{begun}, ended before it was done; the same autokd tune command continues"
    if driver.asked_to_stop is not None:
        return f"{begun}, asked to stop by {driver.asked_to_stop}: it ends when its runs report next"
    if not driver.ended:
        return f"{begun}: no run has ended yet"
    eta = about(driver.seconds_left if driver.left else None)
    return f"{begun}: {driver.ended} runs done{pace(driver.per_second)}, {driver.left} to go{eta}"
