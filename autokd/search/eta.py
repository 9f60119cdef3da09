"""The time that is left: a pure function of the work done, the work left, and the time so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from autokd.config.study import StudyConfig
from autokd.core.price import Load

_PRIOR: Final = 4
"""Weight of the recipe's expectation, in observations."""
_FIRST: Final = 5
"""Number of ended runs before the first forecast."""


def forecast(done: Load, left: Load, *, seconds: float, training: float) -> float | None:
    """Return the seconds that are left if the work goes on at the pace so far.

    A share `training` of the time depends on training examples; the rest, for handing out, evaluating and
    recording, depends on runs. Both are needed: trials that are stopped early come first and full runs of
    race and confirmation last, so by runs alone the forecast is too short, and by examples alone too long
    where runs are short. Epochs say less: one on both participants' data takes twice as long as one on the
    student's.

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
    by_examples = left.examples / done.examples if done.examples else by_runs
    return seconds * (training * by_examples + (1 - training) * by_runs)


def averaged(expected: Load, seen: Sequence[Load]) -> Load:
    """Return what is expected, averaged with what was seen of finished pairs."""
    return (expected * _PRIOR + sum(seen, Load())) * (1 / (_PRIOR + len(seen)))


def trials_of_a_search(config: StudyConfig, seen: Sequence[int]) -> float:
    """Return the expected trials of a search that may end by itself: the recipe's, averaged with `seen`.

    Args:
        seen: Number of trials of each finished pair.
    """
    expected = (config.search.min_trials + config.search.trials) / 2
    return (_PRIOR * expected + sum(seen)) / (_PRIOR + len(seen))
