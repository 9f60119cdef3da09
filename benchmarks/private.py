"""What each method is worth where nothing private moves: on the student's own data, and on public data.

    python -m benchmarks.private [--study digits] [--pairs 24 | 4,9 9,4 ...] [--seeds 3] [--home DIRECTORY]
        [--temperatures 1 2 4 8] [--alphas 0.25 0.5 0.75 1]

Cross-entropy only on the student's own data is what is to be beaten. Each method has a grid: temperatures and
alphas on the student's data, and on public data the temperatures alone. Of each
grid, and of all of them together, the setting with the best validation accuracy of one run is chosen; what is
told is its accuracy on test minus that of cross-entropy only, with fresh seeds, the same ones for all.
Intervals resample participants. The numbers are kept in `benchmarks/results/private_<study>.json`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import torch

from autokd.compute.device import Compute
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import DEFAULT, Method, Pair, Setting, Split, TransferSet
from autokd.distillation import Run
from autokd.federation.federation import Federation
from autokd.federation.preparation import prepare
from autokd.statistics.dyadic import dyadic_interval
from benchmarks.null import asked_for

RESULTS: Final = Path(__file__).parent / "results"
ALONE: Final = Setting(1.0, 0.0, TransferSet.STUDENT)
ALL: Final = "any of them"


@dataclass(frozen=True, slots=True)
class Order:
    """What to do for one pair."""

    study: str
    home: Path
    pair: Pair
    seeds: int
    temperatures: tuple[float, ...]
    alphas: tuple[float, ...]


def grid(method: Method, order: Order) -> Iterator[Setting]:
    """The settings of a method that leave private data where they are."""
    for temperature in order.temperatures:
        for alpha in order.alphas:
            yield Setting(temperature, alpha, TransferSet.STUDENT, method=method)
        yield Setting(temperature, None, TransferSet.PUBLIC, method=method)


@dataclass(frozen=True, slots=True)
class Row:
    """One pair.

    Attributes:
        chosen: By method, on validation.
        gains: By method and by "the default", on test over cross-entropy only, in pp, a seed each.
        alone: Gain of cross-entropy alone over the model as it is.
    """

    pair: Pair
    chosen: Mapping[str, Setting]
    gains: Mapping[str, list[float]]
    alone: list[float]


@cache
def _federation(study: str, home: Path) -> tuple[StudyConfig, Federation]:
    config = read_study_config(study)
    return config, prepare(config.federation, home=home, compute=Compute())


def _correct(order: Order, setting: Setting, seed: int, split: Split) -> float:
    """Accuracy in %."""
    config, federation = _federation(order.study, order.home)
    recipe = config.distillation
    run = Run(
        federation,
        order.pair,
        setting,
        seed=seed,
        recipe=recipe,
        rungs=[recipe.epochs],
        splits=[split],
        compute=Compute(),
    )
    *_, last = run
    return 100 * last.evaluations[split].accuracy


def row(order: Order) -> Row:
    """Choose for one pair, and tell what it is worth."""
    torch.set_num_threads(1)
    best: dict[str, tuple[float, Setting]] = {}
    for method in Method:
        for setting in grid(method, order):
            correct = _correct(order, setting, 0, Split.VALIDATION)
            for name in (method.value, ALL):
                if name not in best or correct > best[name][0]:
                    best[name] = correct, setting
    chosen = {name: setting for name, (_, setting) in best.items()}
    fresh = range(1, order.seeds + 1)

    def tested(setting: Setting) -> list[float]:
        return [_correct(order, setting, seed, Split.TEST) for seed in fresh]

    _, federation = _federation(order.study, order.home)
    own, alone = 100 * float(federation.correct(order.pair.student, Split.TEST).mean()), tested(ALONE)
    gains = {
        name: list(np.subtract(tested(setting), alone))
        for name, setting in [("the default", DEFAULT), *chosen.items()]
    }
    return Row(order.pair, chosen, gains, list(np.subtract(alone, own)))


def table(rows: list[Row]) -> dict[str, object]:
    """Means over pairs with their intervals, in pp, and how often a method's choice is on public data."""
    figures: dict[str, object] = {
        "cross-entropy only over as-is": dyadic_interval(
            {row.pair: float(np.mean(row.alone)) for row in rows}
        ).to_json()
    }
    for name in rows[0].gains:
        mean = dyadic_interval({row.pair: float(np.mean(row.gains[name])) for row in rows})
        public = sum(
            row.chosen[name].transfer_set is TransferSet.PUBLIC for row in rows if name in row.chosen
        )
        figures[name] = {**mean.to_json(), "chosen on public data": public}
    return figures


def main() -> None:
    """Run, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", default="digits")
    parser.add_argument("--pairs", nargs="+", default=["24"], help="so many drawn by chance, or these")
    parser.add_argument("--temperatures", nargs="+", type=float, default=(1.0, 2.0, 4.0, 8.0))
    parser.add_argument("--alphas", nargs="+", type=float, default=(0.25, 0.5, 0.75, 1.0))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--home", type=Path, help="by default made and thrown away")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        _, federation = _federation(options.study, home)
        pairs = asked_for(options.pairs, len(federation.participants))
        grids = tuple(options.temperatures), tuple(options.alphas)
        orders = [Order(options.study, home, pair, options.seeds, *grids) for pair in pairs]
        rows = []
        with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
            for done in pool.imap_unordered(row, orders):
                rows.append(done)
                chosen = done.chosen[ALL]
                print(f"{done.pair}: {chosen} {np.mean(done.gains[ALL]):+.1f} pp", flush=True)
    rows.sort(key=lambda row: (row.pair.teacher, row.pair.student))
    figures = table(rows)
    for name, numbers in figures.items():
        print(f"{name}: {numbers}")
    name = Path(options.study).stem
    content = {
        "federation": federation.name,
        "pairs": len(rows),
        "seeds": options.seeds,
        "over cross-entropy only, pp on test": figures,
        "chosen": {str(row.pair): str(row.chosen[ALL]) for row in rows},
    }
    (RESULTS / f"private_{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
