"""Who chooses the settings: autokd's own ways, and those that a user could take instead."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import optuna

from autokd.config.objective import Objective
from autokd.config.search import StoppingConfig
from autokd.config.space import ALPHA, TEMPERATURE, TRANSFER_SET
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Pair, Setting, TransferSet, derive_seed
from autokd.search import optuna_space
from autokd.search.gp_sampler import GpSampler
from autokd.search.kernel import KernelParameters, Task
from autokd.search.tpe import Sampler, Tpe
from benchmarks.simulation.table import SPLITS, Table

ASHA: Final = StoppingConfig(rungs=(3, 6), reduction=2, grace=0)
LATE: Final = StoppingConfig(rungs=(3, 6), reduction=2, grace=6)
NONE: Final = StoppingConfig(rungs=())
_REPEATS: Final = 5
"""Wishes for what was tried already after which a sampler has no other; each takes it a second."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A way to search.

    Attributes:
        make: A sampler for the pairs of a table, whose studies have these names, with a seed of its own.
        stopping: Where runs are stopped early.
        shares: It learns from one pair for another.
    """

    name: str
    make: Callable[[Table, Mapping[Pair, str], int], Sampler]
    stopping: StoppingConfig = NONE
    shares: bool = False


@final
class Random:
    """Any setting of the grid that was not tried yet."""

    def __init__(self, table: Table, seed: int) -> None:
        self._settings, self._seed = table.settings, seed

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        tried = {trial.setting for trial in trials}
        left = [setting for setting in self._settings if setting not in tried]
        dice = random.Random(derive_seed(study, self._seed, len(trials)))
        return dice.choice(left) if left else None

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        return TrialOrigin.SEARCH

    def learn(self, study: str, trial: TrialRecord) -> None:
        """Nothing."""

    def prospects(self, study: str, trials: Sequence[TrialRecord], aims: Objective) -> None:
        """Return None: it believes nothing."""

    def expected(self, study: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]) -> None:
        """Return None: it believes nothing."""


@final
class OptunaGp:
    """Optuna's Gaussian process with its defaults, on a flat space.

    It knows no conditions, and would draw at random what exists in some trials only; so α is asked for on
    `public` too, and ignored there. Where it wishes for nothing but what was tried, any other setting is.
    """

    def __init__(self, table: Table, seed: int) -> None:
        self._space, self._seed = table.space, seed
        self._otherwise = Random(table, seed)

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        accuracies = {trial.setting: trial.accuracy for trial in trials if trial.state is TrialState.COMPLETE}
        tried = {trial.setting for trial in trials}
        distributions = dict(optuna_space.distributions(self._space))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = optuna.samplers.GPSampler(
                seed=derive_seed(study, self._seed, len(trials)) % 2**32, n_startup_trials=3
            )
            memory = optuna.create_study(direction="maximize", sampler=sampler)
            for setting, accuracy in accuracies.items():
                if setting in self._space:
                    known = optuna.trial.create_trial(
                        params=_params(setting), distributions=distributions, value=accuracy
                    )
                    memory.add_trial(known)
            for _ in range(_REPEATS):
                asked = memory.ask(distributions)
                setting = _flat(asked.params)
                if setting not in tried:
                    return setting
                # A run is a function of its setting: it is told again what it knows.
                if (again := accuracies.get(setting)) is None:
                    memory.tell(asked, state=optuna.trial.TrialState.FAIL)
                else:
                    memory.tell(asked, again)
        return self._otherwise.suggest(study, trials)

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        return TrialOrigin.SEARCH

    def learn(self, study: str, trial: TrialRecord) -> None:
        """Nothing."""

    def prospects(self, study: str, trials: Sequence[TrialRecord], aims: Objective) -> None:
        """Return None: it believes nothing."""

    def expected(self, study: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]) -> None:
        """Return None: it believes nothing."""


def _params(setting: Setting) -> dict[str, Any]:
    """Without labels the loss is the teacher's part alone, as with α = 1."""
    alpha = 1.0 if setting.alpha is None else setting.alpha
    return {TEMPERATURE: setting.temperature, ALPHA: alpha, TRANSFER_SET: str(setting.transfer_set)}


def _flat(params: Mapping[str, Any]) -> Setting:
    transfer_set = TransferSet(params[TRANSFER_SET])
    alpha = None if transfer_set is TransferSet.PUBLIC else params[ALPHA]
    return Setting(params[TEMPERATURE], alpha, transfer_set)


def learner(
    table: Table, names: Mapping[Pair, str], seed: int, prior: KernelParameters | None = None
) -> GpSampler:
    """autokd's own, with everything that it has in a real batch; with another prior to try that one out."""
    validation = SPLITS.index(SPLITS[0])
    return GpSampler(
        table.space,
        tasks={name: Task(table.name, pair, table.features[pair]) for pair, name in names.items()},
        initial_accuracy={name: float(table.own[pair.student, validation]) for pair, name in names.items()},
        startup_trials=table.config.search.startup_trials,
        recipe=table.config.distillation,
        prior=prior,
    )


def _tpe(table: Table, names: Mapping[Pair, str], seed: int) -> Tpe:
    return Tpe(table.space, startup_trials=table.config.search.startup_trials)


def _random(table: Table, names: Mapping[Pair, str], seed: int) -> Random:
    return Random(table, seed)


def _gp(table: Table, names: Mapping[Pair, str], seed: int) -> OptunaGp:
    return OptunaGp(table, seed)


POLICIES: Final = {
    policy.name: policy
    for policy in (
        Policy("autokd, never stopped", learner, shares=True),
        Policy("autokd, no grace", learner, stopping=ASHA, shares=True),
        Policy("autokd", learner, stopping=LATE, shares=True),
        Policy("random", _random),
        Policy("random + ASHA", _random, stopping=ASHA),
        Policy("TPE", _tpe),
        Policy("TPE + ASHA", _tpe, stopping=ASHA),
        Policy("Optuna GP", _gp),
    )
}
