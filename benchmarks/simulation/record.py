"""Records a table of settings with budgets: a sample of the space, for twelve pairs of a federation.

    python -m benchmarks.simulation.record digits digits_plain [--home DIRECTORY] [--out DIRECTORY]

Half an hour each on one idle core. Each run is kept in `--home` as soon as it has ended, so that after Ctrl-C
the same command goes on. The sample is a Sobol sequence over all dimensions, with the settings that verdicts
compare: the default setting and training without a teacher at several rates and budgets. A run at a constant
learning rate goes to the largest budget, since each of its rungs is what a run of that budget gains. The
first seed answers everything, the second one a third. Pairs and sample were fixed before a run was seen.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from autokd.compute.device import Compute
from autokd.config.space import Range
from autokd.config.study import StudyConfig
from autokd.config.training import DistillationConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import Pair, Setting, Split, TransferSet, plain
from autokd.distillation import Run
from autokd.errors import Diverged
from autokd.federation.federation import Federation
from autokd.federation.preparation import prepare
from autokd.search.low_discrepancy import even_values
from autokd.search.pair_features import pair_features

TABLES: Final = Path(__file__).parent.parent / "tables"
PAIRS: Final = (*(Pair(number, (number + 3) % 10) for number in range(10)), Pair(4, 9), Pair(9, 4))
"""Everybody teaches and learns once; and the two pairs of the poster's example."""
RUNGS: Final = (3, 5, 10, 20, 40)
MISSING: Final = 2**16 - 1
"""Number of correct examples where a run has none, because it ended before that rung."""
_LARGEST: Final = 4
_SPACE: Final[Mapping[str, Range | tuple[Any, ...]]] = {
    "temperature": Range(low=0.5, high=16, log=True),
    "alpha": Range(low=0, high=1),
    "transfer_set": ("student", "teacher", "both", "public", "student_public"),
    "method": ("plain", "data_partitioning", "seen_classes", "balanced"),
    "label_prior": ("none", "adjusted"),
    "learning_rate": Range(low=0.25, high=8, log=True),
    "schedule": ("constant", "cosine"),
    "epochs": (1, 2, _LARGEST),
}
"""Learning rates and epochs in multiples of the recipe's."""
_DEFAULT: Final[dict[str, Any]] = {
    "temperature": 1.0,
    "alpha": 0.5,
    "transfer_set": "student",
    "method": "plain",
    "label_prior": "none",
    "learning_rate": 1.0,
    "schedule": "constant",
    "epochs": _LARGEST,
}


def sample(recipe: DistillationConfig) -> list[Setting]:
    """Return the settings that are run."""
    families: list[Mapping[str, Any]] = [_DEFAULT | {"learning_rate": rate} for rate in (1.0, 2.0, 4.0)]
    families += [_DEFAULT | {"schedule": "cosine", "epochs": epochs} for epochs in (1, 2, _LARGEST)]
    for transfer_set, label_prior in product(("student", "teacher", "both"), ("none", "adjusted")):
        untaught = {"alpha": 0.0, "transfer_set": transfer_set, "label_prior": label_prior}
        faster = {"learning_rate": 4.0, "schedule": "cosine", "epochs": 2}
        families += [_DEFAULT | untaught, _DEFAULT | untaught | faster]
    even = [
        {**values, "epochs": _LARGEST if values["schedule"] == "constant" else values["epochs"]}
        for values in even_values(_SPACE, 7)
    ]
    return [_setting(values, recipe) for values in (*families, *even)]


def families_in(settings: int) -> int:
    """Return how many settings of a sample are no points of the sequence."""
    return settings - 2**7


def _setting(values: Mapping[str, Any], recipe: DistillationConfig) -> Setting:
    on_public = values["transfer_set"] == TransferSet.PUBLIC
    return plain(
        Setting.from_json(
            {
                **values,
                **({"alpha": None, "label_prior": "none"} if on_public else {}),
                "learning_rate": values["learning_rate"] * recipe.learning_rate,
                "epochs": values["epochs"] * recipe.epochs,
            }
        )
    )


