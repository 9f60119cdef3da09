"""The next setting to try, by Optuna's TPE as a function of a study's trials."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial

from autokd.config.space import ALPHA, TRANSFER_SET, Range, Space
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, TransferSet, derive_seed
from autokd.search.optuna_space import distributions, suggest

_REDRAWS: Final = 20
_MOST_TOLD: Final = 100
"""Largest number of ended trials that TPE gets; it computes with each of them for every suggestion."""
_SOME_TIME: Final = datetime(2000, 1, 1)
"""Optuna requires times of trials; the sampler does not use them."""


class Sampler(Protocol):
    """Chooses settings; its state, if any, is a function of the trials that it learned."""

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        """Return the next setting of a study; None if every setting of a grid was tried."""

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        """Of a setting that was proposed just now: whether other pairs had a say in it."""

    def learn(self, study: str, trial: TrialRecord) -> None:
        """Learn from a trial, of any study, that has ended."""


@dataclass(frozen=True, slots=True)
class Tpe:
    """Looks at one study at a time, see `propose`."""

    space: Space
    startup_trials: int

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        """Return the next setting of a study; None if every setting of a grid was tried."""
        return next_setting(self.space, trials, study=study, startup_trials=self.startup_trials)

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        """Return SEARCH: no other pair has an influence."""
        return TrialOrigin.SEARCH

    def learn(self, study: str, trial: TrialRecord) -> None:
        """Do nothing: `suggest` gets all trials of the study."""


def next_setting(
    space: Space, trials: Sequence[TrialRecord], *, study: str, startup_trials: int
) -> Setting | None:
    """The next setting of a study, or None if a grid has nothing left that was not tried.

    The sampler keeps no state: it is made anew from all trials and a seed that derives from the study's name
    and the number of settings tried, so a resumed search asks for what an uninterrupted one would have.

    TPE is multivariate over T, α and transfer set, with one model per conditional group (α exists only on
    labelled sets), and takes running trials for bad ones so that workers spread out (Watanabe 2023,
    arXiv:2304.11127, sections 3.1 and 5). Trials outside the space, such as the default setting in a space
    without it, teach it nothing. Before it is asked, the space's `initial_settings` have their turn.
    """
    tried = {trial.setting for trial in trials}
    for anchor in initial_settings(space):
        if anchor not in tried:
            return anchor
    left = [setting for setting in space.grid() if setting not in tried] if space.is_grid else []
    if space.is_grid and not left:
        return None
    inside = [trial for trial in trials if trial.setting in space and trial.state is not TrialState.FAIL]
    memory = optuna.create_study(direction="maximize")
    parameters = distributions(space)
    memory.add_trials([_known(trial, parameters) for trial in subsample(inside)])
    for redraw in range(_REDRAWS):
        memory.sampler = _sampler(derive_seed(study, "sampler", len(tried), redraw), startup_trials)
        asked = memory.ask()
        setting = suggest(space, asked)
        if setting not in tried:
            return setting
        # A run is a function of its setting and seed: a second one would only spend epochs.
        memory.tell(asked, state=optuna.trial.TrialState.FAIL)
    return left[derive_seed(study, "left", len(tried)) % len(left)] if left else setting


def subsample(trials: Sequence[TrialRecord]) -> Sequence[TrialRecord]:
    """The trials that the sampler is shown, by number: all, or of many so few that its cost stops growing.

    Of many these are what runs, the best quarter of what may be shown, and of the others every so-manieth by
    rank, so that both densities of TPE keep their shape. A trial that ran longer tells more.
    """
    ended = [trial for trial in trials if trial.state is not TrialState.RUNNING]
    if len(ended) <= _MOST_TOLD:
        return trials
    ranked = sorted(ended, key=lambda trial: (trial.epochs, trial.accuracy or 0.0), reverse=True)
    best, others = ranked[: _MOST_TOLD // 4], ranked[_MOST_TOLD // 4 :]
    left = _MOST_TOLD - len(best)
    told = {trial.number for trial in best}
    told |= {others[place * len(others) // left].number for place in range(left)}
    return [trial for trial in trials if trial.state is TrialState.RUNNING or trial.number in told]


def initial_settings(space: Space) -> tuple[Setting, ...]:
    """What a study tries first after the default: each labelled transfer set without the teacher's part.

    Fine-tuning (α = 0) is what a sceptic would hold a distilled student against, and a sampler of a
    continuous range hardly ever draws its very end. T has no effect there; it is 1, or the least that the
    space holds; likewise with what else is searched.
    """
    usual = DEFAULT.values()
    first = {
        name: usual[name] if usual[name] in dimension else _least(dimension)
        for name, dimension in space.dimensions.items()
    }
    labelled = [one for one in space.transfer_set if one is not TransferSet.PUBLIC]
    without = [Setting.from_json({**first, ALPHA: 0.0, TRANSFER_SET: one}) for one in labelled]
    return tuple(setting for setting in without if setting in space)


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


class _Known(FrozenTrial):
    """A trial that is only looked at: Optuna may share it, where copying would cost more than sampling."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _Known:
        return copy(self)


def _known(trial: TrialRecord, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
    values = trial.setting.values()
    params = {name: values[name] for name in distributions if values[name] is not None}
    return _Known(
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
