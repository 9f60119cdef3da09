"""The next setting to try, chosen by a Gaussian process that learns from the runs of all pairs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from autokd.config.objective import Objective
from autokd.config.space import EPOCHS, Space
from autokd.config.training import DistillationConfig
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Setting
from autokd.search.acquisition import CENTRES, climbed, expected_improvement
from autokd.search.candidates import candidate_settings, is_small, neighbours
from autokd.search.curves import shown
from autokd.search.ending import Prospects, prospects
from autokd.search.gaussian_process import Posterior, Prediction, Surrogate, condition
from autokd.search.kernel import LARGE, Array, KernelParameters, Task, encode
from autokd.search.start import start_setting
from autokd.search.tpe import Sampler, Tpe

SCALE: Final = 10.0
"""Size of a large gain, in pp: the variances of `KernelParameters` are in units of its square."""
MOST: Final = 1_000
"""Largest number of runs to learn from; with so many, a posterior takes the driver 10 ms."""
_CACHE_BYTES: Final = 2**27
"""Memory for cached predictions, enough for 80 open studies in the default space after 1,000 runs."""
_INFORMATIVE: Final = (TrialState.COMPLETE, TrialState.PRUNED)


class _Belief(NamedTuple):
    """The posterior of a pair's gains, and the settings that it is about."""

    settings: tuple[Setting, ...]
    posterior: Posterior

    def of(self, settings: Sequence[Setting]) -> Posterior:
        """Return the part of some of the settings."""
        if tuple(settings) == self.settings:
            return self.posterior
        places = {setting: place for place, setting in enumerate(self.settings)}
        chosen = [places[setting] for setting in settings]
        mean, covariance = self.posterior
        return Posterior(mean[chosen], covariance[np.ix_(chosen, chosen)])


