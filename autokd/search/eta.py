"""The time that is left: a pure function of the work done, the work left, and the time so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from autokd.config.study import StudyConfig, rungs_of
from autokd.core.pair_records import PairRecords
from autokd.core.records import TrialRecord, TrialState
from autokd.recommendation.verdict import WITH_RIVALS
from autokd.search.asha import is_exempt

_PRIOR: Final = 4
"""Weight of the recipe's expectation, in observations."""
_FIRST: Final = 5
"""Number of ended runs before the first forecast."""


@dataclass(frozen=True, slots=True)
class Load:
    """Work in the two units that take time: runs and epochs."""

    runs: float = 0.0
    epochs: float = 0.0

    def __add__(self, other: Load) -> Load:
        return Load(self.runs + other.runs, self.epochs + other.epochs)


NOTHING: Final = Load()


def forecast(done: Load, left: Load, *, seconds: float, training: float) -> float | None:
    """Return the seconds that are left if the work goes on at the pace so far.

    A share `training` of the time depends on epochs; the rest, for handing out, evaluating and recording,
    depends on runs. Both are needed: trials that are stopped early come first and full runs of race and
    confirmation last, so by runs alone the forecast is too short, and by epochs alone too long where runs
    are short.

    Args:
        done: Work that ended in these seconds.
        seconds: Seconds since the first run ended; the start of the workers does not count.
        training: Share in [0, 1]; 0 if it is unknown.

    Returns:
        None while too few runs have ended.
    """
    if not left.runs:
        return 0.0
    if done.runs < _FIRST or seconds <= 0:
        return None
    by_runs = left.runs / done.runs
    by_epochs = left.epochs / done.epochs if done.epochs else by_runs
    return seconds * (training * by_epochs + (1 - training) * by_runs)


def epochs_of_a_trial(
    config: StudyConfig, trials: Iterable[TrialRecord], budgets: Sequence[int] = ()
) -> float:
    """Return the expected epochs of a trial that may be stopped early.

    It is the recipe's expectation (1/`reduction` of the trials at a rung continue), averaged with the trials
    that have ended.

    Args:
        budgets: Epochs of a trial that is not stopped, each as likely; by default the recipe's.
    """
    each = budgets or config.rungs[-1:]
    expected = sum(_expected(config, budget) for budget in each) / len(each)
    ended = (trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED))
    seen = [trial.epochs for trial in ended if not is_exempt(config.search.stopping, trial)]
    return (_PRIOR * expected + sum(seen)) / (_PRIOR + len(seen))


def _expected(config: StudyConfig, budget: int) -> float:
    """Return the recipe's expectation for a trial of one budget."""
    expected, share, before = 0.0, 1.0, 0
    for rung in rungs_of(config.rungs, budget):
        expected += share * (rung - before)
        share, before = share / config.search.stopping.reduction, rung
    return expected


def expected_arms(pairs: Iterable[PairRecords]) -> int:
    """Return how many arms a confirmation is expected to have: by rule 3 most winners have `no_teacher`."""
    return max((2 if pair.rule < WITH_RIVALS else 3 for pair in pairs), default=2)


def runs_of_a_confirmation(
    config: StudyConfig, seen: Sequence[int], *, with_race: bool, arms: int = 2
) -> float:
    """Return the expected race and confirmation runs of a pair: the recipe's, averaged with `seen`.

    Args:
        seen: Number of runs of each finished pair.
        with_race: Whether each pair has a race, as by rule 1.
        arms: Number of arms of a confirmation.
    """
    recipe, looks = config.confirmation, config.confirmation.looks
    raced = recipe.candidates * recipe.race_seeds + 2 * recipe.seeds
    expected = raced if with_race else arms * looks[len(looks) // 2]
    return (_PRIOR * expected + sum(seen)) / (_PRIOR + len(seen))


def trials_of_a_search(config: StudyConfig, seen: Sequence[int]) -> float:
    """Return the expected trials of a search that may end by itself: the recipe's, averaged with `seen`.

    Args:
        seen: Number of trials of each finished pair.
    """
    expected = (config.search.min_trials + config.search.trials) / 2
    return (_PRIOR * expected + sum(seen)) / (_PRIOR + len(seen))
