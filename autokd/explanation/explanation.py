"""A recommendation beside its alternatives, and where its gain comes from, computed from stored records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from autokd.config.target import ClassShares, TargetName, target_json
from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.records import Correctness, RunRecord
from autokd.core.setting import Pair, Setting, Split, derive_seed, described
from autokd.core.verdict_basis import DEFAULT_BUDGET, NO_TEACHER
from autokd.explanation.alternatives import ComparedPair, Trained, chosen_rate, trained
from autokd.explanation.attribution import Attribution, Step, Taken, attribute, corners
from autokd.explanation.comparison import Arms, Comparison, Intervals, Line, Models, by_split
from autokd.explanation.steps import Measured, chain, gain_by_step
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.evidence import JUDGED, Arm
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.recommendation import Recommendation
from autokd.recommendation.verdict import WITH_RIVALS, Verdict
from autokd.statistics.shapley import Values

_RIVALS: Final = {
    DEFAULT_BUDGET: "the default, best budget",
    NO_TEACHER: "best without a teacher",
}
"""The rivals of rule 3 in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The content of `autokd explain` for one pair.

    Attributes:
        setting: Setting that is compared: the answer, or the candidate that was rejected.
        teacher_or_data: Where the gain comes from, teacher or data, in one sentence.
        attribution: Parts of the gain from the own model (by rules 1 and 2, from the default) to `setting`,
            or to the reversed pair if that is the better position; None if a run for it is missing.
        adoption: Gain of adopting the partner's model as it is.
        owed: Number of runs that are still missing.
        runs: Number of the alternatives' runs.
        epochs: Epochs spent on these runs.
        target: Class distribution that all figures are on.
        names: Names of the federation's participants.
    """

    pair: Pair
    verdict: Verdict
    setting: Setting
    gain: Intervals
    lines: tuple[Line, ...]
    teacher_or_data: str
    attribution: Attribution | None
    adoption: Intervals
    owed: int
    runs: int
    epochs: int
    target: TargetName | ClassShares = "common"
    names: ParticipantNames = NUMBERS_ONLY

    def to_json(self) -> dict[str, object]:
        """Return what `autokd explain --json` prints; gains and differences are in pp of the student."""
        return {
            "pair": {"teacher": self.pair.teacher, "student": self.pair.student},
            **self.names.beside(self.pair),
            "verdict": self.verdict.value,
            "setting": self.setting.to_json(),
            "gain": by_split(self.gain),
            "decided_on": Split.CONFIRMATION.value,
            "reported_on": Split.TEST.value,
            **target_json(self.target),
            "rivals": [line.to_json() for line in self.lines],
            "teacher_or_data": self.teacher_or_data,
            "where_the_gain_comes_from": None if self.attribution is None else self.attribution.to_json(),
            "gain_by_adoption": by_split(self.adoption),
            "budget": {"runs": self.runs, "epochs": self.epochs, "owed": self.owed},
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExplanationInputs:
    """The records that an explanation is computed from.

    Attributes:
        recommendation: Recommendation of the pair; it has a judgement.
        reverse: Judgement of the reversed pair if that is the better position, else None.
        reverse_runs: Runs of the steps to the reversed pair.
        partner: Correctness of the teacher's model as it is.
        averaged: Correctness of both models' averaged probabilities.
        without_priors: The same of both models with their label priors divided out; None if it is unknown.
        partner_without_prior: Correctness of the teacher's model with its label prior divided out; None if
            it is unknown.
    """

    recommendation: Recommendation
    compared: ComparedPair
    runs: Sequence[RunRecord]
    reverse: Judgement | None
    reverse_runs: Sequence[RunRecord]
    partner: Models
    averaged: Models
    owed: int
    without_priors: Models | None = None
    partner_without_prior: Models | None = None


def explain(inputs: ExplanationInputs) -> Explanation:
    """Compare a pair's recommendation with its alternatives, and divide its gain."""
    recommendation, compared = inputs.recommendation, inputs.compared
    (pair, position), judgement = recommendation.of_pair, recommendation.judgement
    assert judgement is not None, "a failed pair has nothing to explain"
    seed = derive_seed(recommendation.records.study, "rivals")
    bootstrap = Bootstrap.of(recommendation.confirmation, seed, priors=judgement.priors)
    compare = Comparison(judgement, inputs.runs, bootstrap)
    note = "probabilities at T = 1, nothing trained, calibration not tuned; both models are needed"
    adoption = {
        Split.CONFIRMATION: position.confirmation.by_adoption,
        Split.TEST: position.test.by_adoption,
    }
    lines = [
        compare.nothing("as_is", "leaving the model as it is"),
        compare.fixed(
            "partner",
            f"adopting model {recommendation.names.word(pair.teacher)} as it is",
            inputs.partner,
            # Explanations of earlier rules are told as they were.
            intervals=adoption if judgement.rule >= WITH_RIVALS else None,
        ),
        compare.fixed("average", "both models' answers averaged", inputs.averaged, note=note),
    ]
    corrected = {
        "corrected": ("the model, prior divided out", judgement.evidence.corrected),
        "partner_corrected": (
            f"model {recommendation.names.word(pair.teacher)}, prior divided out",
            inputs.partner_without_prior,
        ),
        "average_corrected": ("average, priors divided out", inputs.without_priors),
    }
    if recommendation.student.is_untrained:
        lines = lines[:1]  # It has a network of its own, and no answers to average.
    elif compared.with_priors:
        lines += [
            compare.fixed(key, words, models, intervals=recommendation.told_without_training.get(key))
            for key, (words, models) in corrected.items()
            if models is not None
        ]
    winner = judgement.evidence.winner
    if winner is not None and winner is not judgement.shown:
        words = "the race's winner" if judgement.basis is None else "the winner of the search"
        lines.append(compare.trained(Trained("winner", words, winner.setting)))
    for name, rival in judgement.evidence.rivals.items():
        lines.append(compare.trained(Trained(name, _RIVALS[name], rival.setting)))
    lines += map(compare.trained, trained(compared, chosen_rate(compared, inputs.runs)))
    untaught = next((line for line in lines if line.key == "cross_entropy"), None)
    runs = (*inputs.runs, *inputs.reverse_runs)
    return Explanation(
        pair=pair,
        verdict=recommendation.verdict,
        setting=judgement.shown.setting,
        gain={split: judgement.gain(split) for split in JUDGED},
        lines=tuple(lines),
        teacher_or_data=teacher_or_data(judgement.shown.setting, untaught),
        attribution=_attribution(inputs, judgement, bootstrap),
        adoption=adoption,
        owed=inputs.owed,
        runs=len(runs),
        epochs=sum(run.epochs for run in runs),
        target=recommendation.target,
        names=recommendation.names,
    )


