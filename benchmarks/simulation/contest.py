"""The same pairs, budgets and answers for every way to search, autokd's own and those of other libraries."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, NamedTuple

import numpy as np

from autokd.core.setting import DEFAULT, Pair, Setting
from benchmarks.peers.problem import Order, Problem, Step
from benchmarks.peers.problem import Setting as PlainSetting
from benchmarks.simulation.measure import (
    Points,
    answer,
    half,
    meeting_answer,
    meeting_yardstick,
    yardstick,
)
from benchmarks.simulation.policies import POLICIES
from benchmarks.simulation.replay import Ran
from benchmarks.simulation.scenarios import meetings, tuned
from benchmarks.simulation.table import SPLITS, Table

BUDGETS: Final = tuple(range(1, 17))
"""Runs to the end, of one pair, at which a search is looked at; the last lies above a fifth of the sweep."""
CONFIRMED: Final = (4, 8)
"""Runs a pair after which what was found is confirmed: 5.3 and 10.5% of the sweep."""
CHAINS: Final = (4, 8, 16)
"""Runs a pair in batches of which the later pairs know what the earlier ones ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A way to find a setting; without policy and peer it is the best single setting of other pairs.

    Attributes:
        policy: Of autokd's simulator.
        peer: By its name, of another library.
        elsewhere: The peer needs the peers' environment.
        seeds: At most so many, of newcomers, of batches and of meetings; 0 where it is not measured.
        knows: Of other pairs, as a newcomer: `nothing`, the runs of autokd's `trials`, or whole `sweeps`.
        learns: In a batch it is told what earlier pairs ran.
        runs: The largest budget of a pair, in runs to the end, that it is measured at as a newcomer.
    """

    name: str
    policy: str | None = None
    peer: str | None = None
    elsewhere: bool = True
    seeds: tuple[int, int, int] = (20, 0, 0)
    knows: str = "nothing"
    learns: bool = False
    runs: int = BUDGETS[-1]


def _own(policy: str, seeds: tuple[int, int, int]) -> Contestant:
    return Contestant(name=policy, policy=policy, elsewhere=False, seeds=seeds)


def _there(name: str, peer: str, seeds: tuple[int, int, int], **more: Any) -> Contestant:
    return Contestant(name=name, peer=peer, seeds=seeds, **more)


CONTESTANTS: Final = (
    _own("autokd", (20, 20, 4)),
    _own("autokd, never stopped", (20, 0, 0)),
    Contestant(name="best single setting", elsewhere=False, seeds=(20, 20, 4)),
    _own("random", (20, 20, 4)),
    _own("random + ASHA", (20, 0, 0)),
    _own("TPE", (20, 4, 4)),
    _own("TPE + ASHA", (20, 0, 0)),
    _own("Optuna GP", (20, 0, 0)),
    Contestant(name="Ray OptunaSearch + ASHA", peer="ray", elsewhere=False, seeds=(20, 4, 4)),
    _there("Syne Tune ASHA", "Syne Tune ASHA", (20, 20, 4)),
    _there("Syne Tune box, trials", "Syne Tune BoundingBox", (20, 20, 4), knows="trials", learns=True),
    _there("Syne Tune box, sweeps", "Syne Tune BoundingBox", (20, 0, 0), knows="sweeps"),
    _there("Syne Tune zero-shot, sweeps", "Syne Tune ZeroShot", (20, 0, 0), knows="sweeps"),
    _there(
        "Syne Tune zero-shot, trials",
        "Syne Tune ZeroShot, surrogates",
        (20, 20, 4),
        knows="trials",
        learns=True,
    ),
    _there("Syne Tune quantile, trials", "Syne Tune QuantileBased", (20, 0, 0), knows="trials"),
    _there("Syne Tune quantile, sweeps", "Syne Tune QuantileBased", (20, 0, 0), knows="sweeps"),
    _there("SMAC3 HPO", "SMAC3 HPO", (10, 0, 0)),
    _there("SMAC3 multi-fidelity", "SMAC3 multi-fidelity", (10, 0, 0)),
    _there("Syne Tune CQR", "Syne Tune CQR", (10, 0, 0)),
    _there("NePS PriorBand", "NePS PriorBand", (4, 0, 0)),
    _there("NePS PriorBand, trials", "NePS PriorBand", (4, 0, 0), knows="trials"),
    _there("NePS piBO", "NePS piBO", (1, 0, 0), runs=8),
    _there("Ax BOTL, trials", "Ax BOTL", (1, 0, 0), knows="trials", runs=8),
)
"""The cheap ones first; what takes minutes for a seed has few of them."""

Searched = Mapping[Pair, Sequence[Ran]]
"""The trials of each pair, in the order in which they ended."""


class Finalist(NamedTuple):
    """What a search of a pair would have confirmed.

    Attributes:
        epochs: That the search took until then.
        column: Of the best complete run on validation but the default's; None if there is none.
    """

    epochs: int
    column: int | None


def problem(table: Table) -> Problem:
    """A table as other libraries get to see it: on validation only."""
    return Problem(
        settings=tuple(
            PlainSetting(setting.temperature, setting.alpha, str(setting.transfer_set))
            for setting in table.settings
        ),
        default=table.default,
        rungs=table.rungs,
        accuracy=table.accuracy[..., SPLITS.index(SPLITS[0])],
    )


def newcomer_orders(table: Table, seed: int, *, knows: str, runs: int = BUDGETS[-1]) -> list[Order]:
    """The same ten pairs for a peer.

    Args:
        knows: Of the pairs without either participant: `nothing`, the runs of autokd's `trials`, or `sweeps`.
        runs: The budget of a pair, in runs to the end.
    """
    return [
        Order(
            seed=seed,
            answers=seed % table.seeds,
            pairs=tuple(table.row[pair] for pair in meeting),
            budget=runs * table.epochs,
            known=_known(table, seed, others, knows),
        )
        for meeting, others in meetings(table, seed)
    ]


def batch_orders(table: Table, seed: int, *, chained: bool) -> list[Order]:
    """All pairs in an order of the seed's, each alone, or in a chain for each of `CHAINS`."""
    shuffled = random.Random(seed).sample(table.pairs, len(table.pairs))
    return [
        Order(
            seed=seed,
            answers=seed % table.seeds,
            pairs=tuple(table.row[pair] for pair in shuffled),
            budget=runs * table.epochs,
            known={},
            hands_on=chained,
        )
        for runs in (CHAINS if chained else (max(BUDGETS),))
    ]


