"""How many trials each study gets: retries apart for one pair, shared by promise within a meeting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy.special import ndtr

from autokd.config.study import SearchConfig
from autokd.core.records import Failure, Role, TrialRecord, TrialState
from autokd.core.setting import Pair, Setting


class Attempt(NamedTuple):
    """What a trial set out to run; a retry is another trial with the same attempt."""

    role: Role
    setting: Setting
    seed: int


def attempt(trial: TrialRecord) -> Attempt:
    """The attempt a trial belongs to."""
    return Attempt(trial.role, trial.setting, trial.seed)


def to_retry(trials: Sequence[TrialRecord], retries: int) -> tuple[Attempt, ...]:
    """Attempts whose every trial so far died of something that may not come again, oldest first.

    An interruption by the user is always made up for; infrastructure and memory up to `retries` times.
    """
    # Asked for every run that is handed out, while hardly any trial fails.
    if not any(trial.state is TrialState.FAIL for trial in trials):
        return ()
    attempts: dict[Attempt, list[TrialRecord]] = {}
    for trial in trials:
        attempts.setdefault(attempt(trial), []).append(trial)
    return tuple(one for one, made in attempts.items() if _worth_retrying(made, retries))


def _worth_retrying(made: Sequence[TrialRecord], retries: int) -> bool:
    failures = [trial.failure for trial in made]
    if any(failure is None or not failure.retried for failure in failures):
        return False
    return sum(failure is not Failure.INTERRUPTED for failure in failures) <= retries


def spent(trials: Sequence[TrialRecord]) -> int:
    """Trials that count against the budget: distinct attempts, whatever became of them."""
    return len({attempt(trial) for trial in trials})


def next_in_meeting(
    plan: SearchConfig, meeting: Mapping[Pair, Sequence[TrialRecord]], *, validation_examples: int
) -> Pair | None:
    """Which of a meeting's searched pairs gets the next new trial; None when the budget is spent.

    A pair alone gets `plan.trials`. Two pairs share twice as many: each gets the floor first; the rest goes,
    in proportion, to the probability that a pair's best student really is the meeting's best. Both pairs'
    students are judged by accuracy on one split common to all, so their figures compare directly, and
    whichever position a participant takes, it ends with one of those two models.
    """
    counts = {pair: spent(trials) for pair, trials in meeting.items()}
    if sum(counts.values()) >= plan.trials * len(meeting):
        return None
    floor = math.ceil(plan.floor * plan.trials) if len(meeting) > 1 else plan.trials
    fewest = min(counts, key=counts.__getitem__)
    if counts[fewest] < floor:
        return fewest
    weights = promise(meeting, validation_examples=validation_examples)
    return min(counts, key=lambda pair: ((counts[pair] - floor + 1) / weights[pair], pair))


def promise(meeting: Mapping[Pair, Sequence[TrialRecord]], *, validation_examples: int) -> dict[Pair, float]:
    """Probability that each pair's best trial is better than the other pair's, given the noise of the split.

    Φ(difference ÷ its standard error), with independent binomial errors of n validation examples. Each pair
    keeps at least 0.02, so that no proportion degenerates. Sums to about 1.
    """
    best = {pair: _best_accuracy(trials) for pair, trials in meeting.items()}
    if len(best) == 1:
        return dict.fromkeys(best, 1.0)
    variance = sum(accuracy * (1 - accuracy) for accuracy in best.values()) / validation_examples
    # A perfect accuracy has no binomial variance; one example's worth keeps the ratio finite.
    error = max(math.sqrt(variance), 1 / validation_examples)
    total = sum(best.values())
    return {
        pair: min(max(float(ndtr((2 * accuracy - total) / error)), 0.02), 0.98)
        for pair, accuracy in best.items()
    }


def _best_accuracy(trials: Sequence[TrialRecord]) -> float:
    finished = (trial.accuracy for trial in trials if trial.state is TrialState.COMPLETE)
    return max((accuracy for accuracy in finished if accuracy is not None), default=0.0)