def teacher_or_data(setting: Setting, untaught: Line | None) -> str:
    """Return in one sentence whether the gain comes from the teacher's outputs or from the training examples.

    Two intervals on confirmation decide: the gain of the same examples without the teacher (`untaught`, None
    if there are no labels to train on), and what the teacher adds to it.
    """
    if setting.alpha is None:
        return (
            "the teacher: public examples have no labels, so without it there is nothing to learn from them"
        )
    if setting.alpha == 0:
        return f"the data: this is {described(setting)}"
    if untaught is None or untaught.gain is None or untaught.difference is None:
        return "not known yet: there are no runs on the same examples without the teacher"
    data, teacher = untaught.gain[Split.CONFIRMATION], untaught.difference[Split.CONFIRMATION]
    alone = f"the same examples without the teacher gain {data}"
    adds = f"the teacher adds {teacher}"
    if teacher.high < 0:
        return f"the data, and the teacher is in the way: {alone}, {adds}"
    if data.low > 0:
        which = "both" if teacher.low > 0 else "the data, as far as can be shown"
    else:
        which = "the teacher" if teacher.low > 0 else "neither can be shown"
    return f"{which}: {alone}, {adds} on confirmation"


def _attribution(inputs: ExplanationInputs, judgement: Judgement, bootstrap: Bootstrap) -> Attribution | None:
    """Return the parts of the gain; None if a run is missing."""
    if not inputs.compared.with_priors:
        return _beyond_default(inputs, judgement)
    evidence, shown, arms = judgement.evidence, judgement.shown, Arms(judgement, inputs.runs)
    steps = chain(shown.setting, can_correct=evidence.corrected is not None)
    matches: dict[Step, tuple[Sequence[int], Arm]] = {}
    for step, setting in steps.settings.items():
        match = arms.of(setting)
        if isinstance(match, str):
            return None
        matches[step] = match
    common = sorted(set.intersection(*(set(rows) for rows, _ in matches.values())))
    left_out, reverse = dict(steps.left_out), inputs.reverse
    if reverse is None:
        left_out[Step.POSITION] = "the pair is used as it is"
    # Seeds are paired within a direction; between two directions any order does.
    seeds = len(common) if reverse is None else min(len(common), len(reverse.evidence.seeds))
    if seeds < 2:
        return None

    def rows_of(rows: Sequence[int], arm: Arm) -> dict[Split, Correctness]:
        chosen = [list(rows).index(row) for row in common[:seeds]]
        return {split: arm.correct[split][chosen] for split in JUDGED}

    models = [Measured(step, rows_of(*match)) for step, match in matches.items()]
    if steps.corrected and evidence.corrected is not None:
        models.insert(0, Measured(Step.PRIOR, evidence.corrected))
    if reverse is not None:
        adopted = {split: reverse.shown.correct[split][:seeds] for split in JUDGED}
        models.append(Measured(Step.POSITION, adopted))
    whole = reverse is None and seeds == len(evidence.seeds)
    # An untrained student has initial weights for each seed.
    own = {split: now if now.ndim == 1 else now[common[:seeds]] for split, now in evidence.own.items()}
    return gain_by_step(
        own,
        models,
        bootstrap=bootstrap,
        # The reversed pair's model, too, is judged by the target of the participant that would adopt it.
        weights=judgement.weights,
        left_out={step: left_out[step] for step in Step if step in left_out},
        gain={split: judgement.gain(split) for split in JUDGED} if whole else None,
    )