@final
class GpSampler(Sampler):
    """Suggests settings by expected improvement under a `Surrogate` that learns from the runs of all pairs.

    The suggestion is a function of the trials that were learned; their order does not matter up to `most`
    runs. It is the setting with the largest expected improvement (Jones et al. 1998, "Efficient global
    optimization", section 4.1) over the best result so far: the pair's best run, or the model as it is. A
    trial in progress counts as if it had reached its expected gain, so that parallel trials differ.

    A space of few settings is considered whole; after its lattice TPE chooses. In a larger one, each study
    begins with its `start_setting`, and local moves lead from the best of a fixed set to what lies between.

    Args:
        tasks: Every pair that is searched or learned from, by the name of its study.
        initial_accuracy: Validation accuracy of each study's student before distillation, in [0, 1].
        startup_trials: Number of random trials before TPE's model.
        recipe: Values that a setting does not set.
        most: Largest number of runs to learn from.
        permits: Whether a setting of the space may be tried in a study; by default all may.
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
        permits: Callable[[str, Setting], bool] = lambda study, setting: True,
    ) -> None:
        self._tasks, self._initial, self._recipe = tasks, initial_accuracy, recipe
        self._space, self._moves, self._permits = space, not is_small(space), permits
        prior = prior or (LARGE if self._moves else KernelParameters())
        self._surrogate = Surrogate(prior, scale=SCALE, most=most, recipe=recipe)
        self._budgets = EPOCHS in space.dimensions
        self._start = start_setting(space)
        self._candidates = candidate_settings(space)
        candidates = len(self._candidates)
        self._most_cached = max(1, _CACHE_BYTES // (8 * candidates * (candidates + most)))
        self._places = {setting: place for place, setting in enumerate(self._candidates)}
        self._encoded = encode(self._candidates, recipe)
        self._inside = np.array([setting in space for setting in self._candidates])
        self._cache: OrderedDict[str, Prediction] = OrderedDict()
        self._learned: dict[str, set[int]] = {}
        self._after_lattice = Tpe(space, startup_trials=startup_trials)

    def learn(self, study: str, trial: TrialRecord) -> None:
        """Learn from a trial that has ended with a gain, at its full budget or where it was stopped early.

        Where epochs are searched, a trial that was stopped shows what its setting gains with the epochs that
        it has run. Elsewhere, it would have gained more, but hardly enough to become the best. So what it
        had reached tells nearly as much as its end would, and it costs no further run.
        """
        if trial.state in _INFORMATIVE:
            before = self._surrogate.runs
            self._surrogate.learn(self._tasks[study], self._shown(trial), self._gain(study, trial))
            if self._surrogate.runs > before:
                self._learned.setdefault(study, set()).add(trial.number)

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        tried = {trial.setting for trial in trials}
        if self._start is not None and self._start not in tried and self._permits(study, self._start):
            return self._start
        inside = self._open(study)
        untried = inside & np.array([setting not in tried for setting in self._candidates])
        if not untried.any():
            return self._after_lattice.suggest(study, trials)
        finished = [trial for trial in trials if trial.state is TrialState.COMPLETE]
        best = max(max((self._gain(study, trial) for trial in finished), default=0.0), 0.0)
        posterior = self.posterior(study, trials)
        values = np.where(untried, expected_improvement(posterior, best), -np.inf)
        if not self._moves:
            return self._candidates[int(values.argmax())]
        likely = np.argsort(np.where(inside, -posterior.mean, np.inf), kind="stable")[:CENTRES]
        return climbed(
            dict(zip(self._candidates, values.tolist(), strict=True)) | dict.fromkeys(tried, -np.inf),
            [self._candidates[place] for place in likely],
            neighbours=lambda setting: [
                move for move in neighbours(self._space, setting) if self._permits(study, move)
            ],
            value=lambda moves: expected_improvement(self._of_moves(study, trials, moves), best),
        )

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        """Return the origin of a suggestion: TRANSFERRED if runs of other pairs influenced it."""
        if setting == self._start:
            return TrialOrigin.SEARCH
        others = self._surrogate.runs > len(self._learned.get(study, ()))
        ours = self._moves or setting in self._places
        return TrialOrigin.TRANSFERRED if others and ours else TrialOrigin.SEARCH

    def expectation(self, study: str) -> tuple[Setting, float, float]:
        """Return the setting with the largest expected gain; mean and deviation of a run there, in pp."""
        posterior = self._surrogate.predict(self._tasks[study], self._encoded)
        best = int(np.where(self._open(study), posterior.mean, -np.inf).argmax())
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
        return self._belief(study, trials).of(self._candidates)

    def prospects(self, study: str, trials: Sequence[TrialRecord], aims: Objective) -> Prospects | None:
        """Return the settings that may still become the answer of a pair; None if there is none.

        These are the candidates in the space and what the pair has run to the end. Trials in progress do not
        count: only what has ended is known.
        """
        inside = [setting for setting, here in zip(self._candidates, self._open(study), strict=True) if here]
        ended = [trial for trial in trials if trial.state in _INFORMATIVE]
        settings = tuple(dict.fromkeys([*inside, *(trial.setting for trial in ended)]))
        posterior = self._belief(study, ended).of(settings)
        return prospects(settings, posterior, trials, aims=aims, noise=self._surrogate.noise)

    def expected(self, study: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]) -> Array:
        """Return the expected gains of any settings, in pp, from all that has ended."""
        ended = [trial for trial in trials if trial.state in _INFORMATIVE]
        return self._of_moves(study, ended, settings).mean

    def _open(self, study: str) -> NDArray[np.bool_]:
        """Return which candidates may be tried in a study."""
        permitted = np.array([self._permits(study, setting) for setting in self._candidates])
        both: NDArray[np.bool_] = self._inside & permitted
        return both

    def _belief(self, study: str, trials: Sequence[TrialRecord]) -> _Belief:
        """Return what is believed of the candidates and of the settings of these trials, given the trials."""
        task, prediction, later = self._tasks[study], self._of_candidates(study), self._later(study, trials)
        ran = [trial.setting for trial in trials if trial.state is not TrialState.FAIL]
        settings = tuple(dict.fromkeys([*self._candidates, *ran, *(setting for setting, _ in later)]))
        if further := settings[len(self._candidates) :]:
            encoded = encode(further, self._recipe)
            more = self._surrogate.extend(task, encoded)
            prediction = self._surrogate.joined(task, prediction, self._encoded, more, encoded)
        return self._given(later, _Belief(settings, self._surrogate.posterior(prediction)))

    def _of_moves(self, study: str, trials: Sequence[TrialRecord], moves: Sequence[Setting]) -> Posterior:
        """Return the posterior of other settings than candidates, given the trials."""
        later = self._later(study, trials)
        settings = tuple(dict.fromkeys([*moves, *(setting for setting, _ in later)]))
        posterior = self._surrogate.predict(self._tasks[study], encode(settings, self._recipe))
        return self._given(later, _Belief(settings, posterior)).of(moves)

    def _given(self, later: Sequence[tuple[Setting, float | None]], belief: _Belief) -> _Belief:
        """Return a belief given further gains; None for a gain as it is expected."""
        settings, posterior = belief
        places = {setting: place for place, setting in enumerate(settings)}
        for setting, gain in later:
            place = places[setting]
            expected = float(posterior.mean[place])
            posterior = condition(posterior, place, expected if gain is None else gain, self._surrogate.noise)
        return _Belief(settings, posterior)

    def _later(self, study: str, trials: Iterable[TrialRecord]) -> list[tuple[Setting, float | None]]:
        """Return what trials show that the surrogate has not learned: those that run, or came too late.

        What runs has no gain yet, and comes last.
        """
        learned = self._learned.get(study, set())
        ended = [trial for trial in trials if trial.state in _INFORMATIVE and trial.number not in learned]
        known = [(self._shown(trial), self._gain(study, trial)) for trial in sorted(ended, key=_number)]
        running = (trial for trial in trials if trial.state is TrialState.RUNNING)
        return [*known, *((trial.setting, None) for trial in sorted(running, key=_number))]

    def _shown(self, trial: TrialRecord) -> Setting:
        """Return the setting whose gain an ended trial shows."""
        return shown(trial, self._recipe) if self._budgets else trial.setting

    def _of_candidates(self, study: str) -> Prediction:
        """Return the prediction for the candidates from all learned runs."""
        prediction = self._surrogate.extend(self._tasks[study], self._encoded, self._cache.get(study))
        self._cache[study] = prediction
        self._cache.move_to_end(study)
        if len(self._cache) > self._most_cached:
            self._cache.popitem(last=False)
        return prediction

    def _gain(self, study: str, trial: TrialRecord) -> float:
        return 100 * ((trial.accuracy or 0.0) - self._initial[study])


def _number(trial: TrialRecord) -> int:
    return trial.number
