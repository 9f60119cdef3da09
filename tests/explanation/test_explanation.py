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
        replace(run, stage=Stage.RIVAL) for one, share in shares.items() for run in arm(one, share, seeds)
    ]


def inputs(found: Recommendation, runs: Sequence[RunRecord], **changes: object) -> ExplanationInputs:
    assert found.judgement is not None
    evidence = found.judgement.evidence
    assert evidence.winner is not None
    usual: dict[str, object] = {
        "recommendation": found,
        "compared": ComparedPair(
            pair=found.of_pair[0],
            setting=found.judgement.shown.setting,
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


def line(found: Explanation, key: str) -> Line:
    return next(one for one in found.lines if one.key == key)


def figures(one: Line) -> tuple[float, float]:
    """Gain and difference on test, in pp."""
    assert one.gain is not None
    assert one.difference is not None
    return one.gain[Split.TEST].mean, one.difference[Split.TEST].mean


def test_every_rival_stands_beside_the_answer_in_pp_of_the_student() -> None:
    runs = rivals({untaught(HOT): 0.7, ON_VALIDATION: 0.65})
    found = explained(HOT, runs)
    assert figures(line(found, "as_is")) == pytest.approx((0, 30))
    assert figures(line(found, "partner")) == pytest.approx((-10, 40))
    assert figures(line(found, "average")) == pytest.approx((40, -10))
    assert figures(line(found, "default")) == pytest.approx((5, 25))
    assert figures(line(found, "cross_entropy")) == pytest.approx((20, 10))
    assert figures(line(found, "validation")) == pytest.approx((15, 15))
    assert figures(line(found, "elsewhere")) == pytest.approx((5, 25))
    assert (found.verdict, found.setting) == (Verdict.TUNED, HOT)


def test_figures_that_the_recommendation_has_are_the_same_to_the_last_digit() -> None:
    found, answer = explained(), judged(HOT)
    assert answer.judgement is not None
    told = line(found, "default")
    assert told.gain is not None
    assert told.difference is not None
    assert told.gain[Split.TEST] == answer.judgement.test.default_gain
    assert told.difference[Split.CONFIRMATION] == answer.judgement.confirmation.improvement
    assert found.gain[Split.TEST] == answer.gain


def test_what_has_not_run_is_said_to_be_missing() -> None:
    found = explained()
    missing = [one.key for one in found.lines if one.gain is None]
    assert missing == [
        "default_on_teacher",
        "default_on_both",
        "default_on_public",
        "cross_entropy",
        "validation",
    ]
    assert {line(found, key).note for key in missing[:-1]} == {"not run yet"}
    assert found.attribution is None
    assert "not known yet" in found.teacher_or_data


def test_a_rival_that_diverges_counts_as_the_own_model() -> None:
    alone = untaught(HOT)
    runs = rivals({alone: 0.7})
    runs[3:5] = [failed_run(alone, index, Failure.DIVERGED, Stage.RIVAL) for index in (3, 4)]
    told = line(explained(HOT, runs), "cross_entropy")
    assert (told.seeds, told.diverged) == (5, 2)
    assert figures(told) == pytest.approx((0.6 * 20, 30 - 0.6 * 20))


def test_a_seed_that_the_machine_lost_is_left_out_of_both_sides() -> None:
    """The answer is worse with the first seed, which the rival has not."""
    found = judged(HOT)
    assert found.judgement is not None
    evidence = found.judgement.evidence
    assert evidence.winner is not None
    for split in JUDGED:
        evidence.winner.correct[split][0] = right(0.5)
    runs = [run for run in rivals({untaught(HOT): 0.7}) if run.seed != CONFIRMATION_SEEDS]
    told = line(explain(inputs(found, runs)), "cross_entropy")
    assert told.seeds == 4
    assert figures(told) == pytest.approx((20, 10))


def test_a_rival_of_which_all_runs_failed_says_why() -> None:
    runs = [failed_run(untaught(HOT), index, Failure.ERROR, Stage.RIVAL) for index in range(5)]
    told = line(explained(HOT, runs), "cross_entropy")
    assert (told.gain, told.note) == (None, "its runs failed (it was error)")


def test_fine_tuning_is_its_own_rival() -> None:
    found = explained(TUNING)
    assert figures(line(found, "cross_entropy")) == pytest.approx((30, 0))
    assert found.teacher_or_data == ("the data: this is fine-tuning on both (α = 0: the teacher is not used)")


def test_a_winner_that_was_turned_down_is_a_rival_of_the_default() -> None:
    found = explain(inputs(judged(HOT, default=0.8, share=0.8), ()))
    assert (found.verdict, found.setting) == (Verdict.DEFAULT, DEFAULT)
    assert figures(line(found, "winner")) == pytest.approx((30, 0))
    assert figures(line(found, "default")) == (30, 0)


def test_steps_add_up_to_what_the_answer_has_beyond_the_default() -> None:
    alone, there = Setting(4.0, 0.1, DEFAULT.transfer_set), Setting(1.0, 0.5, HOT.transfer_set)
    found = explained(HOT, rivals({alone: 0.6, there: 0.65}))
    assert found.attribution is not None
    parts = {step: its[Split.TEST].mean for step, its in found.attribution.parts.items()}
    # T and α: first 60 - 55, second 80 - 65. Transfer set: first 65 - 55, second 80 - 60.
    assert parts == {Step.TUNING: pytest.approx(10), Step.TRANSFER_SET: pytest.approx(15)}
    assert found.attribution.total[Split.TEST].mean == pytest.approx(25)


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
    found = explain(material).attribution
    assert found is not None
    parts = {step: its[Split.TEST].mean for step, its in found.parts.items()}
    assert list(parts) == [Step.TUNING, Step.TRANSFER_SET, Step.POSITION]
    assert sum(parts.values()) == pytest.approx(100 * (0.9 - 0.55))
    # First 60 - 55 (twice of six), after T and α 70 - 60, after the set 70 - 65, last 90 - 80 (twice).
    assert parts[Step.POSITION] == pytest.approx((2 * 5 + 10 + 5 + 2 * 10) / 6)


def by_rule_3(found: Recommendation, **changes: object) -> ComparedPair:
    usual = inputs(found, ()).compared
    return replace(usual, with_priors=True, **changes)  # type: ignore[arg-type]


def test_by_rule_3_the_steps_of_the_whole_gain_begin_at_the_own_model() -> None:
    found = judged(HOT)
    own, both = untaught(DEFAULT), untaught(HOT)
    usual = Setting(1.0, 0.5, HOT.transfer_set)
    runs = rivals({own: 0.55, both: 0.65, usual: 0.7})
    told = explain(inputs(found, runs, compared=by_rule_3(found)))
    assert told.attribution is not None
    parts = {step: its[Split.TEST].mean for step, its in told.attribution.parts.items()}
    expected = {Step.BUDGET: 5, Step.EXAMPLES: 10, Step.TEACHER: 5, Step.TUNING: 10}
    assert parts == {step: pytest.approx(worth) for step, worth in expected.items()}
    # The whole is the recommendation's own figure, to the last digit.
    assert told.attribution.total == told.gain
    assert set(told.attribution.left_out) == {Step.PRIOR, Step.POSITION}
    assert not told.attribution.beyond_default
    missing = explain(inputs(found, rivals({own: 0.55, both: 0.65}), compared=by_rule_3(found)))
    assert missing.attribution is None


def test_by_rule_3_the_reversed_pair_is_one_more_step_and_needs_no_run_of_its_own() -> None:
    found, reverse = judged(TUNING), judged(HOT, pair=PAIR.reverse, default=0.6, share=0.9)
    runs = rivals({untaught(DEFAULT): 0.55})
    told = explain(inputs(found, runs, compared=by_rule_3(found), reverse=reverse.judgement)).attribution
    assert told is not None
    parts = {step: its[Split.TEST].mean for step, its in told.parts.items()}
    expected = {Step.BUDGET: 5, Step.EXAMPLES: 25, Step.POSITION: 10}
    assert parts == {step: pytest.approx(worth) for step, worth in expected.items()}
    assert told.total[Split.TEST].mean == pytest.approx(40)
    assert set(told.left_out) == {Step.PRIOR, Step.TEACHER, Step.TUNING}


def test_by_rule_3_models_with_their_priors_divided_out_stand_beside() -> None:
    found = judged(HOT)
    models = {"partner_without_prior": model(0.6), "without_priors": model(0.7)}
    told = explain(inputs(found, (), compared=by_rule_3(found), **models))
    assert figures(line(told, "partner_corrected")) == pytest.approx((10, 20))
    assert figures(line(told, "average_corrected")) == pytest.approx((20, 10))
    assert figures(line(told, "average")) == pytest.approx((40, -10))
    before = {one.key for one in explain(inputs(found, (), **models)).lines}
    assert not before & {"corrected", "partner_corrected", "average_corrected", "adjusted_on_both"}


def told(alone: tuple[float, float], adds: tuple[float, float], setting: Setting = HOT) -> str:
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
    assert told(alone, adds) == words


def test_without_labels_it_is_the_teachers_doing() -> None:
    assert teacher_or_data(PUBLIC, None).startswith("the teacher: public examples have no labels")


def test_json_has_every_rival_with_intervals_on_both_splits() -> None:
    runs = rivals({untaught(HOT): 0.7})
    content = explained(HOT, runs).to_json()
    told = {one["rival"]: one for one in content["rivals"]}  # type: ignore[attr-defined]
    assert set(told["cross_entropy"]["difference"]) == {"confirmation", "test"}
    assert told["cross_entropy"]["setting"] == untaught(HOT).to_json()
    assert told["validation"]["gain"] is None
    assert content["budget"] == {"runs": 5, "epochs": 50, "owed": 0}


def test_an_untrained_student_is_compared_with_runs_only() -> None:
    found = judged(HOT, initial=0.1)
    alone = rivals({untaught(HOT): 0.7}, seeds=3)
    told = explain(inputs(found, alone))
    assert {one.key for one in told.lines} & {"as_is", "partner", "average"} == {"as_is"}
    assert figures(line(told, "as_is"))[1] == pytest.approx(100 * (WINNER_S - 0.1))
    assert figures(line(told, "cross_entropy"))[0] == pytest.approx(100 * (0.7 - 0.1))
    json.dumps(told.to_json(), allow_nan=False)
    ranking = ranked([found], student=1, unknown=[])
    assert ranking.partners[0].test.mean == pytest.approx(100 * (WINNER_S - 0.1))
    assert ranking.partners[0].corrected == pytest.approx(100 * (WINNER_S - 0.1))
    decided = decide_for(1, [found])
    assert decided.decision.chosen.test.mean == pytest.approx(100 * (WINNER_S - 0.1))
