"""Claims of the poster about who teaches whom, and about what a transfer set makes a student forget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from autokd.claims.claim import Claim, measured, not_measurable, of_more_pairs, over_pairs
from autokd.claims.grid_results import Arms, best
from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness, FederationFacts, ParticipantFacts, TrialState
from autokd.core.setting import Pair, Split, TransferSet
from autokd.recommendation.evidence import JUDGED
from autokd.recommendation.judgement import Judgement
from autokd.statistics.paired import POINTS

_TIMES = 5.0
"""The poster's "up to 5+ times improvement on average"."""
Accuracies = Mapping[Split, float]
"""Accuracy of a model by split, in [0, 1]."""
Losses = Mapping[TransferSet, Mapping[Pair, float]]
"""Mean forgetting of each pair by transfer set, in pp."""


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
    sides = worths.items()
    return measured(
        "position",
        "setting the right position is important",
        {side: worth.right - worth.wrong for side, worth in sides},
        source=source,
        how="the right position minus the other one, seen from each participant with each partner; which is "
        "right is decided on confirmation and told on test",
        lacking="needs meetings of which both directions were tuned or swept",
        beside={
            "as student": {side: worth.as_student for side, worth in sides},
            "as teacher": {side: worth.as_teacher for side, worth in sides},
            "right position": {side: worth.right for side, worth in sides},
            "better model adopted": {side: worth.adoption for side, worth in sides},
            "right position beyond that": {side: worth.right - worth.adoption for side, worth in sides},
        },
    )


def times_of_position(worths: Mapping[Pair, Worth]) -> Claim:
    """Report the ratio of the two positions; the poster does not say what its factor refers to."""
    key, statement = "times_of_position", "the right position gives up to 5+ times the improvement on average"
    by_participant: defaultdict[int, list[Worth]] = defaultdict(list)
    for side, worth in worths.items():
        by_participant[side.student].append(worth)
    means = {number: Worth(*np.mean(partners, axis=0)) for number, partners in by_participant.items()}
    ratios = {participant: mean.right / mean.wrong for participant, mean in means.items() if mean.wrong > 0}
    what = "the poster does not say what 5 is a multiple of"
    if not ratios:
        why = "no participant gains in the other position" if worths else "no meeting has both directions"
        return not_measurable(key, statement, f"{what}; {why}, so there is no ratio here")
    highest = max(ratios, key=ratios.__getitem__)
    reached = sum(ratio >= _TIMES for ratio in ratios.values())
    return not_measurable(
        key,
        statement,
        f"{what}; here the mean gain in the right position over that in the other one is at most "
        f"{ratios[highest]:.1f} (participant {highest}), {_TIMES:g} or more for {reached} of "
        f"{len(means)} participants, and without meaning for the {len(means) - len(ratios)} that gain "
        "nothing in the other one",
    )


def worths_of(
    models: Mapping[Pair, Mapping[Split, Correctness]], federation: FederationFacts
) -> dict[Pair, Worth]:
    """Return the gains of each participant (the pair's student) with each partner that has both directions.

    All gains of a participant are on its own target distribution.

    Args:
        models: Correctness of the students that the pairs give.
        federation: The models as they are.
    """
    worths = {}
    for pair in models:
        if pair.reverse not in models:
            continue
        student = federation.participants[pair.student]
        own, partner, forward, back = (
            _accuracies(student, correct)
            for correct in (
                student.correct,
                federation.participants[pair.teacher].correct,
                models[pair],
                models[pair.reverse],
            )
        )
        as_student, as_teacher = (POINTS * (model[Split.TEST] - own[Split.TEST]) for model in (forward, back))
        learns = forward[Split.CONFIRMATION] >= back[Split.CONFIRMATION]
        right, wrong = (as_student, as_teacher) if learns else (as_teacher, as_student)
        adopts = partner[Split.CONFIRMATION] > own[Split.CONFIRMATION]
        adoption = POINTS * (partner[Split.TEST] - own[Split.TEST]) if adopts else 0.0
        worths[pair] = Worth(as_student, as_teacher, right, wrong, adoption)
    return worths


def measured_worths(
    judged: Mapping[Pair, Judgement], swept: Mapping[Pair, Arms], federation: FederationFacts
) -> tuple[dict[Pair, Worth], str]:
    """Return worths and their source: confirmations or, if these are too few, the best swept settings."""
    confirmed = {pair: judgement.shown.correct for pair, judgement in judged.items()}
    worths = worths_of(confirmed, federation)
    if over_pairs({side: worth.right for side, worth in worths.items()}) is not None or not swept:
        return worths, "confirmation"
    models = {pair: arms[best(arms, among=arms)].correct for pair, arms in swept.items()}
    return worths_of(models, federation), "sweep"


def forgetting_by_set(swept: Mapping[Pair, Arms], searched: Mapping[Pair, PairRecords]) -> Claim:
    """Check how much more a student forgets on one transfer set than on another."""
    trials = _by_set(
        (trial.setting.transfer_set, pair, records.reports[trial.number][-1].forgetting)
        for pair, records in searched.items()
        for trial in records.trials
        if trial.state is TrialState.COMPLETE
    )
    how = (
        "full trials only, of which a search makes more where settings are good; chosen and told on the "
        "same validation examples, so rather too much; a sweep tells it better"
    )
    by_search = _forgetting(trials, trials, source="search", how=how)
    if not swept:
        return by_search
    validation, test = (
        _by_set(
            (setting.transfer_set, pair, arm.forgetting[split])
            for pair, arms in swept.items()
            for setting, arm in arms.items()
        )
        for split in (Split.VALIDATION, Split.TEST)
    )
    how = "mean over all settings of a set; which two sets is chosen on validation, told on test"
    return of_more_pairs(_forgetting(validation, test, source="sweep", how=how), by_search)


def _forgetting(validation: Losses, test: Losses, *, source: str, how: str) -> Claim:
    """Return the claim on forgetting; the two sets are chosen on validation."""
    key, statement = "forgetting", "the transfer set affects the student's forgetting"
    lacking = "needs more pairs with runs on several transfer sets"
    means = {
        transfer_set: float(np.mean(list(by_pair.values())))
        for transfer_set, by_pair in validation.items()
        if over_pairs(by_pair)
    }
    if len(means) < 2:
        return not_measurable(key, statement, lacking)
    most, least = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    return measured(
        key,
        statement,
        {pair: lost - test[least][pair] for pair, lost in test[most].items() if pair in test[least]},
        source=source,
        how=f"forgetting on {most} minus {least} examples; {how}",
        lacking=lacking,
        beside={f"on {chosen}": test[chosen] for chosen in TransferSet if chosen in test},
    )


def _by_set(values: Iterable[tuple[TransferSet, Pair, float]]) -> Losses:
    """Return the mean over each pair's values, by transfer set."""
    by_set: defaultdict[TransferSet, defaultdict[Pair, list[float]]] = defaultdict(lambda: defaultdict(list))
    for transfer_set, pair, value in values:
        by_set[transfer_set][pair].append(value)
    return {
        transfer_set: {pair: float(np.mean(runs)) for pair, runs in by_pair.items()}
        for transfer_set, by_pair in by_set.items()
    }


def _accuracies(participant: ParticipantFacts, correct: Mapping[Split, Correctness]) -> Accuracies:
    """Return the accuracies of a model by a participant's target."""
    return {split: participant.accuracy_of(correct, split) for split in JUDGED}
