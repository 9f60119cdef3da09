"""`autokd tune`: search pairs, judge them, and print what is recommended."""

from __future__ import annotations

from typing import Annotated

import typer

from autokd.cli import options, status
from autokd.cli.answer import further, show
from autokd.cli.budget import BudgetOptions, CostOptions, seconds_of
from autokd.cli.console import NOTHING_LEFT, note, out, print_json
from autokd.cli.loggers import LogOption, loggers_of
from autokd.cli.progress import in_words, watching
from autokd.cli.students import TeacherOptions
from autokd.core.setting import Position
from autokd.workflows.callbacks import CallbackList


def tune(
    pairs: TeacherOptions,
    study: options.StudyOptions,
    computing: options.RunOptions,
    budget: BudgetOptions,
    cost: CostOptions,
    trials: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="The most trials per pair, the default setting included; a search that is sure ends before. "
            "A higher number extends it.",
        ),
    ] = None,
    asked: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            help="A setting to run in each pair right after the default setting; may be repeated. Also "
            "method, learning_rate, epochs, batch_norm, label_prior, schedule.",
            metavar="T=4,alpha=0.9,transfer_set=both",
        ),
    ] = None,
    position: Annotated[
        Position | None,
        typer.Option(help="Search only this position of S; by default both positions."),
    ] = None,
    log: LogOption = None,
    json: options.Json = False,
) -> None:
    """Search for the best setting of teacher T and student S, confirm it, and say whether to swap the roles.

    All pairs are tuned in one batch. Stored results are not computed again: after Ctrl-C or a crash the same
    command continues, and it adds nothing once everything is done.

    Examples:
        autokd tune --pair 4,9
        autokd tune --pair 4,9 --trials 64   (allow more trials)
        autokd tune --pair 4,9 --try T=4,alpha=0.9,transfer_set=both
        autokd tune --all --dry-run   (what it takes)
        autokd tune --all   (every pair, overnight)
        autokd tune --all --effort quick   (at most 6 trials and 3 seeds a pair)
        autokd tune --all --time 6h   (a longer time goes on)
        autokd tune --all --share-of-sweep 0.05
        autokd tune --all --log tensorboard --log mlflow=http://server:5000
        autokd tune --student 9 --position student --space private
        autokd tune --student 9 --teachers 0,3,7   (several teachers at once)
        autokd tune --all-students --teachers all
        autokd tune --pair 4,9 --device cuda --gpus-per-trial 0.25
        autokd tune --all --ray-address 10.0.0.1:6379   (on a cluster node)
    """
    from autokd.search.asked import ran_before
    from autokd.workflows import tune as workflow

    limits = workflow.BatchBudget(**budget.limits())
    if pairs.of_several:
        # With one teacher left it is a pair, and the question is still what this student should do.
        position = position or Position.STUDENT
    keywords = {"position": position, "budget": limits, **computing.keywords()}
    longest = seconds_of(cost.confirm_above, option="--confirm-above")
    workspace = study.workspace(trials=trials, try_=asked or (), effort=cost.effort)
    selected = pairs.chosen(workspace)
    if cost.dry_run:
        from autokd.workflows.expected import expected_cost

        expected = expected_cost(workspace, selected, position=position, **computing.keywords())
        if json:
            print_json(expected.to_json())
        else:
            out.print(f"to do: {in_words(expected)}", soft_wrap=True)
        return
    loggers = loggers_of(log or (), workspace.home)
    result: workflow.Batch | workflow.Outcome
    of_sweep = budget.share_of_sweep is not None
    with watching(confirm_above=longest, of_sweep=of_sweep) as shown:
        callbacks = CallbackList([shown, *loggers]) if loggers else shown
        if len(selected) > 1 or not (pairs.each_named or pairs.of_several):
            result = workflow.tune_all(
                workspace, selected, callbacks=callbacks, with_overview=not json, **keywords
            )
        else:
            result = workflow.tune(workspace, selected[0], callbacks=callbacks, **keywords)
    if result.interrupted:
        raise typer.Exit(130)
    if not result.ran:
        note(NOTHING_LEFT)
    if isinstance(result, workflow.Batch):
        verdicts = [answer["verdict"] for answer in result.answers.values()]
        if json:
            print_json(result.to_json())
        elif result.overview is not None:
            status.show(result.overview)
    else:
        verdicts = [recommendation.verdict.value for recommendation in result.recommendations]
        if not result.recommendations:
            note("the budget has no room for a single run")
            raise typer.Exit(1)
        first = result.recommendations[0]
        if json:
            print_json(result.to_json())
        else:
            show(first)
            for setting in ran_before(workspace.config, first.records.trials):
                note(f"{setting} was asked for and had run to its end before; it was not run again")
            out.print(further(first, study), style="dim", soft_wrap=True)
    if "failed" in verdicts:
        raise typer.Exit(1)
