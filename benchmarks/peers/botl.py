"""Ax's transfer learning (BOTL), by its client's ask and tell; it maximises accuracy on validation.

`transfer_learning_generator_specs_constructor` is taken with its defaults: before each trial a Gaussian
process of several tasks and one of this pair alone are fitted, and cross-validation chooses between them.

Each source is a task, and its default kernel has a full matrix of tasks: with 56 pairs one fit takes minutes.
So the other pairs are one source here: of each setting the mean of its accuracies above the pair's own mean.

The space is the grid and nothing else: T by its logarithm, the transfer set by whose private examples it has,
and a constraint that leaves α = 1 only where it has nobody's. So Ax looks at each setting that it has not
tried. Of a choice of four names it would optimise the one-hot codes as real numbers, and do all of it again,
up to five times, where rounding gives what was tried.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, final

import numpy as np
import torch

warnings.simplefilter("ignore")

from ax.adapter.transfer_learning import TL_EXP, transfer_learning_generator_specs_constructor  # noqa: E402
from ax.api.client import Client  # noqa: E402
from ax.api.configs import ChoiceParameterConfig  # noqa: E402
from ax.core.auxiliary_source import AuxiliarySource  # noqa: E402
from ax.exceptions.core import SearchSpaceExhausted  # noqa: E402
from ax.generation_strategy.generation_node import GenerationNode  # noqa: E402
from ax.generation_strategy.generation_strategy import GenerationStrategy  # noqa: E402

from benchmarks.peers.problem import PUBLIC, Problem, Setting  # noqa: E402
from benchmarks.peers.replay import Makes, Peer, Wish  # noqa: E402

logging.disable(logging.WARNING)
torch.set_num_threads(1)

Known = Mapping[int, Mapping[int, float]]
_METRIC: Final = "accuracy"
_NODE: Final = "BOTL"
_WHOSE: Final = {"student": (1, 0), "teacher": (0, 1), "both": (1, 1), PUBLIC: (0, 0)}
"""Whether a transfer set has the student's private examples, and the teacher's."""


@final
class Transferred:
    """A client that searches one pair."""

    def __init__(self, problem: Problem, seed: int, known: Known) -> None:
        self._problem = problem
        self._columns = {setting: column for column, setting in enumerate(problem.settings)}
        self._client = _client(problem, "pair", seed)
        # The client has no way to attach sources by itself.
        self._client._experiment.auxiliary_experiments_by_purpose[TL_EXP] = [_source(problem, known)]
        specs, selector = transfer_learning_generator_specs_constructor()
        node = GenerationNode(
            name=_NODE, generator_specs=specs, best_model_selector=selector, should_deduplicate=False
        )
        self._client.set_generation_strategy(GenerationStrategy(name=_NODE, nodes=[node]))
        self._asked: dict[int, int] = {}

    def begin(self, curve: Mapping[int, float]) -> None:
        accuracy = curve[self._problem.epochs]
        _tell(self._client, _parameters(self._problem.settings[self._problem.default]), accuracy)

    def ask(self, trial: int) -> Wish | None:
        try:
            ((number, chosen),) = self._client.get_next_trials(1).items()
        except SearchSpaceExhausted:
            return None
        self._asked[trial] = number
        return Wish(self._columns[_setting(chosen)], self._problem.epochs)

    def report(self, trial: int, epoch: int, accuracy: float) -> bool:
        return True

    def end(self, trial: int, epoch: int, accuracy: float | None) -> None:
        number = self._asked.pop(trial)
        if accuracy is None:
            self._client.mark_trial_failed(number)
        else:
            self._client.complete_trial(number, {_METRIC: accuracy})


def transfer(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """Search a pair with what is known of others."""
    return Transferred(problem, seed, known)


PEERS: Final[Mapping[str, Makes]] = {"Ax BOTL": transfer}


def _source(problem: Problem, known: Known) -> AuxiliarySource:
    above = defaultdict(list)
    for runs in known.values():
        mean = np.mean([*runs.values()])
        for column, accuracy in runs.items():
            above[column].append(accuracy - mean)
    client = _client(problem, "other pairs", seed=0)
    for column, values in above.items():
        _tell(client, _parameters(problem.settings[column]), float(np.mean(values)))
    return AuxiliarySource(experiment=client._experiment)


def _client(problem: Problem, name: str, seed: int) -> Any:
    temperatures = sorted({math.log2(setting.temperature) for setting in problem.settings})
    alphas = sorted({setting.alpha for setting in problem.settings if setting.alpha is not None})
    client = Client(random_seed=seed)
    client.configure_experiment(
        name=name,
        parameters=[
            ChoiceParameterConfig("log_temperature", temperatures, parameter_type="float", is_ordered=True),
            ChoiceParameterConfig("alpha", alphas, parameter_type="float", is_ordered=True),
            ChoiceParameterConfig("students", [0, 1], parameter_type="int", is_ordered=True),
            ChoiceParameterConfig("teachers", [0, 1], parameter_type="int", is_ordered=True),
        ],
        parameter_constraints=["alpha + students + teachers >= 1"],
    )
    client.configure_optimization(objective=_METRIC)
    return client


def _parameters(setting: Setting) -> dict[str, Any]:
    students, teachers = _WHOSE[setting.transfer_set]
    return {
        "log_temperature": math.log2(setting.temperature),
        "alpha": 1.0 if setting.alpha is None else setting.alpha,
        "students": students,
        "teachers": teachers,
    }


def _setting(parameters: Mapping[str, Any]) -> Setting:
    whose = parameters["students"], parameters["teachers"]
    chosen = next(name for name, belongs in _WHOSE.items() if belongs == whose)
    alpha = None if chosen == PUBLIC else parameters["alpha"]
    return Setting(2.0 ** parameters["log_temperature"], alpha, chosen)


def _tell(client: Any, parameters: dict[str, Any], accuracy: float) -> None:
    client.complete_trial(client.attach_trial(parameters), {_METRIC: accuracy})
