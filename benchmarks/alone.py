"""Students that are trained without a teacher, as rivals of what a search finds.

On its own data, a student has all the freedom that a search has: learning rate, schedule and budget are
chosen on validation with one seed; what is told has fresh seeds. On both participants' data it has one
setting, the same for all pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from autokd.compute.device import Compute
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.records import Correctness
from autokd.core.setting import LabelPrior, Pair, Schedule, Setting, Split, TransferSet
from autokd.distillation import Run
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.statistics.paired import POINTS

RATES: Final = (1.0, 2.0, 4.0)
"""Multiples of the recipe's learning rate."""
BUDGETS: Final = (1, 2, 4)
"""Multiples of the recipe's epochs."""
SEEDS: Final = (1, 2, 3)
"""With which the choice runs again; it is chosen with seed 0."""


@dataclass(frozen=True, slots=True)
class Order:
    """One student to be trained on its own data, and how its loss treats the label prior."""

    study: Path
    home: Path
    student: int
    prior: LabelPrior

    def __str__(self) -> str:
        return f"{self.study.stem} {self.student} {self.prior}"


@dataclass(frozen=True, slots=True)
class SharedOrder:
    """A pair to be trained with the one setting that all pairs share.

    It is the best single setting of both recorded tables of large spaces (`benchmarks.simulation.budgets`, 12
    pairs each of the shipped seeds), chosen there on validation: the adjusted loss on both participants'
    examples, at the recipe's learning rate for four times its epochs.
    """

    study: Path
    home: Path
    pair: Pair

    def __str__(self) -> str:
        return f"{self.study.stem} {self.pair}"


def trained_alike(order: SharedOrder) -> float:
    """Return what the setting that all pairs share gains on test, in pp of the student's model as it is."""
    torch.set_num_threads(1)
    config, federation = _read(order.study, order.home)
    recipe = config.distillation
    setting = Setting(
        1.0,
        0.0,
        TransferSet.BOTH,
        learning_rate=recipe.learning_rate,
        epochs=BUDGETS[-1] * recipe.epochs,
        label_prior=LabelPrior.ADJUSTED,
        schedule=Schedule.CONSTANT,
    )
    curves = [_run(config, federation, order.pair, setting, [_epochs(setting)], seed=seed) for seed in SEEDS]
    return _gain(federation, order.pair.student, curves)


@cache
def _read(study: Path, home: Path) -> tuple[StudyConfig, Federation]:
    config = read_study_config(str(study))
    federation = find(home, config.federation)
    assert federation is not None, f"{study} is not prepared in {home}"
    return config, federation


def trained_alone(order: Order) -> dict[str, Any]:
    """Return the chosen setting and what it gains on test, in pp of the student's model as it is."""
    torch.set_num_threads(1)
    config, federation = _read(order.study, order.home)
    # A run needs a teacher's name; with alpha = 0 nobody asks it anything.
    pair = Pair((order.student + 1) % len(federation.participants), order.student)
    budgets = [times * config.distillation.epochs for times in BUDGETS]
    best: tuple[float, Setting] | None = None
    for rate, schedule in product(RATES, Schedule):
        # With a constant rate, the shorter runs are the beginnings of the longest.
        runs = [budgets] if schedule is Schedule.CONSTANT else [[epochs] for epochs in budgets]
        for rungs in runs:
            setting = _setting(order, rate, schedule, rungs[-1])
            curve = _run(config, federation, pair, setting, rungs, seed=0)
            for epochs, right in curve.items():
                accuracy = float(right[Split.VALIDATION].mean())
                if best is None or accuracy > best[0]:
                    best = accuracy, _setting(order, rate, schedule, epochs)
    assert best is not None
    chosen = best[1]
    curves = [_run(config, federation, pair, chosen, [_epochs(chosen)], seed=seed) for seed in SEEDS]
    return {"setting": str(chosen), "gain": _gain(federation, order.student, curves)}


def _setting(order: Order, rate: float, schedule: Schedule, epochs: int) -> Setting:
    config, _ = _read(order.study, order.home)
    return Setting(
        1.0,
        0.0,
        TransferSet.STUDENT,
        learning_rate=rate * config.distillation.learning_rate,
        epochs=epochs,
        label_prior=order.prior,
        schedule=schedule,
    )


def _epochs(setting: Setting) -> int:
    assert setting.epochs is not None
    return setting.epochs


Curve = Mapping[int, Mapping[Split, Correctness]]
"""Correctness by epochs and split."""


def _run(
    config: StudyConfig,
    federation: Federation,
    pair: Pair,
    setting: Setting,
    rungs: Sequence[int],
    *,
    seed: int,
) -> Curve:
    run = Run(
        federation,
        pair,
        setting,
        seed=seed,
        recipe=config.distillation,
        rungs=rungs,
        splits=(Split.VALIDATION, Split.TEST),
        compute=Compute(),
    )
    return {rung.epoch: {split: seen.correct for split, seen in rung.evaluations.items()} for rung in run}


def _gain(federation: Federation, student: int, curves: Sequence[Curve]) -> float:
    """Return the mean gain on test of runs with one rung each, in pp of the student's model as it is."""
    own = federation.correct(student, Split.TEST).mean()
    after = [float(right[Split.TEST].mean()) for curve in curves for right in curve.values()]
    return POINTS * float(np.mean(after) - own)
