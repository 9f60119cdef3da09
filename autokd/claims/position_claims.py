"""Claims of the poster about who teaches whom, and about what a transfer set makes a student forget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from autokd.claims.claim import Claim, measured, not_measurable, over_pairs
from autokd.claims.grid_results import Arms, best, forgetting
from autokd.core.records import FederationFacts, RungReport, TrialRecord, TrialState
from autokd.core.setting import Pair, Split, TransferSet
from autokd.recommendation.evidence import JUDGED
from autokd.recommendation.verdict import Judgement
from autokd.statistics.paired import POINTS

Reports = Mapping[int, Sequence[RungReport]]
_TIMES = 5.0
"""The poster's "up to 5+ times improvement on average"."""
Accuracies = Mapping[Split, float]


class Worth(NamedTuple):
    """What each way to use a partner gains a participant on test, in pp; chosen on confirmation.

    Attributes:
        as_student: Gain if the participant learns.
        as_teacher: Gain if it teaches and adopts the model that results.
        right: Gain in the better of the two positions.
        wrong: Gain in the other one.
        adoption: Gain of the better of its own and the partner's model, without training.
    """

    as_student: float
    as_teacher: float
    right: float
    wrong: float
    adoption: float


def position(worths: Mapping[Pair, Worth], source: str) -> Claim:
    """Check what the right position gains beyond the other one, and beyond adopting the better model."""
    return measured(
        "position",
        "setting the right position is important",
        {side: worth.right - worth.wrong for side, worth in worths.items()},
        source=source,
        how="the right position minus the other one, seen from each participant with each partner; which is "
        "right is decided on confirmation and told on test",
        lacking="needs meetings of which both directions were tuned or swept",
        beside={
            "as student": {side: worth.as_student for side, worth in worths.items()},
            "as teacher": {side: worth.as_teacher for side, worth in worths.items()},
            "right position": {side: worth.right for side, worth in worths.items()},
            "better model adopted": {side: worth.adoption for side, worth in worths.items()},
            "right position beyond that": {
                side: worth.right - worth.adoption for side, worth in worths.items()
            },
        },
    )


def times_of_position(worths: Mapping[Pair, Worth]) -> Claim:
    """Report the ratio of the two positions; the poster does not say what its factor refers to."""
    key, statement = "times_of_position", "the right position gives up to 5+ times the improvement on average"
    by_participant: defaultdict[int, list[Worth]] = defaultdict(list)
    for side, worth in worths.items():
        by_participant[side.student].append(worth)
    ratios = {}
    for participant, partners in by_participant.items():
        wrong = float(np.mean([worth.wrong for worth in partners]))
        if wrong > 0:
            ratios[participant] = float(np.mean([worth.right for worth in partners])) / wrong
    what = "the poster does not say what 5 is a multiple of"
    if not ratios:
        why = "no participant gains in the other position" if worths else "no meeting has both directions"
        return not_measurable(key, statement, f"{what}; {why}, so there is no ratio here")
    highest = max(ratios, key=ratios.__getitem__)
    reached = sum(ratio >= _TIMES for ratio in ratios.values())
    without = len(by_participant) - len(ratios)
    return not_measurable(
        key,
        statement,
        f"{what}; here the mean gain in the right position over that in the other one is at most "
        f"{ratios[highest]:.1f} (participant {highest}), {_TIMES:g} or more for {reached} of "
        f"{len(by_participant)} participants, and without meaning for the {without} that gain nothing in the "
        "other one",
    )