def searched(table: Table, order: Order, steps: Sequence[Sequence[Step]]) -> Searched:
    """What a peer ran for an order, in this side's words."""
    return {
        table.pairs[row]: [
            Ran(table.pairs[row], table.settings[step.column], step.epochs, step.whole) for step in mine
        ]
        for row, mine in zip(order.pairs, steps, strict=True)
    }


def points(table: Table, seed: int, ran: Searched, budgets: Sequence[int] = BUDGETS) -> Points:
    """Cost and share of pairs that each stop once another trial would exceed a budget of so many runs.

    Both are means over the pairs; answers are chosen on validation among what ran to the end, or "nothing",
    and told on test.
    """
    ends = yardstick(table, seed % table.seeds)

    def share(tried: Mapping[Pair, Sequence[Setting]]) -> float:
        return ends.share(
            {pair: answer(table, seed % table.seeds, pair, mine) for pair, mine in tried.items()}
        )

    return _points(table, ran, budgets, share)


def meeting_points(table: Table, seed: int, ran: Searched, budgets: Sequence[int] = BUDGETS) -> Points:
    """Measure with free position: both pairs of a meeting were searched, and its best model counts."""
    ends = meeting_yardstick(table, seed % table.seeds)

    def share(tried: Mapping[Pair, Sequence[Setting]]) -> float:
        return ends.share(
            {
                pair: meeting_answer(table, seed % table.seeds, pair, tried[pair], tried[pair.reverse])
                for pair in half(table)
            }
        )

    return _points(table, ran, budgets, share)


def finalists(table: Table, seed: int, ran: Searched, runs: int) -> dict[Pair, Finalist]:
    """What each pair would have confirmed had it stopped once another trial would exceed so many runs."""
    chosen = {}
    for pair, mine in ran.items():
        spent, whole = _until(table, mine, runs)
        gains = table.gain[table.row[pair], :, seed % table.seeds, 0]
        columns = [table.column[setting] for setting in whole if setting != DEFAULT]
        chosen[pair] = Finalist(spent, max(columns, key=lambda column: gains[column], default=None))
    return chosen


def _points(
    table: Table,
    ran: Searched,
    budgets: Sequence[int],
    share: Callable[[Mapping[Pair, Sequence[Setting]]], float],
) -> Points:
    stopped = (_within(table, ran, runs) for runs in budgets)
    return [(cost, share(tried)) for cost, tried in stopped]


def _within(table: Table, ran: Searched, runs: int) -> tuple[float, dict[Pair, list[Setting]]]:
    """Mean cost of pairs that each stop in time, and what each ran to the end."""
    ended = {pair: _until(table, mine, runs) for pair, mine in ran.items()}
    spent = float(np.mean([epochs for epochs, _ in ended.values()]))
    return spent / (len(table.settings) * table.epochs), {pair: whole for pair, (_, whole) in ended.items()}


def _until(table: Table, mine: Sequence[Ran], runs: int) -> tuple[int, list[Setting]]:
    """Epochs until another trial would exceed so many runs, and what had run to the end by then."""
    sums = list(accumulate(trial.epochs for trial in mine))
    kept = sum(total <= runs * table.epochs for total in sums)
    return (sums[kept - 1] if kept else 0), [trial.setting for trial in mine[:kept] if trial.whole]


def _known(table: Table, seed: int, others: Sequence[Pair], knows: str) -> dict[int, tuple[int, ...]]:
    if knows == "sweeps":
        return {table.row[pair]: tuple(range(len(table.settings))) for pair in others}
    if knows == "nothing":
        return {}
    known: dict[int, tuple[int, ...]] = {}
    for trial in tuned(table, POLICIES["autokd"], seed, others):
        if trial.whole:
            row = table.row[trial.pair]
            known[row] = (*known.get(row, ()), table.column[trial.setting])
    return known
