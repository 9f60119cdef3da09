"""At which budget more of the same gains nothing: students without a teacher, trained longer and longer.

    python -m benchmarks.training_budget [--study digits] [--pairs 30] [--out FILE] [--home DIRECTORY]

Cross-entropy with the label prior adjusted for, on the student's data and on both participants', is the
strongest rival that needs no teacher. It runs for 1, 2, 4 and 8 times the recipe's epochs, at the recipe's
learning rate, with a constant rate and with one that falls as a cosine. Each row has the mean gain on test
over the pairs, one seed each, and by how much more it is than at half of the budget, with an interval over
participants. A recipe's `search.max_epochs` suffices if the rows beyond it add nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import torch

from autokd.compute.device import Compute
from autokd.config.training import DistillationConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import LabelPrior, Pair, Schedule, Setting, Split, TransferSet
from autokd.distillation import Run
from autokd.federation.federation import Federation
from autokd.federation.preparation import prepare
from autokd.statistics.dyadic import dyadic_interval

TIMES: Final = (1, 2, 4, 8)
SETS: Final = (TransferSet.STUDENT, TransferSet.BOTH)
RESULTS: Final = Path(__file__).parent / "results" / "training_budget.json"
Gains = Mapping[tuple[TransferSet, Schedule, int], Mapping[Pair, float]]


def measure(federation: Federation, recipe: DistillationConfig, pairs: Sequence[Pair]) -> Gains:
    """Return gains on test in pp, by transfer set, schedule, epochs and pair."""
    gains: dict[tuple[TransferSet, Schedule, int], dict[Pair, float]] = {}
    for number, pair in enumerate(pairs):
        own = 100 * float(federation.correct(pair.student, Split.TEST).mean())
        for transfer_set in SETS:
            for schedule in Schedule:
                for epochs, accuracy in curve(federation, recipe, pair, transfer_set, schedule):
                    gains.setdefault((transfer_set, schedule, epochs), {})[pair] = accuracy - own
        print(f"{number + 1} of {len(pairs)} pairs", flush=True)
    return gains


def curve(
    federation: Federation,
    recipe: DistillationConfig,
    pair: Pair,
    transfer_set: TransferSet,
    schedule: Schedule,
) -> Iterator[tuple[int, float]]:
    """Yield epochs and accuracy on test, in %, at each budget."""
    budgets = [times * recipe.epochs for times in TIMES]
    # With a constant rate, the shorter runs are the beginnings of the longest.
    runs = [budgets] if schedule is Schedule.CONSTANT else [[epochs] for epochs in budgets]
    for rungs in runs:
        setting = Setting(
            1.0, 0.0, transfer_set, epochs=rungs[-1], label_prior=LabelPrior.ADJUSTED, schedule=schedule
        )
        run = Run(
            federation,
            pair,
            setting,
            seed=0,
            recipe=recipe,
            rungs=rungs,
            splits=(Split.TEST,),
            compute=Compute(),
        )
        for rung in run:
            yield rung.epoch, 100 * rung.evaluations[Split.TEST].accuracy


def rows(gains: Gains) -> list[dict[str, Any]]:
    """Return a row for each transfer set, schedule and budget."""
    table_rows = []
    for (transfer_set, schedule, epochs), by_pair in gains.items():
        half = gains.get((transfer_set, schedule, epochs // 2))
        row: dict[str, Any] = {
            "transfer_set": transfer_set.value,
            "schedule": schedule.value,
            "epochs": epochs,
        }
        row["gain"] = sum(by_pair.values()) / len(by_pair)
        if half is not None:
            more = {pair: gain - half[pair] for pair, gain in by_pair.items()}
            interval = dyadic_interval(more)
            row |= {"more": interval.mean, "low": interval.low, "high": interval.high}
        table_rows.append(row)
    return table_rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows in Markdown."""
    lines = [
        "| transfer set | rate | epochs | gain on test (pp) | more than at half |",
        "|---|---|---:|---:|---|",
    ]
    for row in rows:
        more = f"{row['more']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]" if "more" in row else ""
        lines.append(
            f"| {row['transfer_set']} | {row['schedule']} | {row['epochs']} | {row['gain']:+.1f} | {more} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", default="digits")
    parser.add_argument("--pairs", type=int, default=30, help="number of pairs, drawn at random")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--home", type=Path, default=None, help="where the federation is, or is to be")
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = read_study_config(options.study)
    with tempfile.TemporaryDirectory() as folder:
        federation = prepare(config.federation, home=options.home or Path(folder), compute=Compute())
        every = [Pair(*sides) for sides in permutations(range(len(federation.participants)), 2)]
        pairs = sorted(random.Random(0).sample(every, min(options.pairs, len(every))))
        lines = rows(measure(federation, config.distillation, pairs))
    options.out.write_text(
        json.dumps({"study": config.name, "pairs": len(pairs), "rows": lines}, indent=1) + "\n"
    )
    print(table(lines))


if __name__ == "__main__":
    main()
