"""Syne Tune's schedulers, as `AskTellScheduler` and its tuner drive them.

Its spaces know no conditions, so the grid is a flat one of T × α × transfer set: α is ignored on `public`,
whose four settings thus have six names each. All schedulers minimise the error on validation.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import pandas as pd
import xgboost
from syne_tune.backend.trial_status import Trial
from syne_tune.blackbox_repository.blackbox_surrogate import BlackboxSurrogate
from syne_tune.config_space import choice, logordinal, ordinal
from syne_tune.optimizer.baselines import ASHA, CQR, RandomSearch
from syne_tune.optimizer.scheduler import SchedulerDecision
from syne_tune.optimizer.schedulers.single_objective_scheduler import SingleObjectiveScheduler
from syne_tune.optimizer.schedulers.transfer_learning.bounding_box import BoundingBox
from syne_tune.optimizer.schedulers.transfer_learning.quantile_based.quantile_based_searcher import (
    QuantileBasedSurrogateSearcher,
)
from syne_tune.optimizer.schedulers.transfer_learning.transfer_learning_task_evaluation import (
    TransferLearningTaskEvaluations,
)
from syne_tune.optimizer.schedulers.transfer_learning.zero_shot import ZeroShotTransfer

from benchmarks.peers.problem import PUBLIC, Problem, Setting
from benchmarks.peers.replay import Makes, Peer, Wish, tell_of_default

ERROR: Final = "error"
EPOCH: Final = "epoch"
logging.disable(logging.WARNING)

Known = Mapping[int, Mapping[int, float]]


class Flat:
    """The grid as a space of Syne Tune's, and the way back from its configurations to columns."""

    def __init__(self, problem: Problem) -> None:
        temperatures, alphas, sets = problem.values
        self.space = {
            "temperature": logordinal(sorted(temperatures)),
            "alpha": ordinal(sorted(alphas)),
            "transfer_set": choice(sets),
        }
        self._columns = {setting: column for column, setting in enumerate(problem.settings)}
        self._names: dict[int, list[dict[str, Any]]] = {}
        for values in itertools.product(sorted(temperatures), sorted(alphas), sets):
            config = dict(zip(self.space, values, strict=True))
            self._names.setdefault(self.column(config), []).append(config)

    def column(self, config: Mapping[str, Any]) -> int:
        """Of a configuration."""
        chosen = str(config["transfer_set"])
        alpha = None if chosen == PUBLIC else float(config["alpha"])
        return self._columns[Setting(float(config["temperature"]), alpha, chosen)]

    def names(self, column: int) -> list[dict[str, Any]]:
        """The configurations of a column: one, and on `public` six."""
        return self._names[column]

    def evaluations(self, known: Known) -> dict[str, TransferLearningTaskEvaluations]:
        """What is known of other pairs, as Syne Tune's transfer schedulers take it."""
        return {
            str(pair): TransferLearningTaskEvaluations(
                configuration_space=self.space,
                hyperparameters=pd.DataFrame([name for column in runs for name in self.names(column)]),
                objectives_names=[ERROR],
                objectives_evaluations=np.array(
                    [1 - accuracy for column, accuracy in runs.items() for _ in self.names(column)]
                ).reshape(-1, 1, 1, 1),
            )
            for pair, runs in known.items()
            if len(runs) > 1
        }


@final
class Scheduled:
    """Any scheduler of Syne Tune's.

    Args:
        is_told: The first suggestion is the default setting, so that the scheduler learns of its run.
        stops: It looks at every rung and stops trials there; else only at the end.
    """

    def __init__(self, flat: Flat, scheduler: Any, problem: Problem, *, is_told: bool, stops: bool) -> None:
        self._flat, self._scheduler, self._problem = flat, scheduler, problem
        self._told, self._stops = is_told, stops
        self._trials: dict[int, Trial] = {}

    def begin(self, curve: Mapping[int, float]) -> None:
        if self._told:
            tell_of_default(self, self._problem, curve)

    def ask(self, trial: int) -> Wish | None:
        suggestion = self._scheduler.suggest()
        if suggestion is None:
            return None
        self._trials[trial] = Trial(trial, suggestion.config, datetime.now())
        self._scheduler.on_trial_add(self._trials[trial])
        return Wish(self._flat.column(suggestion.config), self._problem.epochs)

    def report(self, trial: int, epoch: int, accuracy: float) -> bool:
        if not self._stops:
            return True
        result = {ERROR: 1 - accuracy, EPOCH: epoch}
        decision = self._scheduler.on_trial_result(self._trials[trial], result)
        return bool(decision == SchedulerDecision.CONTINUE)

    def end(self, trial: int, epoch: int, accuracy: float | None) -> None:
        known = self._trials.pop(trial)
        if accuracy is None:
            self._scheduler.on_trial_error(known)
            return
        result = {ERROR: 1 - accuracy, EPOCH: epoch}
        if epoch == self._problem.epochs:
            self._scheduler.on_trial_result(known, result)
            self._scheduler.on_trial_complete(known, result)


