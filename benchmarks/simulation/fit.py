"""Finds the surrogate's constants on a recorded table by marginal likelihood, and judges them on the others.

    python -m benchmarks.simulation.fit [--table digits] [--settings 8] [--seeds 0] [--out FILE]

The log marginal likelihood of the gains of some settings of every pair, drawn by chance, is maximised over
the variances, lengths and correlations of `KernelParameters` that a table can tell; what
concerns methods, learning rates, epochs and BatchNorm stays. Beside it stands the likelihood of other
settings of the same pairs with the table's other seed, and of the other tables: a constant that only fits
its own table gains nothing there. With `--seeds`, batches from cold are simulated with both, too.

Source: Rasmussen and Williams 2006, "Gaussian processes for machine learning", equation 2.30, section 5.4.1.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from autokd.core.setting import Pair
from autokd.search.gp_sampler import SCALE, GpSampler
from autokd.search.kernel import KernelParameters, Task, TaskIndex, encode, setting_correlation
from benchmarks.simulation.measure import at
from benchmarks.simulation.policies import LATE, Policy, learner
from benchmarks.simulation.scenarios import cold
from benchmarks.simulation.table import TABLES, Table, load

FITTED: Final = (
    "temperature_length",
    "alpha_length",
    "across_sets",
    "feature_length",
    "shared",
    "shared_alike",
    "shared_teacher",
    "shared_student",
    "own",
    "level",
    "level_alike",
    "level_teacher",
    "level_student",
    "level_own",
    "noise",
)
"""All are positive, so their logarithms are searched."""
SPAN: Final = 20.0
"""A constant is looked for up to so many times above or below the shipped one."""
_STEP: Final = 1e-4
"""Of the differences that stand for a gradient, in natural logarithms."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """Some runs of a table.

    Attributes:
        settings: As the surrogate encodes them, shape (runs, 8).
        gains: On validation, in units of the prior's scale, shape (runs,).
    """

    subjects: Sequence[Task]
    settings: NDArray[np.float64]
    gains: NDArray[np.float64]


def drawn(table: Table, *, each: int, seed: int, skip: int = 0) -> Runs:
    """Some settings of every pair, by chance.

    Args:
        each: How many settings of a pair.
        seed: Which of the table's seeds answers.
        skip: Settings of each pair to pass by first: those of another draw.
    """
    subjects, settings, gains = [], [], []
    for pair in table.pairs:
        order = random.Random(str(pair)).sample(range(len(table.settings)), len(table.settings))
        for column in order[skip : skip + each]:
            subjects.append(Task(table.name, pair, table.features[pair]))
            settings.append(table.settings[column])
            gains.append(table.gain[table.row[pair], column, seed, 0] / SCALE)
    return Runs(subjects=subjects, settings=encode(settings), gains=np.array(gains))


def covariance(
    prior: KernelParameters, tasks: Sequence[Task], settings: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the prior covariance of the gains of some runs without their noise, in the squared scale.

    Args:
        tasks: The pair of each run.
        settings: Settings by `encode`, shape (runs, 8).

    Returns:
        Shape (runs, runs).
    """
    index = TaskIndex(prior)
    numbers = np.array([index.number(task) for task in tasks])
    parts = zip(*(index.covariance(number) for number in range(numbers.max() + 1)), strict=True)
    shared, level = (np.array(part)[np.ix_(numbers, numbers)] for part in parts)
    result: NDArray[np.float64] = setting_correlation(prior, settings, settings) * shared + level
    return result


def log_likelihood(prior: KernelParameters, runs: Runs) -> float:
    """Of the gains, in nats; −∞ where rounding leaves no covariance."""
    matrix = covariance(prior, runs.subjects, runs.settings)
    matrix[np.diag_indices_from(matrix)] += prior.noise
    try:
        factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return -np.inf
    fit = runs.gains @ cho_solve(factor, runs.gains, check_finite=False)
    spread = 2 * np.log(np.diag(factor[0])).sum()
    return float(-0.5 * (fit + spread + len(runs.gains) * np.log(2 * np.pi)))


