"""What autokd's search does by choice, and what else it could do: the order of a batch, and early stopping.

    python -m benchmarks.simulation.choices [order] [stopping] [--tables digits ...] [--seeds 8]
        [--trials 3 4 8 ...] [--out FILE]

Every row is a batch of all pairs from an empty store, as in `python -m benchmarks.simulation`. Rows of one
table differ in the named choice alone, and each seed is the same chance for all of them: so beside a row's
mean stands its mean difference to what autokd does, with the standard error over the seeds.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.search import StoppingConfig
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, Pair
from autokd.execution.search_queue import SearchQueue
from autokd.search.kernel import KernelParameters, Task, encode
from benchmarks.simulation.fit import covariance
from benchmarks.simulation.measure import COSTS, Points, at
from benchmarks.simulation.policies import LATE, NONE, Policy, learner
from benchmarks.simulation.processes import pool
from benchmarks.simulation.scenarios import cold
from benchmarks.simulation.table import TABLES, Table, load

TRIALS: Final = (3, 4, 8, 11, 16, 24, 34)
"""Of a pair, at which a batch is looked at; the last cost a fifth of the sweep, however they are stopped."""
_RUN: Final = 0.05
"""What is left unknown of a pair that was searched, in units of the surrogate's variances; for the order."""


class Abreast(SearchQueue):
    """Serves the pair that has the fewest trials: all get their second one before any gets its third."""

    def assign(self, key: str) -> RunSpec | None:
        self._open.sort(key=lambda meeting: sum(len(study.trials) for study in meeting))
        return super().assign(key)


Order = Callable[[Table, int], list[Pair]]
"""In which pairs are served, of a table and a seed."""


def by_chance(table: Table, seed: int) -> list[Pair]:
    """Any order."""
    return random.Random(seed).sample(table.pairs, len(table.pairs))


def as_numbered(table: Table, seed: int) -> list[Pair]:
    """0->1, 1->0, 0->2, ...: as `autokd tune --all` serves them."""
    return sorted(table.pairs, key=lambda pair: (sorted(pair.meeting), pair))


def in_rounds(table: Table, seed: int) -> list[Pair]:
    """Each participant teaches once and learns once before anybody does so twice, and so on.

    The pairs t -> t + shift, one shift after the other; shifts, and participants in each, by chance.
    """
    dice, count = random.Random(seed), len(table.own)
    return [
        Pair(teacher, (teacher + shift) % count)
        for shift in dice.sample(range(1, count), count - 1)
        for teacher in dice.sample(range(count), count)
    ]


def most_uncertain(table: Table, seed: int) -> list[Pair]:
    """Next is always the pair of which the ones before it tell the least, as the surrogate sees it."""
    return _chosen(table, seed, lambda left, variance: np.diag(variance)[left])


def most_telling(table: Table, seed: int) -> list[Pair]:
    """Next is always the pair that leaves the least unknown of all others."""
    return _chosen(
        table,
        seed,
        lambda left, variance: (variance[left] ** 2).sum(axis=1) / (np.diag(variance)[left] + _RUN),
    )


