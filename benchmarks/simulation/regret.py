"""How much less candidates and local moves promise than the full product of a large space.

    python -m benchmarks.simulation.regret [--table digits]

For each pair of a table with budgets, a sampler learns thirty runs of every other pair and four of its own.
Its suggestion is compared with the best of the whole lattice, of some 20,000 settings, by expected
improvement; and so is the candidate with the highest posterior mean. The suggestion may be ahead: moves
also lead between the lattice's values.
"""

from __future__ import annotations

import argparse
import random
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from autokd.config.space import Space
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Setting
from autokd.search.acquisition import expected_improvement
from autokd.search.candidates import _lattice, candidate_settings
from autokd.search.gaussian_process import Posterior
from autokd.search.gp_sampler import GpSampler
from benchmarks.simulation.budgets import BudgetTable, load

_OTHERS: Final = 30
_OWN: Final = 4
_PART: Final = 1_000


def space_of(table: BudgetTable) -> Space:
    """Return a space of the table's dimensions with a lattice that can be enumerated."""
    rate, epochs = table.recipe.learning_rate, table.recipe.epochs
    return Space.model_validate(
        {
            "name": "regret",
            "temperature": {"low": 0.5, "high": 16, "log": True},
            "alpha": {"low": 0, "high": 1},
            "transfer_set": ["student", "teacher", "both", "public", "student_public"],
            "method": ["plain", "data_partitioning", "seen_classes", "balanced"],
            "learning_rate": [rate, 4 * rate],
            "schedule": ["constant", "cosine"],
            "epochs": [epochs, 2 * epochs, 4 * epochs],
            "label_prior": ["none", "adjusted"],
        }
    )


def shortfalls(table: BudgetTable, pair: int) -> tuple[float, float]:
    """Return the shortfalls of expected improvement and of the highest posterior mean, in pp."""
    space, dice = space_of(table), random.Random(pair)
    studies = [str(pair) for pair in table.pairs]
    sampler = GpSampler(
        space,
        tasks=dict(zip(studies, table.tasks, strict=True)),
        initial_accuracy=dict.fromkeys(studies, 0.0),
        startup_trials=10,
        recipe=table.recipe,
    )
    own: list[TrialRecord] = []
    for other, study in enumerate(studies):
        count = _OWN if other == pair else _OTHERS
        for number, place in enumerate(dice.sample(range(len(table.settings)), count)):
            setting = table.settings[place]
            trial = TrialRecord(
                number=number,
                setting=setting,
                seed=0,
                role=TrialOrigin.SEARCH,
                state=TrialState.COMPLETE,
                curve=((setting.epochs or table.recipe.epochs, table.end(other, place, 0) / 100),),
            )
            sampler.learn(study, trial)
            own += [trial] if other == pair else []
    study, best = studies[pair], max(0.0, *(100 * (trial.accuracy or 0.0) for trial in own))
    suggested = sampler.suggest(study, own)
    assert suggested is not None
    tried = {trial.setting for trial in own}
    product = [setting for setting in _lattice(space) if setting not in tried]
    promised, mean = _best(sampler, study, own, product, best)
    reached, _ = _best(sampler, study, own, [suggested], best)
    inside = [setting for setting in candidate_settings(space) if setting in space and setting not in tried]
    _, known = _best(sampler, study, own, inside, best)
    return promised - reached, mean - known


def _best(
    sampler: GpSampler, study: str, own: list[TrialRecord], settings: list[Setting], best: float
) -> tuple[float, float]:
    """Return the largest expected improvement and the highest mean of some settings."""
    bests = []
    for start in range(0, len(settings), _PART):
        posterior: Posterior = sampler._of_moves(study, own, settings[start : start + _PART])
        bests.append((expected_improvement(posterior, best).max(), posterior.mean.max()))
    promised, mean = np.array(bests).max(axis=0)
    return float(promised), float(mean)


def main() -> None:
    """Print the mean shortfalls."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", default="digits")
    table = load(parser.parse_args().table)
    threadpool_limits(1)
    space = space_of(table)
    print(f"{len(candidate_settings(space))} candidates, {len(_lattice(space))} settings in the product")
    shortfall = np.array([shortfalls(table, pair) for pair in range(len(table.pairs))])
    for words, column in zip(("expected improvement", "highest mean"), shortfall.T, strict=True):
        print(f"  {words}: {column.mean():.2f} pp less on average, {column.max():.2f} at most")


if __name__ == "__main__":
    main()
