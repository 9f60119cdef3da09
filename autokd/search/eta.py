"""How long what is left will take: a pure function of what was done, what is left, and the time so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from autokd.config.study import StudyConfig
from autokd.core.records import TrialRecord, TrialState
from autokd.search.asha import is_exempt

_PRIOR: Final = 4
"""What the plan lets one expect weighs as much as so many of what was seen."""
_FIRST: Final = 5
"""Before so many runs have ended there is no forecast."""


@dataclass(frozen=True, slots=True)
class Load:
    """Work in the two measures by which it takes time: each run costs something, and so does each epoch."""

    runs: float = 0.0
    epochs: float = 0.0

    def __add__(self, other: Load) -> Load:
        return Load(self.runs + other.runs, self.epochs + other.epochs)


NOTHING: Final = Load()


def forecast(done: Load, left: Load, *, seconds: float, training: float) -> float | None:
    """Seconds that are left, if what is left goes as what is done went.

    A share `training` of the time goes by epochs; the rest, which is spent on handing out, evaluating and
    recording runs, goes by runs. Trials that are stopped early come first and full runs of race and
    confirmation last, so neither measure alone would do: by runs the end comes too early, by epochs too late
    where runs are short.

    Args:
        done: What ended in these seconds.
        left: What is still to be done.
        seconds: Since the first run ended, so that the start of workers does not count.
        training: In [0, 1]; 0 where it is not known.

    Returns:
        None while too little is done to tell.
    """
    if not left.runs:
        return 0.0
    if done.runs < _FIRST or seconds <= 0:
        return None
    by_runs = left.runs / done.runs
    by_epochs = left.epochs / done.epochs if done.epochs else by_runs
    return seconds * (training * by_epochs + (1 - training) * by_runs)


def epochs_of_a_trial(plan: StudyConfig, trials: Iterable[TrialRecord]) -> float:
    """Epochs to expect of a trial that may be stopped early: the plan's, or the more are seen theirs.

    By the plan, 1/`reduction` of the trials at a rung go on.
    """
    expected, share, before = 0.0, 1.0, 0
    for rung in plan.rungs:
        expected += share * (rung - before)
        share, before = share / plan.search.stopping.reduction, rung
    seen = [trial.epochs for trial in trials if _ended(trial) and not is_exempt(plan.search.stopping, trial)]
    return (_PRIOR * expected + sum(seen)) / (_PRIOR + len(seen))


def runs_of_a_confirmation(plan: StudyConfig, seen: Iterable[int]) -> float:
    """Race and confirmation runs to expect of a pair: the plan's, or the more pairs are over theirs.

    Args:
        plan: What is to be done.
        seen: How many runs each pair took that is over.
    """
    recipe, counts = plan.confirmation, list(seen)
    most = recipe.candidates * recipe.race_seeds + 2 * recipe.seeds
    return (_PRIOR * most + sum(counts)) / (_PRIOR + len(counts))


def _ended(trial: TrialRecord) -> bool:
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