@final
class Ranked:
    """`ZeroShotTransfer`, asked for its ranking.

    In release 0.16.0 its `suggest` is that of the class above it and draws at random; the ranking, which the
    class is there for, has nobody who calls it.
    """

    def __init__(self, flat: Flat, scheduler: Any, problem: Problem) -> None:
        self._flat, self._scheduler, self._epochs = flat, scheduler, problem.epochs

    def begin(self, curve: Mapping[int, float]) -> None:
        """It does not look at results."""

    def ask(self, trial: int) -> Wish | None:
        config = self._scheduler.get_config()
        return None if config is None else Wish(self._flat.column(config), self._epochs)

    def report(self, trial: int, epoch: int, accuracy: float) -> bool:
        return True

    def end(self, trial: int, epoch: int, accuracy: float | None) -> None:
        """Do nothing."""


def asha(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """Random search stopped by successive halving, as by default: rungs at 1, 3 and 9, a third goes on.

    The tables have no epoch 9, so the last rung never speaks; it could have saved one epoch of a run.
    """
    flat = Flat(problem)
    _seeded(seed)
    scheduler = ASHA(
        flat.space,
        ERROR,
        time_attr=EPOCH,
        max_t=problem.epochs,
        random_seed=seed,
        points_to_evaluate=flat.names(problem.default),
    )
    return Scheduled(flat, scheduler, problem, is_told=True, stops=True)


def cqr(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """Conformal quantile regression, with its defaults."""
    flat = Flat(problem)
    _seeded(seed)
    scheduler = CQR(flat.space, ERROR, random_seed=seed, points_to_evaluate=flat.names(problem.default))
    return Scheduled(flat, scheduler, problem, is_told=True, stops=False)


def bounding_box(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """Random search in the box of the best setting of every other pair, as in its documentation."""
    flat = Flat(problem)
    _seeded(seed)
    evaluations = flat.evaluations(known)
    if not evaluations:
        return _random(flat, problem, seed)
    with _quiet():
        scheduler = BoundingBox(
            lambda space, metric, minimised, number: RandomSearch(space, [metric], minimised, number),
            flat.space,
            ERROR,
            evaluations,
            random_seed=seed,
        )
    return Scheduled(flat, scheduler, problem, is_told=False, stops=False)


def quantile(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """Thompson sampling from a surrogate of quantiles that was fitted on the other pairs."""
    flat = Flat(problem)
    _seeded(seed)
    evaluations = flat.evaluations(known)
    if not evaluations:
        return _random(flat, problem, seed)
    with _quiet():
        searcher = QuantileBasedSurrogateSearcher(flat.space, evaluations, random_seed=seed)
    scheduler = SingleObjectiveScheduler(flat.space, ERROR, searcher=searcher, random_seed=seed)
    return Scheduled(flat, scheduler, problem, is_told=False, stops=False)


def zero_shot(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """A fixed order of settings by their ranks on the other pairs, all of which must have run all of them."""
    flat = Flat(problem)
    scheduler = ZeroShotTransfer(flat.space, ERROR, flat.evaluations(known), random_seed=seed)
    return Ranked(flat, scheduler, problem)


def zero_shot_from_trials(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """The same where pairs ran different settings, with its own surrogates for the rest.

    In release 0.16.0 `use_surrogates` fails with an `AttributeError`, and would compare other settings in
    each pair, so the same surrogates are asked here, for the whole grid.
    """
    completed = {
        pair: _completed(problem, tuple(runs.items())) for pair, runs in known.items() if len(runs) > 1
    }
    return zero_shot(problem, seed, completed, budget) if completed else _random(Flat(problem), problem, seed)


PEERS: Final[Mapping[str, Makes]] = {
    "Syne Tune ASHA": asha,
    "Syne Tune CQR": cqr,
    "Syne Tune BoundingBox": bounding_box,
    "Syne Tune QuantileBased": quantile,
    "Syne Tune ZeroShot": zero_shot,
    "Syne Tune ZeroShot, surrogates": zero_shot_from_trials,
}


@functools.cache
def _completed(problem: Problem, runs: tuple[tuple[int, float], ...]) -> dict[int, float]:
    """Every setting's accuracy for a pair, by the surrogate that Syne Tune fits to what was run of it."""
    flat = Flat(problem)
    columns, accuracies = zip(*runs, strict=True)
    grid = pd.DataFrame([flat.names(column)[0] for column in range(len(problem.settings))])
    model = BlackboxSurrogate.make_model_pipeline(
        configuration_space=flat.space, fidelity_space={}, model=xgboost.XGBRegressor(n_jobs=1)
    )
    model.fit(grid.iloc[list(columns)], np.array(accuracies))
    return dict(enumerate(map(float, model.predict(grid))))


def _random(flat: Flat, problem: Problem, seed: int) -> Peer:
    scheduler = RandomSearch(flat.space, [ERROR], random_seed=seed)
    return Scheduled(flat, scheduler, problem, is_told=False, stops=False)


def _seeded(seed: int) -> None:
    """Its random searcher draws from NumPy's global generator, whatever seed it is given."""
    np.random.seed(seed)


@contextlib.contextmanager
def _quiet() -> Any:
    """It prints how long everything took."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
