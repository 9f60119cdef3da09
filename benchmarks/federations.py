"""What the participants of the shipped federations are worth before anybody teaches them.

    python benchmarks/federations.py [--study digits] [--seeds 5] [--home DIRECTORY]

For each participant: private examples, accuracy on the common test split, and by how much that changes when
it goes on training on its own data with the study's distillation recipe and no teacher (alpha = 0). Nothing
is distilled. The results stand in `docs/federations.md`.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from autokd.compute.device import Compute
from autokd.config.training import DistillationConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import Pair, Setting, Split, TransferSet
from autokd.distillation import Run
from autokd.federation.federation import Federation
from autokd.federation.preparation import prepare

NO_TEACHER = Setting(temperature=1.0, alpha=0.0, transfer_set=TransferSet.STUDENT)


@dataclass(frozen=True, slots=True)
class Row:
    """One participant.

    Attributes:
        participant: Its number.
        histogram: Private examples per class.
        own: Accuracy on test as it is, in %.
        changes: By seed, accuracy on test after going on alone minus before, in pp.
    """

    participant: int
    histogram: tuple[int, ...]
    own: float
    changes: tuple[float, ...]


def measure(federation: Federation, recipe: DistillationConfig, *, seeds: int) -> list[Row]:
    """All participants; every seed is another order of the examples."""
    rows = []
    for participant in federation.participants:
        own = 100 * float(federation.correct(participant.number, Split.TEST).mean())
        # A run needs a teacher's name; with alpha = 0 nobody asks it anything.
        pair = Pair(
            teacher=(participant.number + 1) % len(federation.participants), student=participant.number
        )
        after = [alone(federation, pair, recipe, seed) for seed in range(seeds)]
        rows.append(
            Row(
                participant=participant.number,
                histogram=tuple(federation.label_counts(participant.number).tolist()),
                own=own,
                changes=tuple(value - own for value in after),
            )
        )
    return rows


def alone(federation: Federation, pair: Pair, recipe: DistillationConfig, seed: int) -> float:
    """Accuracy on test after going on without a teacher, in %."""
    *_, last = Run(
        federation,
        pair,
        NO_TEACHER,
        seed=seed,
        recipe=recipe,
        rungs=(recipe.epochs,),
        splits=(Split.TEST,),
        # In which the tables of docs/federations.md were made.
        compute=Compute(memory_format="contiguous"),
    )
    return 100 * last.evaluations[Split.TEST].accuracy


def table(name: str, rows: list[Row]) -> str:
    """Markdown, the participants from weak to strong."""
    lines = [
        f"`{name}`",
        "",
        "| participant | private examples | of class 0, 1, ... | own accuracy (%) | going on alone (pp) |",
        "|---:|---:|---|---:|---:|",
    ]
    lines += [
        f"| {row.participant} | {sum(row.histogram)} | {' '.join(map(str, row.histogram))} "
        f"| {row.own:.1f} | {np.mean(row.changes):+.1f} |"
        for row in sorted(rows, key=lambda row: row.own)
    ]
    own, changes = [row.own for row in rows], np.array([row.changes for row in rows])
    # Adding 0 makes 0 of a rounded -0.
    by_seed = ", ".join(f"{change + 0.0:+.2f}" for change in changes.mean(axis=0).round(2))
    lines += [
        "",
        f"Own accuracy {min(own):.1f} to {max(own):.1f}%, mean {np.mean(own):.1f}%. Going on alone: "
        f"{changes.mean():+.2f} pp on average (by seed: {by_seed}).",
    ]
    return "\n".join(lines)


def main() -> None:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", action="append", help="by default digits and digits_iid")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--home", type=Path, help="where federations lie; by default prepared and thrown away"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for study in options.study or ["digits", "digits_iid"]:
            config = read_study_config(study)
            federation = prepare(config.federation, home=options.home or Path(scratch), compute=Compute())
            print(
                table(federation.name, measure(federation, config.distillation, seeds=options.seeds)),
                end="\n\n",
            )


if __name__ == "__main__":
    main()
