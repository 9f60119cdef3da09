"""The next setting to try, chosen by a Gaussian process that learns from the runs of all pairs."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from autokd.config.space import ALPHA, LEARNING_RATE, TEMPERATURE, Range, Space
from autokd.config.study import Objective
from autokd.config.training import DistillationConfig
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, plain
from autokd.search.ending import Prospects, prospects
from autokd.search.gaussian_process import Posterior, Prediction, Surrogate, condition
from autokd.search.kernel import KernelParameters, Task, encode
from autokd.search.tpe import Sampler, Tpe, initial_settings

SCALE: Final = 10.0
"""Size of a large gain, in pp: the variances of `KernelParameters` are in units of its square."""
MOST: Final = 1_000
"""Largest number of runs to learn from; with so many, a posterior takes the driver 10 ms."""
_CACHE_BYTES: Final = 2**27
"""Memory for cached predictions, enough for 80 open studies in the default space after 1,000 runs."""
_VALUES: Final = {TEMPERATURE: 7, ALPHA: 9, LEARNING_RATE: 4}
"""Number of candidate values of each continuous dimension; gains change little from one to the next."""
_INFORMATIVE: Final = (TrialState.COMPLETE, TrialState.PRUNED)
_MOST_CANDIDATES: Final = 512
"""Number of candidates that are drawn, once, from a larger lattice."""


class _Cached(NamedTuple):
    """What is known of the candidates of a study.

    Attributes:
        prediction: From the learned runs of all pairs.
        posterior: With the study's own runs beyond these.
        trials: Numbers of its own trials that count.
    """

    prediction: Prediction
    posterior: Posterior
    trials: frozenset[int]


@final
class GpSampler(Sampler):
    """Suggests settings by expected improvement under a `Surrogate` that learns from the runs of all pairs.

    The suggestion is a function of the trials that were learned; their order does not matter up to `most`
    runs. It is the setting with the largest expected improvement (Jones et al. 1998, "Efficient global
    optimization", section 4.1) over the best result so far: the pair's best run, or the model as it is. A
    trial in progress counts as if it had reached its expected gain, so that parallel trials differ.

    Args:
        space: The search space. In a continuous one a lattice is tried first; after that TPE chooses.
        tasks: Every pair that is searched or learned from, by the name of its study.
        initial_accuracy: Validation accuracy of each study's student before distillation, in [0, 1].
        startup_trials: Number of random trials before TPE's model.
        recipe: Values that a setting does not set.
        most: Largest number of runs to learn from.
    """

    def __init__(
        self,
        space: Space,
        *,
        tasks: Mapping[str, Task],
        initial_accuracy: Mapping[str, float],
        startup_trials: int,
        recipe: DistillationConfig,
        prior: KernelParameters | None = None,
        most: int = MOST,
    ) -> None:
        self._tasks, self._initial, self._recipe = tasks, initial_accuracy, recipe
        self._surrogate = Surrogate(prior or KernelParameters(), scale=SCALE, most=most, recipe=recipe)
        self._candidates = candidate_settings(space)
        candidates = len(self._candidates)
        self._most_cached = max(1, _CACHE_BYTES // (8 * candidates * (2 * candidates + most)))
        self._places = {setting: place for place, setting in enumerate(self._candidates)}
        self._encoded = encode(self._candidates, recipe)
        self._inside = np.array([setting in space for setting in self._candidates])
        self._cache: OrderedDict[str, _Cached] = OrderedDict()
        self._learned: dict[str, set[int]] = {}
        self._after_lattice = Tpe(space, startup_trials=startup_trials)

    def learn(self, study: str, trial: TrialRecord) -> None:
        """Learn from a trial that has ended with a gain, at its full budget or where it was stopped early.

        One that was stopped would have gained more, but hardly enough to become the best. So what it had
        reached tells nearly as much as its end would, and it costs no further run.
        """
        if trial.state in _INFORMATIVE:
            before = self._surrogate.runs
            self._surrogate.learn(self._tasks[study], trial.setting, self._gain(study, trial))
            if self._surrogate.runs > before:
                self._learned.setdefault(study, set()).add(trial.number)

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        tried = {trial.setting for trial in trials}
        untried = self._inside & np.array([setting not in tried for setting in self._candidates])
        if not untried.any():
            return self._after_lattice.suggest(study, trials)
        posterior = self.posterior(study, trials)
        finished = [trial for trial in trials if trial.state is TrialState.COMPLETE]
        best = max((self._gain(study, trial) for trial in finished), default=0.0)
        improvement = expected_improvement(posterior, max(best, 0.0))
        return self._candidates[int(np.where(untried, improvement, -np.inf).argmax())]

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        """Return the origin of a suggestion: TRANSFERRED if runs of other pairs influenced it."""
        others = self._surrogate.runs > len(self._learned.get(study, ()))
        return TrialOrigin.TRANSFERRED if others and setting in self._places else TrialOrigin.SEARCH

    def expectation(self, study: str) -> tuple[Setting, float, float]:
        """Return the setting with the largest expected gain; mean and deviation of a run there, in pp."""
        posterior = self._surrogate.predict(self._tasks[study], self._encoded)
        best = int(np.where(self._inside, posterior.mean, -np.inf).argmax())
        variance = float(posterior.covariance[best, best]) + self._surrogate.noise
        return self._candidates[best], float(posterior.mean[best]), float(np.sqrt(max(variance, 0.0)))

    @property
    def runs(self) -> int:
        """Number of runs that were learned from."""
        return self._surrogate.runs

    @property
    def pairs(self) -> int:
        """Number of pairs of these runs."""
        return len(self._learned)

    def posterior(self, study: str, trials: Sequence[TrialRecord]) -> Posterior:
        """Return the posterior of the candidates, with trials in progress at their expected gains."""
        posterior = self._from_ended_trials(study, trials)
        for trial in trials:
            place = self._places.get(trial.setting)
            if trial.state is TrialState.RUNNING and place is not None:
                posterior = condition(posterior, place, float(posterior.mean[place]), self._surrogate.noise)
        return posterior

    def prospects(self, study: str, trials: Sequence[TrialRecord], aims: Objective) -> Prospects | None:
        """Return the settings that may still become the answer of a pair; None if there is none.

        These are the candidates in the space and what the pair has run to the end. Trials in progress do not
        count: only what has ended is known.
        """
        inside = [setting for setting, here in zip(self._candidates, self._inside, strict=True) if here]
        ended = [trial for trial in trials if trial.state in _INFORMATIVE]
        settings = tuple(dict.fromkeys([*inside, *(trial.setting for trial in ended)]))
        noise = self._surrogate.noise
        if self._places.keys() >= set(settings):
            believed = self._from_ended_trials(study, trials)
            chosen = [self._places[setting] for setting in settings]
            posterior = Posterior(believed.mean[chosen], believed.covariance[np.ix_(chosen, chosen)])
            return prospects(settings, posterior, trials, aims=aims, noise=noise)
        posterior = self._surrogate.predict(self._tasks[study], encode(settings, self._recipe))
        places = {setting: place for place, setting in enumerate(settings)}
        for trial in ended:
            if trial.number not in self._learned.get(study, ()):
                posterior = condition(posterior, places[trial.setting], self._gain(study, trial), noise)
        return prospects(settings, posterior, trials, aims=aims, noise=noise)

    def _from_ended_trials(self, study: str, trials: Sequence[TrialRecord]) -> Posterior:
        """Return the posterior from all learned runs, and from the pair's own runs beyond `most`."""
        noise, cached = self._surrogate.noise, self._cache.get(study)
        finished = {trial.number: trial for trial in trials if trial.state in _INFORMATIVE}
        before = None if cached is None else cached.prediction
        prediction = self._surrogate.extend(self._tasks[study], self._encoded, before)
        if cached is None or prediction is not before:
            known = frozenset(self._learned.get(study, ()))
            cached = _Cached(prediction, self._surrogate.posterior(prediction), known)
        posterior = cached.posterior
        for number in sorted(finished.keys() - cached.trials):
            if (place := self._places.get(finished[number].setting)) is not None:
                posterior = condition(posterior, place, self._gain(study, finished[number]), noise)
        self._cache[study] = _Cached(prediction, posterior, cached.trials | finished.keys())
        self._cache.move_to_end(study)
        if len(self._cache) > self._most_cached:
            self._cache.popitem(last=False)
        return posterior

    def _gain(self, study: str, trial: TrialRecord) -> float:
        return 100 * ((trial.accuracy or 0.0) - self._initial[study])


def expected_improvement(posterior: Posterior, best: float) -> NDArray[np.float64]:
    """Return E[max(0, gain − best)] of each setting, in pp."""
    deviation = posterior.deviation
    above = (posterior.mean - best) / deviation
    density = np.exp(-0.5 * above**2) / np.sqrt(2 * np.pi)
    improvement: NDArray[np.float64] = deviation * (above * ndtr(above) + density)
    return improvement


def candidate_settings(space: Space) -> tuple[Setting, ...]:
    """Return the settings to choose from: a grid itself, else a lattice; and the default setting.

    Without the teacher (α = 0) temperature and method have no effect, so each transfer set has one such
    setting for each label prior. The label prior in turn has no effect with α = 1.
    """
    if space.is_grid:
        return tuple(dict.fromkeys([*space.grid(), DEFAULT]))
    lists = {
        name: _values(dimension, _VALUES[name])
        for name, dimension in space.dimensions.items()
        if isinstance(dimension, Range)
    }
    lattice = Space.model_validate(space.model_dump() | lists)
    settings = [setting for setting in lattice.grid() if setting.alpha != 0 and setting == plain(setting)]
    if len(settings) > _MOST_CANDIDATES:
        settings = random.Random(0).sample(settings, _MOST_CANDIDATES)
    return tuple(dict.fromkeys([*initial_settings(space), *settings, DEFAULT]))


def _values(dimension: Range, count: int) -> tuple[float, ...]:
    if dimension.low == dimension.high:
        return (dimension.low,)
    # Both return the ends exactly, so that rounding cannot leave the space.
    spaced = np.geomspace if dimension.log else np.linspace
    return tuple(spaced(dimension.low, dimension.high, count).tolist())
