"""autokd against every other way to find a setting, on the recorded tables, at the same cost.

    make peers      # once: other libraries in an environment of their own
    python -m benchmarks.simulation.compare --peers .venv-peers/bin/python [--tables digits ...]
        [--contestants autokd ...] [--scenarios newcomer batch meetings] [--most 20] [--out FILE] [--missing]

`newcomer`: ten pairs a seed, each after the 56 pairs without either of its participants. `batch`: all 90
pairs from nothing. `meetings`: the same with free position; who knows no meetings searches both pairs.
Answers are chosen on validation, "nothing" among them, and told on test by one measure for all; a run that is
asked for twice costs once. Without `--peers` only what is installed here is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from time import process_time
from typing import Any, Final, NamedTuple

import numpy as np

from autokd.core.setting import Pair
from benchmarks.peers.problem import Answers, Order, read_answers, write_orders
from benchmarks.peers.replay import answer
from benchmarks.simulation.contest import (
    BUDGETS,
    CONFIRMED,
    CONTESTANTS,
    Contestant,
    Finalist,
    Searched,
    batch_orders,
    finalists,
    meeting_points,
    newcomer_orders,
    points,
    problem,
    searched,
)
from benchmarks.simulation.measure import COSTS, Points, cells, elsewhere, single, single_meetings, yardstick
from benchmarks.simulation.policies import POLICIES
from benchmarks.simulation.processes import pool
from benchmarks.simulation.scenarios import POINTS, cold, cold_meetings, meetings, newcomers
from benchmarks.simulation.table import Table, load

TABLES: Final = ("digits_plain", "digits_classes", "digits")
SCENARIOS: Final = ("newcomer", "batch", "meetings")


class Measured(NamedTuple):
    """What a contestant came to, by seed.

    Attributes:
        seconds: Of CPU time.
        finalists: Of newcomers, by budget in runs, and pair.
    """

    points: list[Points]
    seconds: float
    versions: dict[str, str]
    finalists: Sequence[Mapping[int, Mapping[Pair, Finalist]]] = ()


class Task(NamedTuple):
    """Some seeds of one contestant, for one process."""

    table: str
    scenario: str
    contestant: Contestant
    seeds: Sequence[int]
    python: str | None


def _measure(task: Task) -> Measured:
    table, contestant = load(task.table), task.contestant
    if contestant.policy is None and contestant.peer is None:
        # The setting's run and the default's, which tell it from nothing.
        cost = 2 / len(table.settings)
        shares = [[(cost, _single(table, task.scenario, seed))] for seed in task.seeds]
        return Measured(shares, 0.0, {}, [_best_elsewhere(table, seed) for seed in task.seeds])
    if contestant.policy is None:
        return _asked(task, table)
    policy, began = POLICIES[contestant.policy], process_time()
    if task.scenario != "newcomer":
        search = cold if task.scenario == "batch" else cold_meetings
        points_by_seed = [[search(table, policy, seed, trials) for trials in POINTS] for seed in task.seeds]
        return Measured(points_by_seed, process_time() - began, {"optuna": version("optuna")})
    # Twice the trials: those that are stopped early leave some of the budget.
    most = max(BUDGETS) * (2 if policy.stopping.rungs else 1)
    ran = {seed: newcomers(table, policy, seed, most) for seed in task.seeds}
    return Measured(
        [points(table, seed, mine) for seed, mine in ran.items()],
        process_time() - began,
        {"optuna": version("optuna")},
        [_finalists(table, seed, mine) for seed, mine in ran.items()],
    )


def _finalists(table: Table, seed: int, ran: Searched) -> dict[int, dict[Pair, Finalist]]:
    return {runs: finalists(table, seed, ran, runs) for runs in CONFIRMED}


def _best_elsewhere(table: Table, seed: int) -> dict[int, dict[Pair, Finalist]]:
    best = {
        pair: Finalist(2 * table.epochs, table.column[elsewhere(table, seed % table.seeds, pair)[0]])
        for meeting, _ in meetings(table, seed)
        for pair in meeting
    }
    return dict.fromkeys(CONFIRMED, best)


def _single(table: Table, scenario: str, seed: int) -> float:
    if scenario == "meetings":
        return single_meetings(table, seed)
    pairs = [pair for meeting, _ in meetings(table, seed) for pair in meeting]
    return single(table, seed, pairs if scenario == "newcomer" else None)


def _asked(task: Task, table: Table) -> Measured:
    """Of a peer: its orders are carried out here or in its own environment, and measured here."""
    contestant = task.contestant
    orders = [
        order
        for seed in task.seeds
        for order in (
            newcomer_orders(table, seed, knows=contestant.knows, runs=contestant.runs)
            if task.scenario == "newcomer"
            else batch_orders(table, seed, chained=contestant.learns)
        )
    ]
    answers = _carried_out(task, table, orders)
    points_by_seed: list[Points] = []
    chosen: list[dict[int, dict[Pair, Finalist]]] = []
    measure = meeting_points if task.scenario == "meetings" else points
    budgets = BUDGETS[: contestant.runs]
    for seed in task.seeds:
        mine = [
            (order, searched(table, order, steps))
            for order, steps in zip(orders, answers.steps, strict=True)
            if order.seed == seed
        ]
        if task.scenario != "newcomer" and contestant.learns:
            points_by_seed.append(
                [point for order, ran in mine for point in measure(table, seed, ran, _ends(table, order))]
            )
        else:
            ran = {pair: ran for _, some in mine for pair, ran in some.items()}
            points_by_seed.append(measure(table, seed, ran, budgets))
            if task.scenario == "newcomer":
                chosen.append(_finalists(table, seed, ran))
    return Measured(points_by_seed, answers.seconds, dict(answers.versions), chosen)


def _ends(table: Table, order: Order) -> tuple[int, int]:
    """Of a chain only its end and the run before: further back its later pairs knew more than they cost."""
    runs = order.budget // table.epochs
    return runs - 1, runs


def _carried_out(task: Task, table: Table, orders: Sequence[Order]) -> Answers:
    if not task.contestant.elsewhere:
        from benchmarks.simulation.stock import stock

        steps, seconds = answer(problem(table), orders, stock)
        return Answers(
            steps=steps, seconds=seconds, versions={"ray": version("ray"), "optuna": version("optuna")}
        )
    assert task.python is not None
    assert task.contestant.peer is not None
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("problem.npz", "orders.json", "answers.json")]
        problem(table).save(files[0])
        write_orders(files[1], orders)
        command = [task.python, "-m", "benchmarks.peers", task.contestant.peer, *map(str, files)]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        return read_answers(files[2])


def main() -> None:
    """Measure, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [contestant.name for contestant in CONTESTANTS]
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--scenarios", nargs="+", default=SCENARIOS, choices=SCENARIOS)
    parser.add_argument("--contestants", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument(
        "--most", type=int, default=20, help="seeds; slow contestants have fewer of their own"
    )
    parser.add_argument("--peers", help="the Python that has the other libraries")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="keep every number in this file, beside those that it has")
    parser.add_argument("--missing", action="store_true", help="only what that file lacks")
    options = parser.parse_args()
    with pool(options.processes) as workers:
        for table in options.tables:
            ends = [yardstick(load(table), seed) for seed in range(load(table).seeds)]
            anyway = np.mean([[*end.anyway.values()] for end in ends])
            swept = np.mean([[*end.swept.values()] for end in ends])
            print(f"\n{table}: the better of default and nothing {anyway:+.2f} pp, the sweep {swept:+.2f} pp")
            for scenario in options.scenarios:
                print(f"  {scenario:<30}" + "".join(f"{cost:>16.0%}" for cost in COSTS))
                for contestant in CONTESTANTS:
                    seeds = min(contestant.seeds[SCENARIOS.index(scenario)], options.most)
                    if (
                        contestant.name not in options.contestants
                        or not seeds
                        or (contestant.elsewhere and not options.peers)
                        or (options.missing and _has(options.out, table, scenario, contestant.name, seeds))
                    ):
                        continue
                    share = [range(first, seeds, options.processes) for first in range(options.processes)]
                    tasks = [Task(table, scenario, contestant, mine, options.peers) for mine in share if mine]
                    parts = list(workers.map(_measure, tasks))
                    measured = Measured(
                        _in_order([part.points for part in parts]),
                        sum(part.seconds for part in parts),
                        parts[0].versions,
                        _in_order([part.finalists for part in parts]),
                    )
                    shares = cells(measured.points)
                    print(
                        f"    {contestant.name:<28}{shares}  {seeds:3} seeds {measured.seconds:8.1f} s",
                        flush=True,
                    )
                    if options.out:
                        _keep(options.out, table, scenario, contestant.name, measured)