def fitted(runs: Runs, start: KernelParameters, *, rounds: int = 40) -> KernelParameters:
    """The prior under which these gains are the most likely, starting from another one."""
    ends = [(-np.log(SPAN), _most(start, name)) for name in FITTED]

    def loss(logs: NDArray[np.float64]) -> float:
        value = -log_likelihood(_moved(start, logs), runs) / len(runs.gains)
        return value if np.isfinite(value) else 1e6

    result = minimize(
        loss,
        np.zeros(len(FITTED)),
        method="L-BFGS-B",
        bounds=ends,
        options={"maxiter": rounds, "eps": _STEP, "ftol": 1e-7},
    )
    return _moved(start, result.x)


def _most(start: KernelParameters, name: str) -> float:
    """A correlation stays below 1."""
    return float(np.log(0.999 / start.across_sets) if name == "across_sets" else np.log(SPAN))


def _moved(start: KernelParameters, logs: NDArray[np.float64]) -> KernelParameters:
    values = {name: getattr(start, name) * np.exp(log) for name, log in zip(FITTED, logs, strict=True)}
    return replace(start, **{name: float(value) for name, value in values.items()})


def _with(prior: KernelParameters) -> Policy:
    """autokd's own way to search, with another prior."""

    def make(table: Table, names: Mapping[Pair, str], seed: int) -> GpSampler:
        return learner(table, names, seed, prior)

    return Policy("autokd", make, stopping=LATE, shares=True)


def main() -> None:
    """Fit, compare, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", default="digits", choices=TABLES)
    parser.add_argument("--settings", type=int, default=8, help="of each pair")
    parser.add_argument("--rounds", type=int, default=40, help="of L-BFGS-B at most")
    parser.add_argument("--seeds", type=int, default=0, help="batches to simulate with either prior")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    threadpool_limits(1)
    tables = {name: load(name) for name in TABLES}
    mine = tables[options.table]
    runs = drawn(mine, each=options.settings, seed=0)
    shipped = KernelParameters()
    parameters = fitted(runs, shipped, rounds=options.rounds)
    print(f"{options.table}: {len(runs.gains)} runs of {len(mine.pairs)} pairs")
    print(f"  {'':<24}{'shipped':>10}{'fitted':>10}")
    for name in FITTED:
        print(f"  {name:<24}{getattr(shipped, name):>10.3f}{getattr(parameters, name):>10.3f}")
    print("  log marginal likelihood, nats a run:")
    judges = {
        "these runs": runs,
        "other settings and seed": drawn(mine, each=options.settings, seed=1, skip=options.settings),
        **{
            name: drawn(table, each=options.settings, seed=0)
            for name, table in tables.items()
            if name != options.table
        },
    }
    likely = {
        judge: [log_likelihood(prior, some) / len(some.gains) for prior in (shipped, parameters)]
        for judge, some in judges.items()
    }
    for judge, (before, after) in likely.items():
        print(f"  {judge:<24}{before:>10.3f}{after:>10.3f}")
    for name, table in tables.items() if options.seeds else ():
        for words, prior in (("shipped", shipped), ("fitted", parameters)):
            seeds = [
                [cold(table, _with(prior), seed, trials) for trials in (3, 4, 8, 10)]
                for seed in range(options.seeds)
            ]
            cells = [[at(points, cost) for points in seeds] for cost in (0.05, 0.1)]
            print(
                f"  a batch of {name} at 5% and 10%, {words}: "
                + ", ".join(f"{np.mean(cell):.3f} ± {np.std(cell):.3f}" for cell in cells),
                flush=True,
            )
    if options.out:
        options.out.write_text(json.dumps({"fitted": asdict(parameters), "likelihood": likely}) + "\n")


if __name__ == "__main__":
    main()
