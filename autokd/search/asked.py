"""Which of the settings that the user asked for are still to be run in a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autokd.config.study import StudyConfig
from autokd.config.training import DistillationConfig
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import BatchNorm, Schedule, Setting, plain


def asked_left(config: StudyConfig, trials: Sequence[TrialRecord]) -> tuple[Setting, ...]:
    """Return the settings asked for that no trial of a study has run, in the order in which they were asked.

    A trial that was stopped early has not answered the question, so its setting is run again, to the end. One
    that failed is not: it would fail again, or its retry is due anyway (see `autokd.search.budget`).
    """
    # This is called for every run that is handed out, while hardly any study asks for something.
    if not config.search.asked:
        return ()
    recipe = config.distillation
    settled = {completed(trial.setting, recipe) for trial in trials if _settles(trial)}
    left = {completed(setting, recipe): setting for setting in reversed(config.search.asked)}
    return tuple(setting for run, setting in reversed(left.items()) if run not in settled)


def ran_before(config: StudyConfig, trials: Sequence[TrialRecord]) -> tuple[Setting, ...]:
    """Return the settings asked for that ran to their end as trials which nobody had asked for."""
    recipe = config.distillation
    asked = {completed(trial.setting, recipe) for trial in trials if trial.role is TrialOrigin.ASKED}
    ended = {completed(trial.setting, recipe) for trial in trials if trial.state is TrialState.COMPLETE}
    return tuple(setting for setting in config.search.asked if completed(setting, recipe) in ended - asked)


def _settles(trial: TrialRecord) -> bool:
    """Return whether a trial makes another one of the same setting needless."""
    if trial.role is TrialOrigin.ASKED or trial.state in (TrialState.RUNNING, TrialState.COMPLETE):
        return True
    return trial.failure is not None and not trial.failure.is_transient


def completed(setting: Setting, recipe: DistillationConfig) -> Setting:
    """Return a setting with the recipe's values where it leaves them open: equal ones are the same run."""
    return replace(
        plain(setting),
        learning_rate=setting.learning_rate or recipe.learning_rate,
        epochs=setting.epochs or recipe.epochs,
        batch_norm=setting.batch_norm or BatchNorm(recipe.batch_norm),
        schedule=setting.schedule or Schedule(recipe.schedule),
    )