def worths_of(models: Mapping[Pair, Accuracies], federation: FederationFacts) -> dict[Pair, Worth]:
    """Return the gains of each participant (the pair's student) with each partner that has both directions.

    Args:
        models: Accuracy in [0, 1] of each pair's resulting model.
        federation: The models as they are.
    """
    worths = {}
    for pair in models:
        if pair.reverse not in models:
            continue
        own, partner = (_as_is(federation, participant) for participant in (pair.student, pair.teacher))
        forward, back = models[pair], models[pair.reverse]
        as_student, as_teacher = (POINTS * (model[Split.TEST] - own[Split.TEST]) for model in (forward, back))
        learns = forward[Split.CONFIRMATION] >= back[Split.CONFIRMATION]
        adopts = partner[Split.CONFIRMATION] > own[Split.CONFIRMATION]
        worths[pair] = Worth(
            as_student=as_student,
            as_teacher=as_teacher,
            right=as_student if learns else as_teacher,
            wrong=as_teacher if learns else as_student,
            adoption=POINTS * (partner[Split.TEST] - own[Split.TEST]) if adopts else 0.0,
        )
    return worths


def judged_models(judged: Mapping[Pair, Judgement]) -> dict[Pair, Accuracies]:
    """Return the accuracy of the setting that each pair's recommendation shows, mean over its fresh seeds."""
    return {
        pair: {split: float(judgement.shown.correct[split].mean()) for split in JUDGED}
        for pair, judgement in judged.items()
    }


def swept_models(swept: Mapping[Pair, Arms]) -> dict[Pair, Accuracies]:
    """Return the accuracy of each pair's best setting on validation."""
    models: dict[Pair, Accuracies] = {}
    for pair, arms in swept.items():
        chosen = best(arms, among=arms)
        assert chosen is not None
        models[pair] = {split: arms[chosen].accuracy(split) for split in Split}
    return models


def forgetting_by_set(
    swept: Mapping[Pair, Arms],
    searched: Mapping[Pair, Sequence[TrialRecord]],
    reports: Mapping[Pair, Reports],
) -> Claim:
    """Check how much more a student forgets on one transfer set than on another."""
    if swept:
        validation = {pair: forgetting(arms, Split.VALIDATION) for pair, arms in swept.items()}
        test = {pair: forgetting(arms, Split.TEST) for pair, arms in swept.items()}
        source = "sweep"
        how = "mean over all settings of a set; which two sets is chosen on validation, told on test"
    else:
        test = validation = {pair: _of_trials(trials, reports[pair]) for pair, trials in searched.items()}
        source = "search"
        how = (
            "full trials only, of which a search makes more where settings are good; chosen and told on the "
            "same validation examples, so rather too much; a sweep tells it better"
        )
    key, statement = "forgetting", "the transfer set affects the student's forgetting"
    lacking = "needs more pairs with runs on several transfer sets"
    means = {
        transfer_set: float(np.mean(list(by_pair.values())))
        for transfer_set, by_pair in _by_set(validation).items()
        if over_pairs(by_pair)
    }
    if len(means) < 2:
        return not_measurable(key, statement, lacking)
    most, least = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    by_set = _by_set(test)
    return measured(
        key,
        statement,
        {pair: by_set[most][pair] - by_set[least][pair] for pair in by_set[most] if pair in by_set[least]},
        source=source,
        how=f"forgetting on {most} minus {least} examples; {how}",
        lacking=lacking,
        beside={f"on {chosen}": by_set[chosen] for chosen in TransferSet if chosen in by_set},
    )


def _of_trials(trials: Sequence[TrialRecord], reports: Reports) -> dict[TransferSet, float]:
    """Return the mean forgetting of full trials by transfer set, on validation, in pp."""
    by_set: defaultdict[TransferSet, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.state is TrialState.COMPLETE:
            by_set[trial.setting.transfer_set].append(reports[trial.number][-1].forgetting)
    return {transfer_set: float(np.mean(values)) for transfer_set, values in by_set.items()}


def _by_set(by_pair: Mapping[Pair, Mapping[TransferSet, float]]) -> dict[TransferSet, dict[Pair, float]]:
    by_set: defaultdict[TransferSet, dict[Pair, float]] = defaultdict(dict)
    for pair, values in by_pair.items():
        for transfer_set, value in values.items():
            by_set[transfer_set][pair] = value
    return dict(by_set)


def _as_is(federation: FederationFacts, participant: int) -> Accuracies:
    correct = federation.participants[participant].correct
    return {split: float(right.mean()) for split, right in correct.items()}
