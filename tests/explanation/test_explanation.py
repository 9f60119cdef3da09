from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from autokd.config.study import CONFIRMATION_SEEDS
from autokd.core.records import Failure, RunRecord, Stage
from autokd.core.setting import DEFAULT, Setting, Split, TransferSet, untaught
from autokd.explanation.alternatives import ON_VALIDATION, ComparedPair
from autokd.explanation.attribution import Step
from autokd.explanation.best_elsewhere import BestAverageSetting
from autokd.explanation.comparison import Line
from autokd.explanation.explanation import Explanation, ExplanationInputs, explain, teacher_or_data
from autokd.recommendation import Recommendation, Verdict
from autokd.recommendation.participant import decide_for
from autokd.recommendation.partners import ranked
from autokd.statistics.paired import Interval
from tests.explanation.samples import (
    JUDGED,
    PAIR,
    PARTNER,
    WINNER_S,
    arm,
    judged,
    model,
    right,
)
from tests.recommendation.samples import (
    HOT,
    PUBLIC,
    TUNING,
    failed_run,
)


def rivals(shares: Mapping[Setting, float], seeds: int = 5) -> list[RunRecord]:
    return [
        replace(run, stage=Stage.RIVAL)
        for setting, share in shares.items()
        for run in arm(setting, share, seeds)
    ]


def inputs(recommendation: Recommendation, runs: Sequence[RunRecord], **changes: object) -> ExplanationInputs:
    assert recommendation.judgement is not None
    evidence = recommendation.judgement.evidence
    assert evidence.winner is not None
    usual: dict[str, object] = {
        "recommendation": recommendation,
        "compared": ComparedPair(
            pair=recommendation.of_pair[0],
            setting=recommendation.judgement.shown.setting,
            confirmed=(DEFAULT, evidence.winner.setting),
            seeds=evidence.seeds,
            transfer_sets=(TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH, TransferSet.PUBLIC),
            learning_rate=0.01,
            rate_seeds=2,
            retries=0,
            elsewhere=BestAverageSetting(DEFAULT, 1.0, 3, 4),
        ),
        "runs": runs,
        "reverse": None,
        "reverse_runs": (),
        "partner": model(PARTNER),
        "averaged": model(0.9),
        "owed": 0,
    }
    return ExplanationInputs(**(usual | changes))  # type: ignore[arg-type]


def explained(winner: Setting = HOT, runs: Sequence[RunRecord] = (), **changes: object) -> Explanation:
    return explain(inputs(judged(winner), runs, **changes))


def line(explanation: Explanation, key: str) -> Line:
    return next(shown for shown in explanation.lines if shown.key == key)


def figures(shown: Line) -> tuple[float, float]:
    """Gain and difference on test, in pp."""
    assert shown.gain is not None
    assert shown.difference is not None
    return shown.gain[Split.TEST].mean, shown.difference[Split.TEST].mean


def test_every_rival_stands_beside_the_answer_in_pp_of_the_student() -> None:
    runs = rivals({untaught(HOT): 0.7, ON_VALIDATION: 0.65})
    explanation = explained(HOT, runs)
    assert figures(line(explanation, "as_is")) == pytest.approx((0, 30))
    assert figures(line(explanation, "partner")) == pytest.approx((-10, 40))
    assert figures(line(explanation, "average")) == pytest.approx((40, -10))
    assert figures(line(explanation, "default")) == pytest.approx((5, 25))
    assert figures(line(explanation, "cross_entropy")) == pytest.approx((20, 10))
    assert figures(line(explanation, "validation")) == pytest.approx((15, 15))
    assert figures(line(explanation, "elsewhere")) == pytest.approx((5, 25))
    assert (explanation.verdict, explanation.setting) == (Verdict.TUNED, HOT)


def test_figures_that_the_recommendation_has_are_the_same_to_the_last_digit() -> None:
    explanation, answer = explained(), judged(HOT)
    assert answer.judgement is not None
    default = line(explanation, "default")
    assert default.gain is not None
    assert default.difference is not None
    assert default.gain[Split.TEST] == answer.judgement.test.default_gain
    assert default.difference[Split.CONFIRMATION] == answer.judgement.confirmation.improvement
    assert explanation.gain[Split.TEST] == answer.gain


def test_what_has_not_run_is_said_to_be_missing() -> None:
    explanation = explained()
    missing = [shown.key for shown in explanation.lines if shown.gain is None]
    assert missing == [
        "default_on_teacher",
        "default_on_both",
        "default_on_public",
        "cross_entropy",
        "validation",
    ]
    assert {line(explanation, key).note for key in missing[:-1]} == {"not run yet"}
    assert explanation.attribution is None
    assert "not known yet" in explanation.teacher_or_data


