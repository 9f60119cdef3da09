"""Searches replayed on tables with budgets: the kernel, the price of a run, and runs that are stopped.

    python -m benchmarks.simulation.budgets [digits digits_plain] [--seeds 6] [--out FILE]

The tables are those of `benchmarks.simulation.record`. A search chooses among the recorded settings, pair
after pair from an empty store, with twelve trials each, the default setting first. It answers with the
setting of the highest posterior mean that ran to its end, or with the model as it is. What counts is the
mean gain on test in pp at a cost: training examples, as a share of those of a sweep of `poster_sweep` with
the largest budget.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from autokd.config.training import DistillationConfig
from autokd.core.price import Prices
from autokd.core.setting import DEFAULT, Pair, Schedule, Setting
from autokd.search.acquisition import expected_improvement
from autokd.search.gaussian_process import Surrogate
from autokd.search.gp_sampler import SCALE
from autokd.search.kernel import LARGE, KernelParameters, Task, encode
from autokd.search.pair_features import PairFeatures
from benchmarks.simulation.record import MISSING, TABLES

COSTS: Final = (0.02, 0.04, 0.06, 0.1)
TRIALS: Final = 12
_GRACE: Final = 6
_STOPS: Final = (10, 20)
_DIVERGED: Final = -50.0
_LARGEST: Final = 40


@dataclass(frozen=True, kw_only=True, eq=False)
class BudgetTable:
    """A recorded table.

    Attributes:
        settings: Settings with budgets, the default setting among them, shape (settings,).
        runs: Number of the run that shows each of them, and its place among the rungs.
        gain: On validation, confirmation and test, in pp, shape (pairs, runs, seeds, rungs, 3).
    """

    name: str
    recipe: DistillationConfig
    pairs: tuple[Pair, ...]
    tasks: tuple[Task, ...]
    prices: tuple[Prices, ...]
    rungs: tuple[int, ...]
    settings: tuple[Setting, ...]
    runs: tuple[tuple[int, int], ...]
    gain: NDArray[np.float64]

    @cached_property
    def encoded(self) -> NDArray[np.float64]:
        """The settings as the surrogate sees them."""
        return encode(self.settings, self.recipe)

    def end(self, pair: int, place: int, split: int, seed: int = 0) -> float:
        """Return what a setting gains."""
        run, rung = self.runs[place]
        gain = float(self.gain[pair, run, seed, rung, split])
        return _DIVERGED if np.isnan(gain) else gain

    @cached_property
    def sweep(self) -> int:
        """Price of the sweep of all pairs with the largest budget."""
        return sum(
            _LARGEST * (48 * (prices.student + prices.teacher) + 4 * prices.public) for prices in self.prices
        )


def load(name: str) -> BudgetTable:
    """Read a table."""
    with np.load(TABLES / f"{name}_budgets.npz") as stored:
        correct, about = stored["correct"], json.loads(str(stored["about"]))
    recipe = DistillationConfig.model_validate(about["recipe"])
    pairs = tuple(map(Pair.parse, about["pairs"]))
    examples = np.array([about["examples"][split] for split in about["splits"]])
    people = about["participants"]
    own = (
        np.array([[participant["correct"][split] for split in about["splits"]] for participant in people])
        / examples
    )
    accuracy = np.where(correct == MISSING, np.nan, correct / examples)
    before = own[[pair.student for pair in pairs]]
    settings, runs = [], []
    for number, described in enumerate(about["settings"]):
        for setting, rung in _with_budgets(Setting.from_json(described), recipe, about["rungs"]):
            if setting not in settings:
                settings.append(setting)
                runs.append((number, rung))
    return BudgetTable(
        name=name,
        recipe=recipe,
        pairs=pairs,
        tasks=tuple(Task(name, pair, PairFeatures(**about["features"][str(pair)])) for pair in pairs),
        prices=tuple(
            Prices(
                student=people[pair.student]["private"],
                teacher=people[pair.teacher]["private"],
                public=about["public"],
                validation=about["examples"]["validation"],
                epochs=recipe.epochs,
            )
            for pair in pairs
        ),
        rungs=tuple(about["rungs"]),
        settings=tuple(settings),
        runs=tuple(runs),
        gain=100 * (accuracy - before[:, None, None, None, :]),
    )


def _with_budgets(
    setting: Setting, recipe: DistillationConfig, rungs: Sequence[int]
) -> list[tuple[Setting, int]]:
    """Return the settings that a run shows: at a constant rate, one for each budget."""
    budgets = [recipe.epochs, 2 * recipe.epochs, 4 * recipe.epochs]
    if setting.schedule is not Schedule.CONSTANT:
        budgets = [epochs for epochs in budgets if epochs == setting.epochs]
    settings = [(replace(setting, epochs=epochs), rungs.index(epochs)) for epochs in budgets]
    plain = replace(
        DEFAULT, learning_rate=recipe.learning_rate, epochs=recipe.epochs, schedule=Schedule.CONSTANT
    )
    return [(DEFAULT if setting == plain else setting, rung) for setting, rung in settings]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to search.

    Attributes:
        power: Of the price by which expected improvement is divided.
        stops: Whether the lower half at 10 and 20 epochs is stopped, after six trials that are not.
        stopped_teach: What a stopped run teaches: `nothing`, its last value as if that were its `end`, or
            that its setting gains so much with the `budget` that it reached.
        tie: Answers believed to be this little worse, in pp, are taken if they are cheaper.
    """

    prior: KernelParameters = LARGE
    power: float = 0.0
    stops: bool = False
    stopped_teach: str = "budget"
    tie: float = 0.0


