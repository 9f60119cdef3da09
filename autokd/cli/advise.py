"""`autokd advise`: what the owner of one participant should do, or of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from autokd.cli import options
from autokd.cli.answer import decision_lines, weighed_table
from autokd.cli.console import out, plain_table, print_json, print_result
from autokd.errors import InputError
from autokd.text.quoting import counted

if TYPE_CHECKING:
    from autokd.recommendation.participant import ParticipantDecision


def advise(
    study: options.StudyOptions,
    student: Annotated[
        str | None, typer.Option(help="The participant whose owner asks, by number or name.", metavar="S")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All participants, a line each.")] = False,
    json: options.Json = False,
) -> None:
    """Show the one thing that a participant's owner should do, of all that its tuned pairs have shown.

    An owner has one model. So keeping it, dividing its label prior out, training alone, learning from any
    partner, letting one learn and adopting a model are weighed against each other, corrected for the choice
    among so many: the simplest that is not shown to be worse than the best is chosen.

    Examples:
        autokd advise --student 9
        autokd advise --all --json
    """
    from autokd.workflows import advise as workflow

    if every == (student is not None):
        raise InputError("autokd advise: give --student S, or --all for every participant")
    workspace = study.workspace()
    if student is not None:
        number = workspace.names.number(student, option="--student")
        print_result(workflow.advise(workspace, number), show, json=json)
        return
    decisions = workflow.advise_all(workspace)
    if json:
        print_json([decision.to_json() for decision in decisions])
    else:
        show_all(decisions)


def show(decided: ParticipantDecision) -> None:
    """Print the decision, and what was weighed for it."""
    for line in decision_lines(decided.decision, decided.names.word(decided.student)):
        out.print(line)
    out.print(weighed_table(decided.decision, decided.names.word(decided.student)))
    partners = counted(len(decided.partners), "partner")
    note = f"the best of {counted(decided.choices, 'way')} with {partners}; intervals hold for all"
    if decided.groups:
        note += f"; with {', '.join(map(str, decided.groups))}"
    if decided.unknown:
        note += f"; no recommendation yet from {', '.join(map(decided.names.word, decided.unknown))}"
    out.print(note, style="dim")


def show_all(decisions: tuple[ParticipantDecision, ...]) -> None:
    """Print a line for each participant, and what following all of them gains on average."""
    grid = plain_table("participant", "decision", "gain on test", "what to do")
    for decided in decisions:
        decision = decided.decision
        gain = f"{decision.chosen.test.mean:+.1f} pp"
        grid.add_row(
            decided.names.label(decided.student), decision.action.words, gain, Text(decision.chosen.way.words)
        )
    out.print(grid)
    mean = sum(decided.decision.chosen.test.mean for decided in decisions) / len(decisions)
    out.print(f"who follows all of them gains {mean:+.1f} pp on average, on test")
