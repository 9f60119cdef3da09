"""Which setting to try next, by what this pair and all others have shown so far."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from autokd.config.space import ALPHA, LEARNING_RATE, TEMPERATURE, Range, Space
from autokd.config.training import DistillationConfig
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting
from autokd.search.gaussian_process import KernelParameters, Posterior, Surrogate, Task, condition, encode
from autokd.search.tpe import Tpe, initial_settings

SCALE: Final = 10.0
"""A large gain, in pp: the unit of the prior's variances."""
MOST: Final = 1_000
"""Runs to learn from: by then what pairs share is known, and a belief costs the driver 10 ms."""
_HELD_BYTES: Final = 2**25
"""Of beliefs kept: those of 130 studies in the default space; more are hardly ever open at once."""
_TEMPERATURES: Final = 7
_ALPHAS: Final = 9
_RATES: Final = 4
"""Values to consider of a continuous dimension; gains change little from one to the next."""
_MOST_CANDIDATES: Final = 512
"""Of a larger lattice this many are considered, drawn once and for all."""


class _Held(NamedTuple):
    """A belief, how many runs had been learned from by then, and which of the pair's own it counts."""

    belief: Posterior
    runs: int
    own: frozenset[int]


@final
class GpSampler:
    """Proposes settings by expected improvement under a `Surrogate` that learns from every pair's runs.

    What it proposes is a function of the trials that it was shown, in whatever order as long as these are not
    more than it learns from. It is the setting with the largest expected improvement (Jones et al. 1998,
    "Efficient global optimization", section 4.1) over what the pair could answer already: its best run so
    far, or to leave the model as it is. Trials under way count as if they had come to what is believed of
    them, so that workers spread out.

    Args:
        space: Where to search; a continuous one is looked at on a lattice, and left to TPE afterwards.
        subjects: Every pair that is asked about or learned from, by the name of its study.
        own: Accuracy of each study's student as it is, on validation, in [0, 1].
        startup_trials: For TPE.
        usual: The recipe that settings leave things to.
    """

    def __init__(
        self,
        space: Space,
        *,
        subjects: Mapping[str, Task],
        own: Mapping[str, float],
        startup_trials: int,
        prior: KernelParameters | None = None,
        scale: float = SCALE,
        most: int = MOST,
        usual: DistillationConfig | None = None,
    ) -> None:
        self._subjects, self._own = subjects, own
        self._surrogate = Surrogate(prior or KernelParameters(), scale=scale, most=most, usual=usual)
        self._candidates = candidate_settings(space)
        self._most_held = max(1, _HELD_BYTES // (8 * len(self._candidates) ** 2))
        self._places = {setting: place for place, setting in enumerate(self._candidates)}
        self._encoded = encode(self._candidates, usual)
        self._inside = np.array([setting in space for setting in self._candidates])
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._learned: dict[str, set[int]] = {}
        self._last = Tpe(space, startup_trials=startup_trials)

    def learn(self, study: str, trial: TrialRecord) -> None:
        """Take note of how a trial ended; only runs to the end tell a gain."""
        if trial.state is TrialState.COMPLETE:
            before = self._surrogate.runs
            self._surrogate.learn(self._subjects[study], trial.setting, self._gain(study, trial))
            if self._surrogate.runs > before:
                self._learned.setdefault(study, set()).add(trial.number)

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        """The next setting of a study, or None if a grid has nothing left that was not tried."""
        tried = {trial.setting for trial in trials}
        open_ = self._inside & np.array([setting not in tried for setting in self._candidates])
        if not open_.any():
            return self._last.suggest(study, trials)
        belief = self.belief(study, trials)
        finished = [trial for trial in trials if trial.state is TrialState.COMPLETE]
        best = max((self._gain(study, trial) for trial in finished), default=0.0)
        promise = expected_improvement(belief, max(best, 0.0))
        return self._candidates[int(np.where(open_, promise, -np.inf).argmax())]

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        """Whether runs of other pairs were among those that a proposal rests on."""
        others = self._surrogate.runs > len(self._learned.get(study, ()))
        return TrialOrigin.TRANSFERRED if others and setting in self._places else TrialOrigin.SEARCH

    def expectation(self, study: str) -> tuple[Setting, float, float]:
        """The setting of which the most is expected from what was learned, and the gain of a run with it.

        Returns:
            Setting, mean and standard deviation of a single run's gain, in pp.
        """
        belief = self._surrogate.predict(self._subjects[study], self._encoded)
        best = int(np.where(self._inside, belief.mean, -np.inf).argmax())
        variance = float(belief.covariance[best, best]) + self._surrogate.noise
        return self._candidates[best], float(belief.mean[best]), float(np.sqrt(max(variance, 0.0)))

    @property
    def runs(self) -> int:
        """Learned from."""
        return self._surrogate.runs

    @property
    def pairs(self) -> int:
        """Of which runs were learned from."""
        return len(self._learned)

    def belief(self, study: str, trials: Sequence[TrialRecord]) -> Posterior:
        """What is thought of the candidates now, trials under way taken for what is believed of them."""
        belief = self._formed(study, trials)
        for trial in trials:
            place = self._places.get(trial.setting)
            if trial.state is TrialState.RUNNING and place is not None:
                belief = condition(belief, place, float(belief.mean[place]), self._surrogate.noise)
        return belief

    def _formed(self, study: str, trials: Sequence[TrialRecord]) -> Posterior:
        """From all runs that were learned from, and those of the pair's own that came too late for that."""
        own = {trial.number: trial for trial in trials if trial.state is TrialState.COMPLETE}
        held = self._held.get(study)
        if held is None or held.runs < self._surrogate.runs:
            belief = self._surrogate.predict(self._subjects[study], self._encoded)
            counted = frozenset(self._learned.get(study, ()))
        else:
            belief, counted = held.belief, held.own
        for number in sorted(own.keys() - counted):
            if (place := self._places.get(own[number].setting)) is not None:
                belief = condition(belief, place, self._gain(study, own[number]), self._surrogate.noise)
        self._held[study] = _Held(belief, self._surrogate.runs, counted | own.keys())
        self._held.move_to_end(study)
        if len(self._held) > self._most_held:
            self._held.popitem(last=False)
        return belief

    def _gain(self, study: str, trial: TrialRecord) -> float:
        return 100 * ((trial.accuracy or 0.0) - self._own[study])


def expected_improvement(belief: Posterior, best: float) -> NDArray[np.float64]:
    """E[max(0, gain − best)] of each setting, in pp."""
    deviation = belief.deviation
    above = (belief.mean - best) / deviation
    density = np.exp(-0.5 * above**2) / np.sqrt(2 * np.pi)
    improvement: NDArray[np.float64] = deviation * (above * ndtr(above) + density)
    return improvement


def candidate_settings(space: Space) -> tuple[Setting, ...]:
    """Return the settings to choose from: a grid itself, else a lattice; and the default setting.

    Without the teacher's part (α = 0) temperature and method have no effect: there is one of these a set.
    """
    if space.is_grid:
        return tuple(dict.fromkeys([*space.grid(), DEFAULT]))
    counts = {TEMPERATURE: _TEMPERATURES, ALPHA: _ALPHAS, LEARNING_RATE: _RATES}
    lists = {
        name: _values(dimension, counts[name]) if isinstance(dimension, Range) else dimension
        for name, dimension in space.dimensions.items()
    }
    points = Space.model_validate(
        {**space.model_dump(), **{name: tuple(lists[name]) for name in counts if name in lists}}
    )
    settings = [setting for setting in points.grid() if setting.alpha != 0]
    if len(settings) > _MOST_CANDIDATES:
        settings = random.Random(0).sample(settings, _MOST_CANDIDATES)
    return tuple(dict.fromkeys([*initial_settings(space), *settings, DEFAULT]))


def _values(dimension: Range, count: int) -> Sequence[float]:
    if dimension.low == dimension.high:
        return (dimension.low,)
    spaced = np.geomspace if dimension.log else np.linspace
    values = [float(value) for value in spaced(dimension.low, dimension.high, count)]
    # The ends exactly: rounding must not leave the space.
    return [dimension.low, *values[1:-1], dimension.high]