def test_a_rival_that_diverges_counts_as_the_own_model() -> None:
    alone = untaught(HOT)
    runs = rivals({alone: 0.7})
    runs[3:5] = [failed_run(alone, index, Failure.DIVERGED, Stage.RIVAL) for index in (3, 4)]
    tuning = line(explained(HOT, runs), "cross_entropy")
    assert (tuning.seeds, tuning.diverged) == (5, 2)
    assert figures(tuning) == pytest.approx((0.6 * 20, 30 - 0.6 * 20))


def test_a_seed_that_the_machine_lost_is_left_out_of_both_sides() -> None:
    """The answer is worse with the first seed, which the rival has not."""
    recommendation = judged(HOT)
    assert recommendation.judgement is not None
    evidence = recommendation.judgement.evidence
    assert evidence.winner is not None
    for split in JUDGED:
        evidence.winner.correct[split][0] = right(0.5)
    runs = [run for run in rivals({untaught(HOT): 0.7}) if run.seed != CONFIRMATION_SEEDS]
    rival = line(explain(inputs(recommendation, runs)), "cross_entropy")
    assert rival.seeds == 4
    assert figures(rival) == pytest.approx((20, 10))


def test_a_rival_of_which_all_runs_failed_says_why() -> None:
    runs = [failed_run(untaught(HOT), index, Failure.ERROR, Stage.RIVAL) for index in range(5)]
    rival = line(explained(HOT, runs), "cross_entropy")
    assert (rival.gain, rival.note) == (None, "its runs failed (it was error)")


def test_fine_tuning_is_its_own_rival() -> None:
    explanation = explained(TUNING)
    assert figures(line(explanation, "cross_entropy")) == pytest.approx((30, 0))
    assert explanation.teacher_or_data == (
        "the data: this is fine-tuning on both (α = 0: the teacher is not used)"
    )


def test_a_winner_that_was_turned_down_is_a_rival_of_the_default() -> None:
    explanation = explain(inputs(judged(HOT, default=0.8, share=0.8), ()))
    assert (explanation.verdict, explanation.setting) == (Verdict.DEFAULT, DEFAULT)
    assert figures(line(explanation, "winner")) == pytest.approx((30, 0))
    assert figures(line(explanation, "default")) == (30, 0)


def test_steps_add_up_to_what_the_answer_has_beyond_the_default() -> None:
    alone, there = Setting(4.0, 0.1, DEFAULT.transfer_set), Setting(1.0, 0.5, HOT.transfer_set)
    explanation = explained(HOT, rivals({alone: 0.6, there: 0.65}))
    assert explanation.attribution is not None
    parts = {step: its[Split.TEST].mean for step, its in explanation.attribution.parts.items()}
    # T and α: first 60 - 55, second 80 - 65. Transfer set: first 65 - 55, second 80 - 60.
    assert parts == {Step.TUNING: pytest.approx(10), Step.TRANSFER_SET: pytest.approx(15)}
    assert explanation.attribution.total[Split.TEST].mean == pytest.approx(25)


def test_the_position_is_a_step_where_the_student_is_to_teach() -> None:
    alone, there = Setting(4.0, 0.1, DEFAULT.transfer_set), Setting(1.0, 0.5, HOT.transfer_set)
    steps = {alone: 0.6, there: 0.65}
    reverse = judged(HOT, pair=PAIR.reverse, default=0.6, share=0.9)
    material = inputs(
        judged(HOT),
        rivals(steps),
        reverse=reverse.judgement,
        reverse_runs=rivals({alone: 0.7, there: 0.7}),
    )
    attribution = explain(material).attribution
    assert attribution is not None
    parts = {step: its[Split.TEST].mean for step, its in attribution.parts.items()}
    assert list(parts) == [Step.TUNING, Step.TRANSFER_SET, Step.POSITION]
    assert sum(parts.values()) == pytest.approx(100 * (0.9 - 0.55))
    # First 60 - 55 (twice of six), after T and α 70 - 60, after the set 70 - 65, last 90 - 80 (twice).
    assert parts[Step.POSITION] == pytest.approx((2 * 5 + 10 + 5 + 2 * 10) / 6)


def by_rule_3(recommendation: Recommendation, **changes: object) -> ComparedPair:
    usual = inputs(recommendation, ()).compared
    return replace(usual, with_priors=True, **changes)  # type: ignore[arg-type]


def test_by_rule_3_the_steps_of_the_whole_gain_begin_at_the_own_model() -> None:
    recommendation = judged(HOT)
    own, both = untaught(DEFAULT), untaught(HOT)
    usual = Setting(1.0, 0.5, HOT.transfer_set)
    runs = rivals({own: 0.55, both: 0.65, usual: 0.7})
    explanation = explain(inputs(recommendation, runs, compared=by_rule_3(recommendation)))
    assert explanation.attribution is not None
    parts = {step: its[Split.TEST].mean for step, its in explanation.attribution.parts.items()}
    expected = {Step.BUDGET: 5, Step.EXAMPLES: 10, Step.TEACHER: 5, Step.TUNING: 10}
    assert parts == {step: pytest.approx(worth) for step, worth in expected.items()}
    # The whole is the recommendation's own figure, to the last digit.
    assert explanation.attribution.total == explanation.gain
    assert set(explanation.attribution.left_out) == {Step.PRIOR, Step.POSITION}
    assert not explanation.attribution.beyond_default
    missing = explain(
        inputs(recommendation, rivals({own: 0.55, both: 0.65}), compared=by_rule_3(recommendation))
    )
    assert missing.attribution is None


