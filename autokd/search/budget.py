"""The number of trials of each study: a fixed budget for one pair, a shared one for the two of a meeting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from scipy.special import ndtr

from autokd.config.search import SearchConfig
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import AnyPair, Setting
from autokd.recommendation.race import to_be_run

P = TypeVar("P", bound=AnyPair)


def _attempt(trial: TrialRecord) -> tuple[TrialOrigin, Setting, int]:
    """Return what a trial set out to run; a retry is another trial of the same attempt."""
    return trial.role, trial.setting, trial.seed


def to_retry(trials: Sequence[TrialRecord], retries: int) -> tuple[TrialRecord, ...]:
    """Return the first trial of each attempt that is to be tried again (see `to_be_run`), oldest first."""
    # This is called for every run that is handed out, while hardly any trial fails.
    if not any(trial.state is TrialState.FAIL for trial in trials):
        return ()
    attempts: dict[tuple[TrialOrigin, Setting, int], list[TrialRecord]] = {}
    for trial in trials:
        attempts.setdefault(_attempt(trial), []).append(trial)
    return tuple(attempt[0] for attempt in attempts.values() if to_be_run(attempt, retries))


def trials_used(trials: Sequence[TrialRecord]) -> int:
    """Return the number of trials that count against the budget: retries count once with the first try."""
    return len(set(map(_attempt, trials)))


def trials_ended(trials: Sequence[TrialRecord]) -> int:
    """Return the number of trials that showed something: one that was interrupted, say, shows nothing."""
    return sum(
        trial.state is not TrialState.RUNNING and (trial.failure is None or not trial.failure.is_transient)
        for trial in trials
    )


def next_in_meeting(
    search: SearchConfig,
    meeting: Mapping[P, Sequence[TrialRecord]],
    *,
    validation_examples: float,
    shared: bool = False,
) -> P | None:
    """Return which of a meeting's searched pairs gets the next new trial; None when the budget is used up.

    A pair gets at most `search.trials`. Of two pairs each gets at least the floor, a share of the trials that
    a pair of the meeting has so far on average. The rest is divided in proportion to the probability that a
    pair's best student is the meeting's best. Both students' accuracies are measured on the same split, so
    they compare directly; and whichever position a participant takes, it ends with one of these two models.
    (Where each student has a target of its own, they compare roughly, and the floor sees to it that neither
    pair is starved.)

    Args:
        shared: Whether two pairs share twice `search.trials` instead, and the floor is a share of these, as
            in studies of rule 1.
    """
    counts = {pair: trials_used(trials) for pair, trials in meeting.items()}
    if not shared:
        counts = {pair: count for pair, count in counts.items() if count < search.trials}
        meeting = {pair: meeting[pair] for pair in counts}
    total = sum(counts.values())
    if not counts or total >= search.trials * len(meeting):
        return None
    each = search.trials if shared or len(meeting) == 1 else (total + 1) / len(meeting)
    floor = math.ceil(search.floor * each) if len(meeting) > 1 else search.trials
    fewest = min(counts, key=counts.__getitem__)
    if counts[fewest] < floor:
        return fewest
    weights = probability_best(meeting, validation_examples=validation_examples)
    return min(counts, key=lambda pair: ((counts[pair] - floor + 1) / weights[pair], pair))


def probability_best(
    meeting: Mapping[P, Sequence[TrialRecord]], *, validation_examples: float
) -> dict[P, float]:
    """Return the probability of each pair that its best trial is better than the other pair's.

    It is Φ(difference ÷ its standard error), with independent binomial errors of n (effective) validation
    examples.
    Each pair keeps at least 0.02, so that no proportion degenerates. The sum is about 1.
    """
    finished = {
        pair: [trial.accuracy or 0.0 for trial in trials if trial.state is TrialState.COMPLETE]
        for pair, trials in meeting.items()
    }
    best = {pair: max(accuracies, default=0.0) for pair, accuracies in finished.items()}
    if len(best) == 1:
        return dict.fromkeys(best, 1.0)
    variance = sum(accuracy * (1 - accuracy) for accuracy in best.values()) / validation_examples
    # A perfect accuracy has no binomial variance; the share of one example keeps the ratio finite.
    error = max(math.sqrt(variance), 1 / validation_examples)
    total = sum(best.values())
    return {
        pair: min(max(float(ndtr((2 * accuracy - total) / error)), 0.02), 0.98)
        for pair, accuracy in best.items()
    }