def _chosen(
    table: Table, seed: int, worth: Callable[[list[int], NDArray[np.float64]], NDArray[np.float64]]
) -> list[Pair]:
    """Greedily by what is worth most, given what is unknown of each pair; the first one by chance."""
    pairs = by_chance(table, seed)
    subjects = [Task(table.name, pair, table.features[pair]) for pair in pairs]
    variance = covariance(KernelParameters(), subjects, encode([DEFAULT] * len(pairs)))
    left = list(range(len(pairs)))
    order: list[Pair] = []
    while left:
        place = left[int(worth(left, variance).argmax())] if order else left[0]
        known = variance[:, place]
        variance = variance - np.outer(known, known) / (known[place] + _RUN)
        left.remove(place)
        order.append(pairs[place])
    return order


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A way that the search could be; what is not said is as in autokd."""

    name: str
    order: Order = by_chance
    serves: type[SearchQueue] = SearchQueue
    stopping: StoppingConfig = LATE


def _stopping(name: str, rungs: Sequence[int] = (3, 6), *, reduction: int = 2, grace: int = 6) -> Choice:
    return Choice(name=name, stopping=StoppingConfig(rungs=tuple(rungs), reduction=reduction, grace=grace))


CHOICES: Final[Mapping[str, Sequence[Choice]]] = {
    "order": (
        Choice(name="by chance"),
        Choice(name="as numbered", order=as_numbered),
        Choice(name="in rounds", order=in_rounds),
        Choice(name="most uncertain next", order=most_uncertain),
        Choice(name="most telling next", order=most_telling),
        Choice(name="all abreast", serves=Abreast),
    ),
    "stopping": (
        _stopping("epochs 3, 6, half, grace 6"),
        Choice(name="none", stopping=NONE),
        _stopping("3, 6, half, no grace", grace=0),
        _stopping("3, 6, half, grace 3", grace=3),
        _stopping("3, 6, half, grace 10", grace=10),
        _stopping("3, 6, a third, grace 6", reduction=3),
        _stopping("1, 3, half, grace 6", (1, 3)),
        _stopping("1, 3, half, no grace", (1, 3), grace=0),
        _stopping("6, half, grace 6", (6,)),
    ),
}
"""The first of each is what autokd does, and what the others are compared with."""


def measured(table: Table, choice: Choice, seed: int, trials: Sequence[int] = TRIALS) -> Points:
    """Cost and share of a batch by trials of a pair."""
    policy = Policy(choice.name, learner, stopping=choice.stopping, shares=True)
    order = choice.order(table, seed)
    return [cold(table, policy, seed, most, order=order, serves=choice.serves) for most in trials]


def _measured(name: str, kind: str, number: int, trials: Sequence[int], seed: int) -> tuple[Points, float]:
    began = process_time()
    return measured(load(name), CHOICES[kind][number], seed, trials), process_time() - began


def reached(points: Points, cost: float) -> float:
    """The share at a cost, NaN where nothing that was measured has cost as much."""
    return at(points, cost) if max(points)[0] >= cost else float("nan")


def main() -> None:
    """Measure, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(CHOICES))
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--trials", nargs="+", type=int, default=TRIALS)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--out", type=Path, help="keep every number in this file, beside those that it has")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(CHOICES):
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(CHOICES)}")
    with pool(options.processes) as workers:
        for kind in options.kinds or CHOICES:
            for table in options.tables:
                print(f"\n{table}, {kind}: {options.seeds} seeds", flush=True)
                usual = np.empty(0)
                for number, choice in enumerate(CHOICES[kind]):
                    seeds = range(options.seeds)
                    same = [[value] * len(seeds) for value in (table, kind, number, options.trials)]
                    points_by_seed, seconds = zip(*workers.map(_measured, *same, seeds), strict=True)
                    shares = np.array(
                        [[reached(points, cost) for cost in COSTS] for points in points_by_seed]
                    )
                    usual = usual if number else shares
                    print(f"  {choice.name:<28}{row(shares, usual)}{sum(seconds):8.1f} s", flush=True)
                    if options.out:
                        _keep(options.out, kind, table, choice.name, points_by_seed)


def row(shares: NDArray[np.float64], usual: NDArray[np.float64]) -> str:
    """Means, and mean differences to the usual ones of the same seeds with their standard errors.

    Args:
        shares: Shape (seeds, costs).
        usual: The usual shares, of the same shape.
    """
    apart = shares - usual
    error = apart.std(axis=0, ddof=1) / np.sqrt(len(apart)) if len(apart) > 1 else np.full(len(COSTS), np.nan)
    return "".join(
        f"{mean:>8.3f} ({difference:+.3f} ± {wide:.3f})"
        for mean, difference, wide in zip(shares.mean(axis=0), apart.mean(axis=0), error, strict=True)
    )


def _keep(file: Path, kind: str, table: str, name: str, points_by_seed: Sequence[Points]) -> None:
    kept = json.loads(file.read_text()) if file.exists() else {}
    kept.setdefault(kind, {}).setdefault(table, {})[name] = [
        [(round(cost, 5), round(share, 4)) for cost, share in points] for points in points_by_seed
    ]
    file.write_text(json.dumps(kept, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