def _to_run(settings: int) -> Iterator[tuple[int, int, int]]:
    """Yield setting, pair and seed of each run; whatever is there when it is stopped covers all pairs."""
    for setting, pair in product(range(settings), range(len(PAIRS))):
        yield setting, pair, 0
    for setting, pair in product(range(settings), range(len(PAIRS))):
        if setting < families_in(settings) or setting % 3 == 0:
            yield setting, pair, 1


def _curve(
    federation: Federation, pair: Pair, setting: Setting, seed: int, recipe: DistillationConfig
) -> list[list[int]]:
    """Return epoch and correct examples on each split at each rung; a run that diverges has fewer rungs."""
    epochs = setting.epochs or recipe.epochs
    rungs = [*(rung for rung in RUNGS if rung < epochs), epochs]
    run = Run(
        federation,
        pair,
        setting,
        seed=seed,
        recipe=recipe,
        rungs=rungs,
        splits=list(Split),
        compute=Compute(),
    )
    curve = []
    try:
        for rung in run:
            counts = (int(rung.evaluations[split].correct.sum()) for split in Split)
            curve.append([rung.epoch, *counts])
    except Diverged:
        pass
    return curve


def record(regime: str, home: Path, out: Path) -> Path:
    """Run what is missing of a table, and write it."""
    own = TABLES / f"{regime}.yaml"
    config = read_study_config(str(own) if own.exists() else regime)
    federation = prepare(config.federation, home=home, compute=Compute())
    settings = sample(config.distillation)
    kept = home / f"{regime}_budgets.jsonl"
    curves = dict(_read(kept))
    missing = [key for key in _to_run(len(settings)) if key not in curves]
    with kept.open("a") as file:
        for number, key in enumerate(missing):
            setting, pair, seed = key
            curves[key] = _curve(federation, PAIRS[pair], settings[setting], seed, config.distillation)
            file.write(json.dumps([key, curves[key]]) + "\n")
            file.flush()
            if number % 50 == 0:
                print(f"{regime}: {len(curves)} runs, {len(missing) - number - 1} to go", flush=True)
    path = out / f"{regime}_budgets.npz"
    _write(path, regime, config, federation, settings, curves)
    return path


def _read(kept: Path) -> Iterator[tuple[tuple[int, int, int], list[list[int]]]]:
    for line in kept.read_text().splitlines() if kept.exists() else ():
        try:
            (setting, pair, seed), curve = json.loads(line)
        except ValueError:  # The last line of a command that was killed; its run is done again.
            continue
        yield (setting, pair, seed), curve


def _write(
    path: Path,
    regime: str,
    config: StudyConfig,
    federation: Federation,
    settings: list[Setting],
    curves: Mapping[tuple[int, int, int], list[list[int]]],
) -> None:
    correct = np.full((len(PAIRS), len(settings), 2, len(RUNGS), len(Split)), MISSING, dtype=np.uint16)
    for (setting, pair, seed), curve in curves.items():
        for epoch, *counts in curve:
            correct[pair, setting, seed, RUNGS.index(epoch)] = counts
    participants = [
        {
            "private": len(participant.private),
            "correct": {split: int(federation.correct(participant.number, split).sum()) for split in Split},
        }
        for participant in federation.participants
    ]
    about = {
        "federation": federation.name,
        "regime": regime,
        "pairs": [str(pair) for pair in PAIRS],
        "features": {str(pair): asdict(pair_features(federation, pair)) for pair in PAIRS},
        "settings": [setting.to_json() for setting in settings],
        "rungs": RUNGS,
        "splits": list(Split),
        "examples": {split: len(federation.splits[split]) for split in Split},
        "public": len(federation.public),
        "participants": participants,
        "recipe": config.distillation.model_dump(mode="json"),
    }
    np.savez_compressed(path, correct=correct, about=np.array(json.dumps(about, sort_keys=True)))


def main() -> None:
    """Record what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "regimes", nargs="+", metavar="REGIME", help="digits, or a recipe of benchmarks/tables"
    )
    parser.add_argument("--home", type=Path, default=Path("autokd-home"), help="keep what was run here")
    parser.add_argument("--out", type=Path, default=TABLES, help="folder of the tables")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.home.mkdir(parents=True, exist_ok=True)
    for regime in options.regimes:
        print(record(regime, options.home, options.out))


if __name__ == "__main__":
    main()