WAYS: Final[Mapping[str, Way]] = {
    "all parameters as in small spaces": Way(prior=KernelParameters()),
    "those of large spaces": Way(),
    "improvement ÷ price^0.25": Way(power=0.25),
    "improvement ÷ price^0.5": Way(power=0.5),
    "improvement ÷ price": Way(power=1.0),
    "stopped at 10 and 20: teach nothing": Way(stops=True, stopped_teach="nothing"),
    "stopped: teach their last value as their end": Way(stops=True, stopped_teach="end"),
    "stopped: teach the budget that they reached": Way(stops=True),
    "answer cheaper if within 0.5 pp": Way(tie=0.5),
    "answer cheaper if within 1.6 pp": Way(tie=1.6),
}


def replayed(
    table: BudgetTable, way: Way, seed: int, trials: int = TRIALS
) -> tuple[list[float], list[float]]:
    """Return cost and mean gain on test after each number of trials a pair."""
    pairs = random.Random(seed).sample(range(len(table.pairs)), len(table.pairs))
    surrogate = Surrogate(way.prior, scale=SCALE, most=1_000, recipe=table.recipe)
    gains, costs = np.zeros((len(pairs), trials)), np.zeros((len(pairs), trials))
    for pair in pairs:
        _search(table, way, pair, surrogate, gains[pair], costs[pair])
    cost: list[float] = (costs.sum(axis=0) / table.sweep).tolist()
    return cost, gains.mean(axis=0).tolist()


def _search(
    table: BudgetTable,
    way: Way,
    pair: int,
    surrogate: Surrogate,
    gains: NDArray[np.float64],
    costs: NDArray[np.float64],
) -> None:
    task, prices = table.tasks[pair], table.prices[pair]
    price = np.array([prices.of_run(setting) for setting in table.settings], dtype=np.float64)
    prediction, spent, place = None, 0.0, table.settings.index(DEFAULT)
    tried: list[int] = []
    whole: list[int] = []
    at_rung: dict[int, list[float]] = {rung: [] for rung in _STOPS}
    for trial in range(len(gains)):
        tried.append(place)
        setting, stopped = table.settings[place], _stop(table, way, pair, place, at_rung, trial)
        if stopped is None:
            whole.append(place)
            spent += price[place]
            surrogate.learn(task, setting, table.end(pair, place, 0))
        else:
            epochs, gain = stopped
            spent += prices.of_epochs(setting, epochs)
            if way.stopped_teach != "nothing":
                taught = setting if way.stopped_teach == "end" else replace(setting, epochs=epochs)
                surrogate.learn(task, taught, gain)
        prediction = surrogate.extend(task, table.encoded, prediction)
        posterior = surrogate.posterior(prediction)
        answer = _answer(posterior.mean, whole, price, way.tie)
        gains[trial] = table.end(pair, answer, 2) if posterior.mean[answer] > 0 else 0.0
        costs[trial] = spent
        best = max(0.0, *(table.end(pair, place, 0) for place in whole))
        worth = expected_improvement(posterior, best) / price**way.power
        worth[tried] = -np.inf
        place = int(worth.argmax())


def _answer(mean: NDArray[np.float64], whole: Sequence[int], price: NDArray[np.float64], tie: float) -> int:
    best = max(whole, key=lambda place: float(mean[place]))
    return min(
        (place for place in whole if mean[place] >= mean[best] - tie), key=lambda place: float(price[place])
    )


def _stop(
    table: BudgetTable, way: Way, pair: int, place: int, at_rung: dict[int, list[float]], trial: int
) -> tuple[int, float] | None:
    """Return where a run is stopped and what it has gained there; None if it runs to its end."""
    run, last = table.runs[place]
    for rung in _STOPS if way.stops else ():
        gain = float(table.gain[pair, run, 0, table.rungs.index(rung), 0])
        if rung >= table.rungs[last] or np.isnan(gain):
            break
        at_rung[rung].append(gain)
        if trial >= _GRACE and gain < float(np.median(at_rung[rung])):
            return rung, gain
    return None


def _best_on_validation(table: BudgetTable, pair: int) -> int:
    return max(range(len(table.settings)), key=lambda place: table.end(pair, place, 0))


def main() -> None:
    """Replay, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", default=("digits", "digits_plain"), metavar="TABLE")
    parser.add_argument("--seeds", type=int, default=6, help="orders of the pairs")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    threadpool_limits(1)
    kept: dict[str, Any] = {}
    for name in options.tables:
        table = load(name)
        everybody, places = range(len(table.pairs)), range(len(table.settings))
        best = [_best_on_validation(table, pair) for pair in everybody]
        ceiling = np.mean([table.end(pair, place, 2) for pair, place in enumerate(best)])
        means = [np.mean([table.end(pair, place, 0) for pair in everybody]) for place in places]
        shared = int(np.argmax(means))
        single = np.mean([table.end(pair, shared, 2) for pair in everybody])
        print(f"{name}: {len(places)} settings, best of all by validation {ceiling:+.2f} pp")
        print(f"  the best single one {single:+.2f} pp: {table.settings[shared]}")
        print(f"  {'':<50}" + "".join(f"{cost:>14.0%}" for cost in COSTS))
        for words, way in WAYS.items():
            replays = [replayed(table, way, seed) for seed in range(options.seeds)]
            cells = [[float(np.interp(at, [0, *cost], [0, *gain])) for cost, gain in replays] for at in COSTS]
            errors = [np.std(cell) / np.sqrt(len(cell)) for cell in cells]
            row = (f"{np.mean(cell):>+7.2f} ± {error:.2f}" for cell, error in zip(cells, errors, strict=True))
            print(f"  {words:<50}" + " ".join(row), flush=True)
            kept.setdefault(name, {})[words] = cells
    if options.out:
        options.out.write_text(json.dumps(kept) + "\n")


if __name__ == "__main__":
    main()
