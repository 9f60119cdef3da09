"""The next setting to try, by Optuna's TPE as a function of a study's trials."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial

from autokd.config.objective import Objective
from autokd.config.space import ALPHA, LABEL_PRIOR, TRANSFER_SET, Range, Space
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, TransferSet, derive_seed
from autokd.search.ending import Prospects
from autokd.search.optuna_space import distributions, suggest

_REDRAWS: Final = 20
_MOST_ENDED: Final = 100
"""Largest number of ended trials that TPE gets; it computes with each of them for every suggestion."""
_SOME_TIME: Final = datetime(2000, 1, 1)
"""Optuna requires times of trials; the sampler does not use them."""


class Sampler(Protocol):
    """Chooses settings; its state, if any, is a function of the trials that it learned."""

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        """Return the next setting of a study; None if every setting of a grid was tried."""

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        """Return the origin of a setting that was just suggested: whether other pairs influenced it."""

    def learn(self, study: str, trial: TrialRecord) -> None:
        """Learn from a trial, of any study, that has ended."""

    def prospects(self, study: str, trials: Sequence[TrialRecord], aims: Objective) -> Prospects | None:
        """Return what may still become the answer of a pair; None if the sampler believes nothing of it."""

    def expected(
        self, study: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]
    ) -> NDArray[np.float64] | None:
        """Return the expected gains of any settings in pp; None if the sampler believes nothing of them."""


@dataclass(frozen=True, slots=True)
class Tpe(Sampler):
    """Suggests settings by TPE from the trials of one study; it keeps no state.

    Optuna's sampler is made anew for each suggestion, from all trials and a seed that derives from the
    study's name and the number of settings tried, so a resumed search gets the same suggestions.

    TPE is multivariate over T, α and transfer set, with one model per conditional group (α exists only on
    labelled sets), and counts running trials as bad ones so that workers spread out (Watanabe 2023,
    arXiv:2304.11127, sections 3.1 and 5). It does not learn from trials outside the space, such as the
    default setting in a space without it. The space's `initial_settings` come before its suggestions.
    """

    space: Space
    startup_trials: int

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        space, tried = self.space, {trial.setting for trial in trials}
        for setting in initial_settings(space):
            if setting not in tried:
                return setting
        left = [setting for setting in space.grid() if setting not in tried] if space.is_grid else []
        if space.is_grid and not left:
            return None
        inside = [trial for trial in trials if trial.setting in space and trial.state is not TrialState.FAIL]
        memory, parameters = optuna.create_study(direction="maximize"), distributions(space)
        memory.add_trials([_frozen(trial, parameters) for trial in subsample(inside)])
        for redraw in range(_REDRAWS):
            seed = derive_seed(study, "sampler", len(tried), redraw)
            memory.sampler = _sampler(seed, self.startup_trials)
            asked = memory.ask()
            setting = suggest(space, asked)
            if setting not in tried:
                return setting
            # A run is a function of its setting and seed: a second one would only spend epochs.
            memory.tell(asked, state=optuna.trial.TrialState.FAIL)
        return left[derive_seed(study, "left", len(tried)) % len(left)] if left else setting

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        """Return SEARCH: no other pair has an influence."""
        return TrialOrigin.SEARCH

    def learn(self, study: str, trial: TrialRecord) -> None:
        """Do nothing: `suggest` gets all trials of the study."""

    def prospects(self, study: str, trials: Sequence[TrialRecord], aims: Objective) -> None:
        """Return None: TPE ranks settings and does not say how much they may gain."""

    def expected(self, study: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]) -> None:
        """Return None, as `prospects` does."""


def subsample(trials: Sequence[TrialRecord]) -> Sequence[TrialRecord]:
    """Return the trials that the sampler gets: all of them, or so many that its cost stops growing.

    These are the running trials, the best of the ended ones, and others at equal distances by rank, so that
    both densities of TPE keep their shape. Trials that ran longer rank higher.
    """
    ended = [trial for trial in trials if trial.state is not TrialState.RUNNING]
    if len(ended) <= _MOST_ENDED:
        return trials
    ranked = sorted(ended, key=lambda trial: (trial.epochs, trial.accuracy or 0.0), reverse=True)
    best, others = ranked[: _MOST_ENDED // 4], ranked[_MOST_ENDED // 4 :]
    left = _MOST_ENDED - len(best)
    chosen = {trial.number for trial in best}
    chosen |= {others[place * len(others) // left].number for place in range(left)}
    return [trial for trial in trials if trial.state is TrialState.RUNNING or trial.number in chosen]


def initial_settings(space: Space) -> tuple[Setting, ...]:
    """Return what a study tries first after the default: plain fine-tuning on each labelled transfer set.

    `student_public` has no labels that `student` lacks.

    Fine-tuning (α = 0) is the simplest alternative to distillation, and a sampler of a continuous range
    hardly ever draws its very end. It is tried with each label prior of the space. Every other dimension has
    its default, or the least value of the space.
    """
    defaults = DEFAULT.values()
    values = {
        name: defaults[name] if defaults[name] in dimension else _least(dimension)
        for name, dimension in space.dimensions.items()
        if name in defaults  # Without a teacher it does not matter which ones teach.
    }
    settings = (
        Setting.from_json(values | {ALPHA: 0.0, TRANSFER_SET: transfer_set, LABEL_PRIOR: label_prior})
        for label_prior in space.label_prior
        for transfer_set in space.transfer_set
        if transfer_set not in (TransferSet.PUBLIC, TransferSet.STUDENT_PUBLIC)
    )
    return tuple(setting for setting in settings if setting in space)


def _least(dimension: Range | tuple[Any, ...]) -> Any:
    """Return the low end of a range, or the first of names."""
    if isinstance(dimension, Range):
        return dimension.low
    return dimension[0] if isinstance(dimension[0], str) else min(dimension)


def _sampler(seed: int, startup_trials: int) -> TPESampler:
    with warnings.catch_warnings():
        # `group` is marked experimental; without it alpha, absent on `public`, would be sampled alone.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(
            seed=seed % 2**32,
            n_startup_trials=startup_trials,
            multivariate=True,
            group=True,
            constant_liar=True,
        )


class _SharedTrial(FrozenTrial):
    """A trial that Optuna only reads; copying it deeply would cost more than sampling."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _SharedTrial:
        return copy(self)


def _frozen(trial: TrialRecord, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
    left_open = (
        name
        for name, distribution in distributions.items()
        if isinstance(distribution, CategoricalDistribution) and None in distribution.choices
    )
    values = {**dict.fromkeys(left_open), **trial.setting.parameters()}
    params = {name: values[name] for name in distributions if name in values}
    return _SharedTrial(
        number=trial.number,
        trial_id=trial.number,
        state=optuna.trial.TrialState[trial.state.name],
        value=trial.accuracy if trial.state is TrialState.COMPLETE else None,
        datetime_start=_SOME_TIME,
        datetime_complete=None if trial.state is TrialState.RUNNING else _SOME_TIME,
        params=params,
        distributions={name: distributions[name] for name in params},
        user_attrs={},
        system_attrs={},
        intermediate_values=dict(trial.curve),
    )
