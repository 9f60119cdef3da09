"""What the poster says of who teaches whom, and of what a transfer set makes a student forget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from autokd.claims.claim import Claim, observed, over_pairs, unknown
from autokd.claims.grid_results import Arms, best, forgetting
from autokd.core.records import FederationFacts, RungReport, TrialRecord, TrialState
from autokd.core.setting import Pair, Split, TransferSet
from autokd.recommendation.verdict import Judgement
from autokd.statistics.paired import POINTS

Reports = Mapping[int, Sequence[RungReport]]
_TIMES = 5.0
"""The poster's "up to 5+ times improvement on average"."""
Accuracies = Mapping[Split, float]


class Worth(NamedTuple):
    """What the ways of one participant with one partner gain on test, in pp; chosen on confirmation.

    Attributes:
        as_student: It learns.
        as_teacher: It teaches and adopts the model that results.
        right: The better one of the two, by confirmation.
        wrong: The other one.
        adoption: The better of its own and the partner's model, by confirmation, without training.
    """

    as_student: float
    as_teacher: float
    right: float
    wrong: float
    adoption: float


def position(worths: Mapping[Pair, Worth], source: str) -> Claim:
    """What the right position is worth beside the other one, and beside adopting the better model."""
    return observed(
        "position",
        "setting the right position is important",
        {side: one.right - one.wrong for side, one in worths.items()},
        source=source,
        how="the right position minus the other one, seen from each participant with each partner; which is "
        "right is decided on confirmation and told on test",
        lacking="needs meetings of which both directions were tuned or swept",
        beside={
            "as student": {side: one.as_student for side, one in worths.items()},
            "as teacher": {side: one.as_teacher for side, one in worths.items()},
            "right position": {side: one.right for side, one in worths.items()},
            "better model adopted": {side: one.adoption for side, one in worths.items()},
            "right position beyond that": {side: one.right - one.adoption for side, one in worths.items()},
        },
    )


def times_of_position(worths: Mapping[Pair, Worth]) -> Claim:
    """The poster's factor; what it is measured against the poster does not say, so nothing is decided."""
    key, claim = "times_of_position", "the right position gives up to 5+ times the improvement on average"
    by_participant: defaultdict[int, list[Worth]] = defaultdict(list)
    for side, one in worths.items():
        by_participant[side.student].append(one)
    ratios = {}
    for participant, its in by_participant.items():
        wrong = float(np.mean([one.wrong for one in its]))
        if wrong > 0:
            ratios[participant] = float(np.mean([one.right for one in its])) / wrong
    what = "the poster does not say what 5 is a multiple of"
    if not ratios:
        told = "no participant gains in the other position" if worths else "no meeting has both directions"
        return unknown(key, claim, f"{what}; {told}, so there is no ratio here")
    highest = max(ratios, key=ratios.__getitem__)
    reached = sum(ratio >= _TIMES for ratio in ratios.values())
    without = len(by_participant) - len(ratios)
    return unknown(
        key,
        claim,
        f"{what}; here the mean gain in the right position over that in the other one is at most "
        f"{ratios[highest]:.1f} (participant {highest}), {_TIMES:g} or more for {reached} of "
        f"{len(by_participant)} participants, and without meaning for the {without} that gain nothing in the "
        "other one",
    )


def worths_of(models: Mapping[Pair, Accuracies], federation: FederationFacts) -> dict[Pair, Worth]:
    """For each participant (as the pair's student) with each partner of which both directions are known.

    Args:
        models: Accuracy in [0, 1] of the model that each pair comes to.
        federation: For the models as they are.
    """
    found = {}
    for pair in models:
        if pair.reverse not in models:
            continue
        own, partner = (_as_is(federation, one) for one in (pair.student, pair.teacher))
        first, second = models[pair], models[pair.reverse]
        gains = [POINTS * (one[Split.TEST] - own[Split.TEST]) for one in (first, second)]
        learns = first[Split.CONFIRMATION] >= second[Split.CONFIRMATION]
        adopts = partner[Split.CONFIRMATION] > own[Split.CONFIRMATION]
        found[pair] = Worth(
            as_student=gains[0],
            as_teacher=gains[1],
            right=gains[0 if learns else 1],
            wrong=gains[1 if learns else 0],
            adoption=POINTS * (partner[Split.TEST] - own[Split.TEST]) if adopts else 0.0,
        )
    return found


def judged_models(judged: Mapping[Pair, Judgement]) -> dict[Pair, Accuracies]:
    """Of the setting that each pair's recommendation shows, mean over its fresh seeds."""
    return {
        pair: {split: float(one.shown.correct[split].mean()) for split in (Split.CONFIRMATION, Split.TEST)}
        for pair, one in judged.items()
    }


def swept_models(swept: Mapping[Pair, Arms]) -> dict[Pair, Accuracies]:
    """Of each pair's best setting on validation."""
    found: dict[Pair, Accuracies] = {}
    for pair, arms in swept.items():
        chosen = best(arms, among=arms)
        assert chosen is not None
        found[pair] = {split: arms[chosen].accuracy(split) for split in Split}
    return found


def forgetting_by_set(
    swept: Mapping[Pair, Arms],
    searched: Mapping[Pair, Sequence[TrialRecord]],
    reports: Mapping[Pair, Reports],
) -> Claim:
    """How much more a student forgets on one transfer set than on another."""
    if swept:
        choosing = {pair: forgetting(arms, Split.VALIDATION) for pair, arms in swept.items()}
        telling = {pair: forgetting(arms, Split.TEST) for pair, arms in swept.items()}
        source = "sweep"
        how = "mean over all settings of a set; which two sets is chosen on validation, told on test"
    else:
        choosing = {pair: _of_trials(trials, reports[pair]) for pair, trials in searched.items()}
        telling = choosing
        source = "search"
        how = (
            "full trials only, of which a search makes more where settings are good; chosen and told on the "
            "same validation examples, so rather too much; a sweep tells it better"
        )
    key, claim = "forgetting", "the transfer set affects the student's forgetting"
    lacking = "needs more pairs with runs on several transfer sets"
    chosen = _by_set(choosing)
    means = {one: float(np.mean(list(its.values()))) for one, its in chosen.items() if over_pairs(its)}
    if len(means) < 2:
        return unknown(key, claim, lacking)
    most, least = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    told = _by_set(telling)
    return observed(
        key,
        claim,
        {pair: told[most][pair] - told[least][pair] for pair in told[most] if pair in told[least]},
        source=source,
        how=f"forgetting on {most} minus {least} examples; {how}",
        lacking=lacking,
        beside={f"on {one}": told[one] for one in TransferSet if one in told},
    )


def _of_trials(trials: Sequence[TrialRecord], reports: Reports) -> dict[TransferSet, float]:
    """Mean over full trials of each transfer set, on validation, in pp."""
    found: defaultdict[TransferSet, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.state is TrialState.COMPLETE:
            found[trial.setting.transfer_set].append(reports[trial.number][-1].forgetting)
    return {transfer_set: float(np.mean(its)) for transfer_set, its in found.items()}


def _by_set(by_pair: Mapping[Pair, Mapping[TransferSet, float]]) -> dict[TransferSet, dict[Pair, float]]:
    found: defaultdict[TransferSet, dict[Pair, float]] = defaultdict(dict)
    for pair, its in by_pair.items():
        for transfer_set, value in its.items():
            found[transfer_set][pair] = value
    return dict(found)


def _as_is(federation: FederationFacts, participant: int) -> Accuracies:
    correct = federation.participants[participant].correct
    return {split: float(right.mean()) for split, right in correct.items()}
