"""NePS's optimizers, by its `AskAndTell`; they minimise the error on validation.

Its spaces have no ordered choices and no conditions. So T and α are given by the number of their value among
all values, an integer; and α is ignored on `public`. Its prior is the default setting, with the confidence
"medium" of its examples; or where other pairs are known, the setting that most of them found best: a prior is
its way to take such knowledge, and `import_trials` is for trials of the same problem.
"""

from __future__ import annotations

import logging
import random
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch

from benchmarks.peers.problem import PUBLIC, Problem, Setting
from benchmarks.peers.replay import Makes, Peer, Wish

FOLDER: Final = Path(sys.prefix) / "neps"
"""Where `make peers` puts NePS, with older releases of what Ax needs, too."""
sys.path.insert(0, str(FOLDER))
warnings.simplefilter("ignore")

import neps  # noqa: E402

logging.disable(logging.WARNING)
torch.set_num_threads(1)

Known = Mapping[int, Mapping[int, float]]
_EPOCHS: Final = "epochs"
_CONFIDENCE: Final = "medium"
_WORST: Final = 1.0


class Numbered:
    """The grid as a space of NePS's, and the way back from its configurations to columns."""

    def __init__(self, problem: Problem) -> None:
        self._columns = {setting: column for column, setting in enumerate(problem.settings)}
        self._values = problem.values
        self._problem = problem

    def space(self, prior: int, *, fidelities: bool) -> Any:
        """Return a space whose prior is the setting of a column."""
        centre = self.config(prior)
        temperatures, alphas, sets = self._values
        parts: dict[str, Any] = {
            "temperature": _numbers(len(temperatures), centre["temperature"]),
            "alpha": _numbers(len(alphas), centre["alpha"]),
            "transfer_set": neps.Categorical(
                tuple(range(len(sets))), prior=centre["transfer_set"], prior_confidence=_CONFIDENCE
            ),
        }
        if fidelities:
            parts[_EPOCHS] = neps.IntegerFidelity(1, self._problem.epochs)
        return type("Space", (neps.PipelineSpace,), parts)()

    def config(self, column: int) -> dict[str, Any]:
        """Return the configuration of a column; α = 1 on `public`, where the loss is the teacher's part."""
        temperature, alpha, chosen = self._problem.settings[column]
        values = (temperature, self._values[1][-1] if alpha is None else alpha, chosen)
        names = ("temperature", "alpha", "transfer_set")
        return {
            name: options.index(value)
            for name, options, value in zip(names, self._values, values, strict=True)
        }

    def column(self, config: Mapping[str, Any]) -> int:
        """Return the column of a configuration."""
        temperatures, alphas, sets = self._values
        chosen = sets[int(config["transfer_set"])]
        alpha = None if chosen == PUBLIC else alphas[int(config["alpha"])]
        return self._columns[Setting(temperatures[int(config["temperature"])], alpha, chosen)]


@final
class Asked:
    """An optimizer that searches one pair.

    Args:
        prior: Column of the prior, which runs first where it is not the default.
        rung: Number of the highest rung, part of the names of its trials; None if it has no fidelities.
    """

    def __init__(self, optimizer: Any, numbered: Numbered, problem: Problem, rung: int | None) -> None:
        self._tuner = neps.AskAndTell(optimizer)
        self._numbered, self._problem, self._rung = numbered, problem, rung
        self._asked: dict[int, Any] = {}
        self._first: Any = None

    def begin(self, curve: Mapping[int, float]) -> None:
        first = self._tuner.ask()
        error = 1 - curve[self._problem.epochs]
        if self._numbered.column(first.config) == self._problem.default:
            self._tuner.tell(first, error)
            return
        self._first = first
        config = self._numbered.config(self._problem.default)
        if self._rung is not None:
            config[_EPOCHS] = self._problem.epochs
        name = "2" if self._rung is None else f"2_rung_{self._rung}"
        self._tuner.tell_custom(config_id=name, config=config, result=error)

    def ask(self, trial: int) -> Wish | None:
        asked, self._first = self._first or self._tuner.ask(), None
        self._asked[trial] = asked
        wanted = asked.config.get(_EPOCHS, self._problem.epochs)
        epochs = min(self._problem.rungs, key=lambda rung: abs(rung - wanted))
        return Wish(self._numbered.column(asked.config), epochs)

    def report(self, trial: int, epoch: int, accuracy: float) -> bool:
        return True

    def end(self, trial: int, epoch: int, accuracy: float | None) -> None:
        self._tuner.tell(self._asked.pop(trial), _WORST if accuracy is None else 1 - accuracy)


def prior_band(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """PriorBand, what NePS chooses by itself for a space with priors and a fidelity: 1, 3 and 10 epochs."""
    _seed(seed)
    numbered = Numbered(problem)
    space = numbered.space(_prior(problem, known), fidelities=True)
    optimizer = neps.algorithms.priorband(space, sample_prior_first="highest_fidelity")
    return Asked(optimizer, numbered, problem, max(optimizer.rung_to_fid))


def pi_bo(problem: Problem, seed: int, known: Known, budget: int) -> Peer:
    """πBO, what it chooses for a space with priors and no fidelity."""
    _seed(seed)
    numbered = Numbered(problem)
    space = numbered.space(_prior(problem, known), fidelities=False)
    return Asked(neps.algorithms.pibo(space, sample_prior_first=True), numbered, problem, None)


PEERS: Final[Mapping[str, Makes]] = {"NePS PriorBand": prior_band, "NePS piBO": pi_bo}


def _numbers(count: int, centre: int) -> Any:
    return neps.Integer(0, count - 1, prior=centre, prior_confidence=_CONFIDENCE)


def _prior(problem: Problem, known: Known) -> int:
    """Return the setting that most other pairs found best; the default where nothing is known."""
    best = Counter(max(runs, key=lambda column: runs[column]) for runs in known.values() if len(runs) > 1)
    return best.most_common(1)[0][0] if best else problem.default


def _seed(seed: int) -> None:
    """NePS draws from the global generators of all three."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
