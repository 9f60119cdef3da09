"""`autokd prepare`: pre-train a study recipe's federation, once."""

from __future__ import annotations

from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.console import out, print_json
from autokd.cli.progress import watching
from autokd.config.defaults import HOME, STUDY
from autokd.config.target import remark, target_json


def prepare(
    study: options.Study = STUDY,
    home: options.Home = HOME,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Participants pre-trained at once; by default one per CPU core.")
    ] = None,
    device: options.Device = "cpu",
    threads: options.Threads = 1,
    ray_address: options.RayAddress = None,
    json: options.Json = False,
) -> None:
    """Pre-train the participants of a study recipe's federation, unless that was done before.

    [bold]autokd tune[/bold] does it, too, if necessary.

    Example:
        autokd prepare --study digits_iid
    """
    from autokd.compute.device import Compute
    from autokd.core.setting import Split
    from autokd.workflows import prepare as workflow
    from autokd.workflows.study_warnings import warned_facts
    from autokd.workspace import Workspace

    workspace = Workspace.open(study, home=home)
    with watching() as callbacks:
        federation = workflow.prepare(
            workspace,
            Compute(device=device, threads=threads),
            workers=workers,
            address=ray_address,
            progress=callbacks.on_prepare,
        )
    target = workspace.config.target
    facts = warned_facts(workspace.config, federation.facts(), source=workspace.source)
    common = {
        split: {participant.number: participant.accuracy(split) for participant in facts.participants}
        for split in Split
    }
    own = {
        participant.number: federation.own_accuracy(participant.number)
        for participant in federation.participants
    }
    accuracies = common[Split.TEST]
    if json:
        content = {"federation": federation.name, "home": str(home), "test_accuracy": accuracies}
        more = {
            "own_accuracy": own,
            "validation_accuracy": common[Split.VALIDATION],
            "confirmation_accuracy": common[Split.CONFIRMATION],
            "warnings": [warning.to_json() for warning in facts.warnings],
        }
        names = workspace.names
        named = {"names": {number: names.name(number) or None for number in own}} if names else {}
        print_json({**content, **named, **more, **target_json(target)})
        return
    out.print(
        f"federation {federation.name}, {len(accuracies)} participants, accuracy on the common test split:"
    )
    for number, accuracy in accuracies.items():
        size = len(federation.participants[number].private)
        out.print(
            f"  {number:>3}  {accuracy:6.1%}  {size:>6} private examples, {own[number]:.1%} of them right"
            + (f"  {name}" if (name := workspace.names.name(number)) else ""),
            soft_wrap=True,
        )
        others = (Split.VALIDATION, Split.CONFIRMATION)
        shares = ", ".join(f"{common[split][number]:.1%} of {split.value}" for split in others)
        out.print(f"               {shares}")
    if text := remark(target):
        out.print(text, style="dim")