def test_by_rule_3_the_reversed_pair_is_one_more_step_and_needs_no_run_of_its_own() -> None:
    recommendation, reverse = judged(TUNING), judged(HOT, pair=PAIR.reverse, default=0.6, share=0.9)
    runs = rivals({untaught(DEFAULT): 0.55})
    attribution = explain(
        inputs(recommendation, runs, compared=by_rule_3(recommendation), reverse=reverse.judgement)
    ).attribution
    assert attribution is not None
    parts = {step: its[Split.TEST].mean for step, its in attribution.parts.items()}
    expected = {Step.BUDGET: 5, Step.EXAMPLES: 25, Step.POSITION: 10}
    assert parts == {step: pytest.approx(worth) for step, worth in expected.items()}
    assert attribution.total[Split.TEST].mean == pytest.approx(40)
    assert set(attribution.left_out) == {Step.PRIOR, Step.TEACHER, Step.TUNING}


def test_by_rule_3_models_with_their_priors_divided_out_stand_beside() -> None:
    recommendation = judged(HOT)
    models = {"partner_without_prior": model(0.6), "without_priors": model(0.7)}
    explanation = explain(inputs(recommendation, (), compared=by_rule_3(recommendation), **models))
    assert figures(line(explanation, "partner_corrected")) == pytest.approx((10, 20))
    assert figures(line(explanation, "average_corrected")) == pytest.approx((20, 10))
    assert figures(line(explanation, "average")) == pytest.approx((40, -10))
    before = {shown.key for shown in explain(inputs(recommendation, (), **models)).lines}
    assert not before & {"corrected", "partner_corrected", "average_corrected", "adjusted_on_both"}


def sentence_of(alone: tuple[float, float], adds: tuple[float, float], setting: Setting = HOT) -> str:
    """The word before the figures, of two intervals by their ends."""

    def by(ends: tuple[float, float]) -> dict[Split, Interval]:
        return {Split.CONFIRMATION: Interval(sum(ends) / 2, *ends)}

    rival = Line(key="cross_entropy", words="", gain=by(alone), difference=by(adds))
    return teacher_or_data(setting, rival).partition(":")[0]


@pytest.mark.parametrize(
    ("alone", "adds", "words"),
    [
        ((2, 4), (-1, 1), "the data, as far as can be shown"),
        ((2, 4), (1, 3), "both"),
        ((-1, 2), (1, 3), "the teacher"),
        ((-1, 2), (-1, 1), "neither can be shown"),
        ((2, 4), (-3, -1), "the data, and the teacher is in the way"),
    ],
)
def test_whose_doing_it_is_follows_from_two_intervals(
    alone: tuple[float, float], adds: tuple[float, float], words: str
) -> None:
    assert sentence_of(alone, adds) == words


def test_without_labels_it_is_the_teachers_doing() -> None:
    assert teacher_or_data(PUBLIC, None).startswith("the teacher: public examples have no labels")


def test_json_has_every_rival_with_intervals_on_both_splits() -> None:
    runs = rivals({untaught(HOT): 0.7})
    content = explained(HOT, runs).to_json()
    rivals_told = {rival["rival"]: rival for rival in content["rivals"]}  # type: ignore[attr-defined]
    assert set(rivals_told["cross_entropy"]["difference"]) == {"confirmation", "test"}
    assert rivals_told["cross_entropy"]["setting"] == untaught(HOT).to_json()
    assert rivals_told["validation"]["gain"] is None
    assert content["budget"] == {"runs": 5, "epochs": 50, "owed": 0}


def test_an_untrained_student_is_compared_with_runs_only() -> None:
    recommendation = judged(HOT, initial=0.1)
    alone = rivals({untaught(HOT): 0.7}, seeds=3)
    explanation = explain(inputs(recommendation, alone))
    assert {shown.key for shown in explanation.lines} & {"as_is", "partner", "average"} == {"as_is"}
    assert figures(line(explanation, "as_is"))[1] == pytest.approx(100 * (WINNER_S - 0.1))
    assert figures(line(explanation, "cross_entropy"))[0] == pytest.approx(100 * (0.7 - 0.1))
    json.dumps(explanation.to_json(), allow_nan=False)
    ranking = ranked([recommendation], student=1, unknown=[])
    assert ranking.partners[0].test.mean == pytest.approx(100 * (WINNER_S - 0.1))
    assert ranking.partners[0].corrected == pytest.approx(100 * (WINNER_S - 0.1))
    decided = decide_for(1, [recommendation])
    assert decided.decision.chosen.test.mean == pytest.approx(100 * (WINNER_S - 0.1))