def _has(file: Path | None, table: str, scenario: str, name: str, seeds: int) -> bool:
    if file is None or not file.exists():
        return False
    entry = json.loads(file.read_text()).get(table, {}).get(scenario, {}).get(name, {})
    needed = ("cost_and_share_by_seed", *(["finalists_by_seed"] if scenario == "newcomer" else []))
    return all(len(entry.get(each, ())) >= seeds for each in needed)


def _in_order(parts: Sequence[Sequence[Any]]) -> list[Any]:
    """Back in the order of the seeds, which were dealt to the processes one by one."""
    return [entry for turn in zip_longest(*parts) for entry in turn if entry is not None]


def _keep(file: Path, table: str, scenario: str, name: str, measured: Measured) -> None:
    """Keep what was found.

    Where the file has the same of these seeds, it keeps those that it has beyond them; what was confirmed
    stays only as long as the same was found.
    """
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    entry = kept.setdefault(table, {}).setdefault(scenario, {}).setdefault(name, {})
    points = [[[round(cost, 5), round(share, 4)] for cost, share in curve] for curve in measured.points]
    if entry.get("cost_and_share_by_seed", [])[: len(points)] != points:
        entry.update(
            versions=measured.versions, cpu_seconds=round(measured.seconds, 1), cost_and_share_by_seed=points
        )
    chosen = [
        {str(runs): {str(pair): [*each] for pair, each in mine.items()} for runs, mine in of_seed.items()}
        for of_seed in measured.finalists
    ]
    before = entry.get("finalists_by_seed", [])
    if before[: len(chosen)] != chosen:
        entry["finalists_by_seed"] = chosen
        if any(former != now for former, now in zip(before, chosen, strict=False)):
            entry.pop("verdicts", None)
    file.write_text(json.dumps(kept, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
