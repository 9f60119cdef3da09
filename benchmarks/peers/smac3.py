"""SMAC3's facades, by their ask and tell; α exists on labelled sets only, as its spaces can say."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

from ConfigSpace import Categorical, Configuration, ConfigurationSpace, InCondition, OrdinalHyperparameter
from smac import HyperparameterOptimizationFacade, MultiFidelityFacade, Scenario
from smac.main.exceptions import ConfigurationSpaceExhaustedException
from smac.runhistory import StatusType, TrialInfo, TrialValue

from benchmarks.peers.problem import PUBLIC, Problem, Setting
from benchmarks.peers.replay import Makes, Peer, Wish

Known = Mapping[int, Mapping[int, float]]
_OFF: Final = 60
"""A level of logging that nothing reaches."""
_RETRIES: Final = 1_000
"""To draw a setting that was not run yet: by default it gives up after 16, with many of a grid's left."""


@final
class Smac:
    """A facade that searches one pair; it minimises the error on validation.

    Args:
        fidelities: It decides for how many epochs a setting runs; else always to the end.
    """

    def __init__(self, facade: Any, problem: Problem, seed: int, trials: int, *, fidelities: bool) -> None:
        self._problem, self._fidelities = problem, fidelities
        self._columns = {setting: column for column, setting in enumerate(problem.settings)}
        self._space = _space(problem, seed)
        self._scratch = tempfile.TemporaryDirectory()
        scenario = Scenario(
            self._space,
            # A run is a function of its setting here: one seed, as in all searches.
            deterministic=True,
            n_trials=trials,
            seed=seed,
            output_directory=Path(self._scratch.name),
            crash_cost=1.0,
            **({"min_budget": 1, "max_budget": problem.epochs} if fidelities else {}),
        )
        self._facade = facade(
            scenario,
            _never,
            config_selector=facade.get_config_selector(scenario, retries=_RETRIES),
            overwrite=True,
            logging_level=_OFF,
        )
        self._asked: dict[int, TrialInfo] = {}

    def begin(self, curve: Mapping[int, float]) -> None:
        temperature, alpha, chosen = self._problem.settings[self._problem.default]
        config = Configuration(
            self._space, values={"temperature": temperature, "alpha": alpha, "transfer_set": chosen}
        )
        budget = float(self._problem.epochs) if self._fidelities else None
        cost = 1 - curve[self._problem.epochs]
        self._facade.tell(TrialInfo(config, seed=0, budget=budget), TrialValue(cost=cost), save=False)

    def ask(self, trial: int) -> Wish | None:
        try:
            info = self._facade.ask()
        except (StopIteration, ConfigurationSpaceExhaustedException):
            return None
        self._asked[trial] = info
        wanted = self._problem.epochs if info.budget is None else info.budget
        epochs = min(self._problem.rungs, key=lambda rung: abs(rung - wanted))
        return Wish(self._column(info.config), epochs)

    def report(self, trial: int, epoch: int, accuracy: float) -> bool:
        return True

    def end(self, trial: int, epoch: int, accuracy: float | None) -> None:
        info = self._asked.pop(trial)
        value = (
            TrialValue(cost=1.0, status=StatusType.CRASHED)
            if accuracy is None
            else TrialValue(cost=1 - accuracy)
        )
        self._facade.tell(info, value, save=False)

    def _column(self, config: Configuration) -> int:
        values = dict(config)
        chosen = str(values["transfer_set"])
        alpha = None if chosen == PUBLIC else float(values["alpha"])
        return self._columns[Setting(float(values["temperature"]), alpha, chosen)]


def hyperparameter_optimization(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """Random forest and expected improvement: the facade recommended for spaces with categories."""
    trials = -(-budget // problem.epochs)
    return Smac(HyperparameterOptimizationFacade, problem, seed, trials, fidelities=False)


def multi_fidelity(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """The same with Hyperband: 1.1, 3.3 and 10 epochs, of which the nearest recorded ones are 1, 3 and 10."""
    return Smac(MultiFidelityFacade, problem, seed, budget // 2, fidelities=True)


PEERS: Final[Mapping[str, Makes]] = {
    "SMAC3 HPO": hyperparameter_optimization,
    "SMAC3 multi-fidelity": multi_fidelity,
}


def _space(problem: Problem, seed: int) -> ConfigurationSpace:
    temperatures, alphas, sets = problem.values
    default = problem.settings[problem.default]
    space = ConfigurationSpace(seed=seed)
    temperature = OrdinalHyperparameter(
        "temperature", sorted(temperatures), default_value=default.temperature
    )
    alpha = OrdinalHyperparameter("alpha", sorted(alphas), default_value=default.alpha)
    transfer_set = Categorical("transfer_set", sets, default=default.transfer_set)
    space.add(temperature, alpha, transfer_set)
    space.add(InCondition(alpha, transfer_set, [name for name in sets if name != PUBLIC]))
    return space


def _never(config: Configuration, seed: int = 0, budget: float = 0.0) -> float:
    """What the facade would call if it were not asked and told."""
    raise AssertionError("it is asked and told, and runs nothing itself")