def _beyond_default(inputs: ExplanationInputs, judgement: Judgement) -> Attribution | None:
    """Return the parts of the gain beyond the default by rules 1 and 2; None if a run is missing."""
    (pair, _), reverse, answer = inputs.recommendation.of_pair, inputs.reverse, None
    arms = {pair: Arms(judgement, inputs.runs)}
    steps = {Step.TUNING, Step.TRANSFER_SET}
    if reverse is not None:
        arms[pair.reverse] = Arms(reverse, inputs.reverse_runs)
        answer = reverse.shown.setting
        steps.add(Step.POSITION)
    corner_arms: dict[Taken, tuple[Pair, Sequence[int], Arm]] = {}
    for taken, (direction, setting) in corners(pair, judgement.shown.setting, answer).items():
        match = arms[direction].of(setting)
        if isinstance(match, str):
            return None
        corner_arms[taken] = (direction, *match)
    # Seeds are paired within a direction; between two directions any order does.
    common = {
        direction: sorted(
            set.intersection(*(set(rows) for side, rows, _ in corner_arms.values() if side == direction))
        )
        for direction in arms
    }
    seeds = min(map(len, common.values()))
    if seeds < 2:
        return None

    def correct(taken: Taken, split: Split) -> Values:
        direction, rows, arm = corner_arms[taken]
        chosen = [list(rows).index(row) for row in common[direction][:seeds]]
        # The reversed pair's model, too, is judged by the target of the participant that would adopt it.
        return judgement.weights.weighted(arm.correct[split][chosen], split)

    return attribute(correct, frozenset(steps), confidence=inputs.recommendation.confirmation.confidence)
