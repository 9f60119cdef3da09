"""Ray Tune's own `OptunaSearch` with its `ASHAScheduler`, called as Tune's controller calls them.

The classes are the real ones; only Ray's processes are left out. As in their documentation the space is a
flat one, T × α × transfer set as `tune.choice`; on `public` α is drawn and ignored, so each of its four
settings has six names. The default setting is the first of `points_to_evaluate`. All else are defaults: TPE,
grace period 1, reduction factor 4, one bracket, which puts rungs at epochs 1 and 4 of 10.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final, final

import optuna
from optuna.exceptions import ExperimentalWarning
from ray import tune
from ray.air.constants import TRAINING_ITERATION
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from benchmarks.peers.problem import PUBLIC, Problem, Setting
from benchmarks.peers.replay import Peer, Wish, tell_of_default

_METRIC: Final = "accuracy"


@final
class Stock:
    """Searches one pair, as a `Tuner` with this `search_alg` and this `scheduler`."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self._columns = {setting: column for column, setting in enumerate(problem.settings)}
        default = problem.settings[problem.default]
        self._searcher = OptunaSearch(
            metric=_METRIC, mode="max", seed=seed % 2**32, points_to_evaluate=[default._asdict()]
        )
        self._searcher.set_search_properties(None, None, _space(problem))
        self._scheduler = ASHAScheduler(metric=_METRIC, mode="max", max_t=problem.epochs)
        self._controller: Any = None  # It is handed on to schedulers of which ASHA is none.

    def begin(self, curve: Mapping[int, float]) -> None:
        tell_of_default(self, self._problem, curve)

    def ask(self, trial: int) -> Wish | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            config = self._searcher.suggest(f"{trial}")
        if config is None:
            return None
        self._scheduler.on_trial_add(self._controller, _trial(trial))
        return Wish(self._columns[_setting(config)], self._problem.epochs)

    def report(self, trial: int, epoch: int, accuracy: float) -> bool:
        result = {TRAINING_ITERATION: epoch, _METRIC: accuracy}
        decision = self._scheduler.on_trial_result(self._controller, _trial(trial), result)
        if decision == TrialScheduler.STOP:
            return False
        # Tune tells the searcher of a rung only if the trial goes on.
        self._searcher.on_trial_result(f"{trial}", result)
        return True

    def end(self, trial: int, epoch: int, accuracy: float | None) -> None:
        if accuracy is None:
            self._scheduler.on_trial_error(self._controller, _trial(trial))
            self._searcher.on_trial_complete(f"{trial}", error=True)
            return
        result = {TRAINING_ITERATION: epoch, _METRIC: accuracy}
        if epoch == self._problem.epochs:
            self._scheduler.on_trial_result(self._controller, _trial(trial), result)
        self._scheduler.on_trial_complete(self._controller, _trial(trial), result)
        self._searcher.on_trial_complete(f"{trial}", result=result)


def stock(problem: Problem, seed: int, known: Mapping[int, Mapping[int, float]], budget: int) -> Peer:
    """It knows nothing of other pairs."""
    optuna.logging.set_verbosity(logging.WARNING)
    return Stock(problem, seed)


def _space(problem: Problem) -> dict[str, Any]:
    temperatures, alphas, sets = zip(*problem.settings, strict=True)
    return {
        "temperature": tune.choice(list(dict.fromkeys(temperatures))),
        "alpha": tune.choice([alpha for alpha in dict.fromkeys(alphas) if alpha is not None]),
        "transfer_set": tune.choice(list(dict.fromkeys(sets))),
    }


def _setting(config: Mapping[str, Any]) -> Setting:
    chosen = config["transfer_set"]
    return Setting(config["temperature"], None if chosen == PUBLIC else config["alpha"], chosen)


def _trial(number: int) -> Any:
    """Of a trial ASHA wants to know no more than this."""
    return SimpleNamespace(trial_id=f"{number}")
