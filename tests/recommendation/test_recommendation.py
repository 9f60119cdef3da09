from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness, Failure, RunRecord, TrialState
from autokd.core.setting import DEFAULT, BatchNorm, Schedule, Setting, Split, TransferSet
from autokd.errors import NotTuned
from autokd.recommendation import Advice, Recommendation, Verdict, winner
from autokd.recommendation.decision import Action
from autokd.statistics.paired import paired_interval
from autokd.statistics.target_weights import aimed
from tests.recommendation.meetings import EXAMPLES, PAIR, PLAN, RIVALS, by_rule_3, make_meeting, recommended
from tests.recommendation.samples import (
    HOT,
    TUNING,
    failed_run,
    make_trial,
    recommend_from,
)

KEYS = {
    "pair", "verdict", "setting", "gain", "default_gain", "improvement", "forgetting", "seeds", "split",
    "trials", "epochs_spent", "federation", "study", "position",
}  # fmt: skip


def test_the_json_has_what_the_command_line_promises() -> None:
    plain = json.loads(json.dumps(recommended(make_meeting()).to_json(), allow_nan=False))
    assert plain.keys() >= KEYS
    assert plain["pair"] == {"teacher": 0, "student": 1}
    assert plain["verdict"] == "tuned"
    assert plain["setting"] == {"temperature": 4.0, "alpha": 0.1, "transfer_set": "both"}
    assert plain["gain"].keys() == {"mean", "low", "high"}
    assert plain["improvement"]["mean"] == pytest.approx(
        plain["gain"]["mean"] - plain["default_gain"]["mean"]
    )
    assert plain["recommended"]["gain"] == plain["gain"]
    assert (plain["forgetting"], plain["seeds"], plain["split"]) == (1.0, 5, "test")
    assert plain["trials"] == {"RUNNING": 0, "COMPLETE": 2, "PRUNED": 0, "FAIL": 0}
    assert plain["epochs_spent"] == {"search": 20, "confirmation": 100}
    assert plain["federation"] == "digits-1a2b3c4d"
    assert plain["study"] == "digits-1a2b3c4d/digits-0/0->1"
    assert plain["position"]["advice"] == "student"
    assert isinstance(plain["position"]["gain_as_teacher"], float)
    assert plain["decided_on"]["seeds"] == [2000, 2001, 2002, 2003, 2004]


@pytest.mark.parametrize(
    ("towards", "verdict"),
    [
        ((0.85, 0.70), Verdict.TUNED),
        ((0.78, 0.78), Verdict.DEFAULT),
        ((0.45, 0.40), Verdict.SKIP),
        ((0.62, 0.60), Verdict.UNDECIDED),
    ],
)
def test_the_verdict_follows_from_the_stored_runs(towards: tuple[float, float], verdict: Verdict) -> None:
    """Recomputed here from the records alone, by the rule of docs/how-a-recommendation-is-made.md."""
    meeting = make_meeting(towards=towards)
    best = winner(PLAN, meeting.towards)

    def stored(setting: Setting | None, split: Split) -> Correctness:
        runs = [run for run in meeting.towards.runs if run.setting == setting]
        return np.stack([run.correct[split] for run in sorted(runs, key=lambda run: run.seed)])

    def interval(first: Correctness, second: Correctness) -> tuple[float, float]:
        interval = paired_interval(first, second, confidence=0.95, resamples=2000, seed=99)
        return interval.low, interval.high

    own = meeting.federation.participants[1].correct
    tuned, default = stored(best, Split.CONFIRMATION), stored(DEFAULT, Split.CONFIRMATION)
    gain_low, gain_high = interval(tuned, own[Split.CONFIRMATION])
    default_low, default_high = interval(default, own[Split.CONFIRMATION])
    improvement_low, _ = interval(tuned, default)
    if gain_high < 0.5 and default_high < 0.5:
        expected = Verdict.SKIP
    elif improvement_low > 0 and gain_low > 0:
        expected = Verdict.TUNED
    elif default_low > 0:
        expected = Verdict.DEFAULT
    else:
        expected = Verdict.UNDECIDED
    recommendation = recommended(meeting)
    assert recommendation.verdict is expected is verdict
    shown = stored(recommendation.setting, Split.TEST)
    assert recommendation.gain is not None
    assert recommendation.gain.mean == pytest.approx(100 * (shown.mean() - own[Split.TEST].mean()))


def test_the_same_records_give_the_same_recommendation_in_whatever_order() -> None:
    meeting = make_meeting()
    shuffled = PairRecords(
        pair=PAIR,
        study=meeting.towards.study,
        trials=meeting.towards.trials[::-1],
        runs=meeting.towards.runs[::-1],
    )
    again = recommend_from(PLAN, meeting.federation, shuffled, reverse=meeting.back)
    assert again.to_json() == recommended(meeting).to_json()


def test_both_sides_of_a_meeting_read_the_same_runs() -> None:
    """The identity of the poster's tables, on recommendations as they are printed."""
    meeting = make_meeting()
    position = recommended(meeting).to_json()["position"]
    zero = recommend_from(PLAN, meeting.federation, meeting.back, reverse=meeting.towards)
    other = zero.to_json()["position"]
    assert isinstance(position, dict)
    assert isinstance(other, dict)
    gap = position["gain_by_adoption"]
    assert position["gain_as_student"] - other["gain_as_teacher"] == pytest.approx(gap)
    assert position["gain_as_teacher"] - other["gain_as_student"] == pytest.approx(gap)
    assert other["gain_by_adoption"] == pytest.approx(-gap)


@pytest.mark.parametrize(
    ("towards", "verdict"), [((0.45, 0.40), Verdict.SKIP), ((0.62, 0.60), Verdict.UNDECIDED)]
)
def test_where_nothing_is_shown_the_answer_is_as_is_and_the_candidate_stays_visible(
    towards: tuple[float, float], verdict: Verdict
) -> None:
    recommendation = recommended(make_meeting(towards=towards))
    assert recommendation.verdict is verdict
    plain = recommendation.to_json()
    assert plain["recommended"] == {"answer": "as-is", "gain": {"mean": 0.0, "low": 0.0, "high": 0.0}}
    assert recommendation.setting == HOT
    assert "leave participant 1 as it is" in recommendation.advice
    assert bool(recommendation.what_would_decide) is (verdict is Verdict.UNDECIDED)


def test_where_the_default_is_the_answer_it_is_the_setting_shown() -> None:
    recommendation = recommended(make_meeting(towards=(0.78, 0.78)))
    plain = recommendation.to_json()
    assert recommendation.setting == DEFAULT
    assert plain["gain"] == plain["default_gain"]
    candidate = plain["candidate"]
    assert isinstance(candidate, dict)
    assert candidate["setting"]["temperature"] == HOT.temperature
    assert recommendation.advice.endswith("nothing is shown to beat it")


def test_fine_tuning_is_called_by_its_name() -> None:
    recommendation = recommended(make_meeting(candidate=TUNING))
    assert recommendation.verdict is Verdict.TUNED
    assert "fine-tuning on both (α = 0: the teacher is not used)" in recommendation.advice


def test_a_space_that_holds_only_the_default_does_not_end_in_tuned() -> None:
    """Even where the runs of its trials look better by luck."""
    near = Setting(temperature=1.0005, alpha=0.5004, transfer_set=TransferSet.STUDENT)
    recommendation = recommended(make_meeting(candidate=near))
    assert recommendation.verdict is Verdict.DEFAULT
    plain = recommendation.to_json()
    assert plain["candidate"] is None
    assert plain["improvement"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert "no other setting came through confirmation" in recommendation.reason


def test_without_a_baseline_the_verdict_is_failed() -> None:
    meeting = make_meeting()
    trials = [make_trial(0, DEFAULT, state=TrialState.FAIL), make_trial(1, HOT)]
    recommendation = recommend_from(
        PLAN, meeting.federation, PairRecords(pair=PAIR, study="s", trials=trials)
    )
    plain = json.loads(json.dumps(recommendation.to_json()))
    assert (recommendation.verdict, plain["setting"], plain["gain"]) == (Verdict.FAILED, None, None)
    assert plain.keys() >= KEYS
    assert "loss became nan at step 3" in recommendation.advice
    assert plain["position"]["advice"] == "none"


def test_diverged_runs_are_told() -> None:
    meeting = make_meeting()
    runs: list[RunRecord] = [
        failed_run(HOT, 0, Failure.DIVERGED) if (run.setting, run.seed) == (HOT, 2000) else run
        for run in meeting.towards.runs
    ]
    searched = PairRecords(pair=PAIR, study=meeting.towards.study, trials=meeting.towards.trials, runs=runs)
    recommendation = recommend_from(PLAN, meeting.federation, searched)
    assert "1 runs diverged and count as no gain" in recommendation.reason
    whole = recommended(meeting)
    assert recommendation.gain is not None
    assert whole.gain is not None
    assert recommendation.gain.mean < whole.gain.mean


@pytest.mark.parametrize("trials", [[], [make_trial(0, DEFAULT, state=TrialState.RUNNING)]])
def test_before_the_search_there_is_no_recommendation(trials) -> None:
    with pytest.raises(NotTuned, match=r"run autokd tune --pair 0,1"):
        recommend_from(PLAN, make_meeting().federation, PairRecords(pair=PAIR, study="s", trials=trials))


def test_before_the_confirmation_is_finished_there_is_no_recommendation() -> None:
    meeting = make_meeting()
    half = PairRecords(pair=PAIR, study="s", trials=meeting.towards.trials, runs=meeting.towards.runs[:-2])
    with pytest.raises(NotTuned, match="2 race and confirmation runs are to be done"):
        recommend_from(PLAN, meeting.federation, half)
    # As the reverse pair, it counts as unknown.
    recommendation = recommend_from(PLAN, meeting.federation, meeting.back, reverse=half)
    assert recommendation.of_pair[1].test.as_teacher is None


# By rule 3


def recommended_by_arms(arms: dict[str, float], **options: Any) -> Recommendation:
    federation, records = by_rule_3(arms, **options)
    return recommend_from(PLAN, federation, records)


EVERY_ARM = {"winner": 0.85, "default": 0.70, "default_budget": 0.75, "no_teacher": 0.80}


def test_the_teachers_part_and_all_that_was_beaten_stand_in_the_json() -> None:
    recommendation = recommended_by_arms(EVERY_ARM)
    plain = json.loads(json.dumps(recommendation.to_json(), allow_nan=False))
    assert (plain["verdict"], plain["decided_on"]["rule"]) == ("tuned", 3)
    assert recommendation.judgement is not None
    arms = {
        name: arm.correct[Split.TEST].mean() for name, arm in recommendation.judgement.evidence.arms.items()
    }
    parts = {"teacher_part": "no_teacher", "improvement": "default"}
    for key, rival in parts.items():
        assert plain[key]["mean"] == pytest.approx(100 * (arms["winner"] - arms[rival]))
    for name, setting in RIVALS.items():
        rival = plain["rivals"][name]
        assert Setting.from_json(rival["setting"]) == setting
        assert rival["difference"]["mean"] == pytest.approx(100 * (arms["winner"] - arms[name]))
        assert rival["gain"]["mean"] == pytest.approx(plain["gain"]["mean"] - rival["difference"]["mean"])
        assert rival["seeds"] == 5
    own = recommendation.student
    expected = 100 * (own.corrected[Split.TEST].mean() - own.correct[Split.TEST].mean())
    assert plain["corrected_gain"]["mean"] == pytest.approx(expected)
    decided = plain["decided_on"]
    assert decided["beats"]["winner"].keys() == {"own", "corrected", "default", "default_budget"}
    assert decided["beats"]["default"].keys() == {"own", "corrected"}
    assert all(interval["low"] > 0 for interval in decided["beats"]["winner"].values())
    assert decided["teacher_part"].keys() == decided["corrected_gain"].keys() == {"mean", "low", "high"}
    assert "is the teacher's" in plain["reason"]
    assert "to the default at its budget, epochs 40" in plain["reason"]


def test_a_gain_that_the_corrected_own_model_has_for_nothing_is_none() -> None:
    """The same runs, before and after as-is knows the corrected model."""
    arms, own = {"winner": 0.75, "default": 0.65, "no_teacher": 0.75}, (0.5, 0.85)
    federation, records = by_rule_3(arms, own=own)
    assert recommend_from(PLAN, federation, replace(records, rule=2)).verdict is Verdict.TUNED
    recommendation = recommend_from(PLAN, federation, records)
    assert recommendation.verdict is Verdict.SKIP
    assert recommendation.to_json()["recommended"] == {
        "answer": "as-is",
        "gain": {"mean": 0.0, "low": 0.0, "high": 0.0},
    }
    assert "dividing out its label prior gains +3" in recommendation.advice
    assert "nothing trained" in recommendation.advice
    assert "dividing out the own model's label prior gains" in recommendation.of_pair[1].why


def test_what_the_default_reaches_at_a_budget_of_its_own_is_not_tuned() -> None:
    arms = {"winner": 0.84, "default": 0.72, "default_budget": 0.84}
    assert recommended_by_arms({**arms, "default_budget": 0.74}).verdict is Verdict.TUNED
    recommendation = recommended_by_arms(arms)
    assert recommendation.verdict is Verdict.DEFAULT
    assert recommendation.setting == DEFAULT


def test_a_longer_default_is_the_default_with_its_budget_told() -> None:
    longer = replace(DEFAULT, epochs=80, learning_rate=0.05)
    recommendation = recommended_by_arms({"winner": 0.85, "default": 0.65, "no_teacher": 0.7}, best=longer)
    assert (recommendation.verdict, recommendation.setting) == (Verdict.DEFAULT, longer)
    assert recommendation.gain is not None
    assert recommendation.recommended_gain == recommendation.gain
    assert recommendation.gain.mean == pytest.approx(25, abs=8)
    assert "use the default at a budget of its own" in recommendation.advice
    assert "epochs 80" in recommendation.advice
    assert "differs from the default in its budget only" in recommendation.reason
    # Where it is not shown to be better, the recipe's budget does.
    same = recommended_by_arms({"winner": 0.72, "default": 0.72}, best=longer)
    assert (same.verdict, same.setting) == (Verdict.DEFAULT, DEFAULT)


LONGER = st.builds(
    lambda rate, schedule, epochs, norm: replace(
        DEFAULT, learning_rate=rate, schedule=schedule, epochs=epochs, batch_norm=norm
    ),
    st.none() | st.floats(1e-4, 10),
    st.none() | st.sampled_from(Schedule),
    st.none() | st.integers(1, 400),
    st.none() | st.sampled_from(BatchNorm),
)


@settings(max_examples=30)
@given(LONGER, st.lists(st.floats(0.4, 0.95), min_size=4, max_size=4), st.integers(0, 99))
def test_whatever_a_budget_reaches_it_is_never_tuned(best: Setting, reached: list[float], seed: int) -> None:
    winner, default, own, corrected = reached
    federation, records = by_rule_3(
        {"winner": winner, "default": default}, own=(own, corrected), best=best, seed=seed
    )
    assert recommend_from(PLAN, federation, records).verdict is not Verdict.TUNED


def test_without_a_teacher_its_part_is_nothing() -> None:
    recommendation = recommended_by_arms({"winner": 0.85, "default": 0.7}, best=TUNING).to_json()
    nothing = {"mean": 0.0, "low": 0.0, "high": 0.0}
    decided = recommendation["decided_on"]
    assert isinstance(decided, dict)
    assert recommendation["teacher_part"] == decided["teacher_part"] == nothing


def test_a_rival_whose_runs_failed_is_not_beaten() -> None:
    federation, records = by_rule_3({**EVERY_ARM, "default": 0.5})
    lost = [run for run in records.runs if run.setting != RIVALS["default_budget"]]
    lost += [
        failed_run(RIVALS["default_budget"], index, Failure.INFRASTRUCTURE)
        for index in range(5)
        for _ in range(PLAN.search.retries + 1)
    ]
    recommendation = recommend_from(PLAN, federation, replace(records, runs=lost))
    assert recommendation.verdict is Verdict.UNDECIDED
    assert "the runs of the default at its budget failed" in recommendation.reason
    # The teacher's runs do not decide.
    lost = [run for run in records.runs if run.setting != RIVALS["no_teacher"]]
    lost += [
        failed_run(RIVALS["no_teacher"], index, Failure.INFRASTRUCTURE)
        for index in range(5)
        for _ in range(PLAN.search.retries + 1)
    ]
    recommendation = recommend_from(PLAN, federation, replace(records, runs=lost))
    assert recommendation.verdict is Verdict.TUNED
    assert recommendation.to_json()["teacher_part"] is None


def test_a_corrected_model_that_forgets_too_much_stands_in_no_way() -> None:
    aims = {"constraints": {"max_forgetting": 2.0}}
    config = StudyConfig.model_validate({**PLAN.model_dump(), **aims})
    federation, records = by_rule_3({"winner": 0.80, "default": 0.65}, own=(0.62, 0.40))
    assert "corrected" in excluded(recommend_from(config, federation, records))
    federation, records = by_rule_3({"winner": 0.80, "default": 0.65}, own=(0.60, 0.80))
    assert excluded(recommend_from(config, federation, records)) == frozenset()


def excluded(recommendation: Recommendation) -> frozenset[str]:
    assert recommendation.judgement is not None
    return recommendation.judgement.excluded


def test_balanced_has_the_intervals_of_equal_shares() -> None:
    """Classes of different sizes: every figure is that of a target that gives them equal shares."""
    meeting = make_meeting()
    rng = np.random.default_rng(1)
    labels = {split: (rng.random(count) < 0.2).astype(np.int64) for split, count in EXAMPLES.items()}
    facts = replace(meeting.federation, labels=labels)
    recommendations = []
    for fields in ({"objective": "balanced"}, {"target": {"0": 0.5, "1": 0.5}}):
        config = StudyConfig.model_validate({**PLAN.model_dump(by_alias=True), **fields})
        weighted = aimed(facts, config.target, source="recipe")
        records = replace(meeting.towards, weights=weighted.participants[1].weights)
        recommendations.append(recommend_from(config, weighted, records))
    balanced, shares = (recommendation.to_json() for recommendation in recommendations)
    assert (balanced["target"], shares["target"]) == ("balanced", {"0": 0.5, "1": 0.5})
    for name in ("gain", "default_gain", "improvement", "verdict", "position"):
        assert balanced[name] == shares[name]
    assert balanced["gain"] != recommend_from(PLAN, facts, meeting.towards).to_json()["gain"]
    decided = [payload["decided_on"] for payload in (balanced, shares)]
    assert [decision.pop("objective") for decision in decided] == ["balanced", "gain"]  # type: ignore[attr-defined]
    assert decided[0] == decided[1]
    assert recommendations[0].reason.startswith("by balanced accuracy, on confirmation: ")
    judgement = recommendations[0].judgement
    assert judgement is not None
    right, own = judgement.shown.correct[Split.TEST], judgement.evidence.own[Split.TEST]
    per_class = [
        100 * float((right.mean(axis=0) - own)[labels[Split.TEST] == number].mean()) for number in (0, 1)
    ]
    assert judgement.gain(Split.TEST).mean == pytest.approx(sum(per_class) / 2)


def test_probabilities_before_and_after_are_those_of_the_stored_outputs() -> None:
    meeting, rng = make_meeting(), np.random.default_rng(2)
    count = EXAMPLES[Split.TEST]
    labels = rng.integers(0, 2, count)
    own = rng.normal(size=(count, 2)).astype(np.float32)
    student = replace(meeting.federation.participants[1], logits={Split.TEST: own})
    facts = replace(
        meeting.federation,
        labels={**meeting.federation.labels, Split.TEST: labels},
        participants=(meeting.federation.participants[0], student),
    )
    assert "probabilities" not in recommend_from(PLAN, facts, meeting.towards).to_json()
    outputs = [rng.normal(size=(count, 2)).astype(np.float16) for _ in meeting.towards.runs]
    runs = [
        replace(run, logits={Split.TEST: logits})
        for run, logits in zip(meeting.towards.runs, outputs, strict=True)
    ]
    recommendation = recommend_from(PLAN, facts, replace(meeting.towards, runs=runs))
    assert recommendation.setting is not None
    mine = [
        logits for run, logits in zip(runs, outputs, strict=True) if run.setting == recommendation.setting
    ]

    def nll(logits: np.ndarray) -> float:
        exact = logits.astype(np.float64)
        total = np.log(np.exp(exact).sum(axis=1))
        return float((total - exact[np.arange(count), labels]).mean())

    probabilities: Any = recommendation.to_json()["probabilities"]
    assert probabilities["seeds"] == len(mine) == 5
    assert probabilities["before"]["nll"] == pytest.approx(nll(own))
    assert probabilities["after"]["nll"] == pytest.approx(np.mean([nll(logits) for logits in mine]))
    assert probabilities["after"].keys() == {"nll", "brier", "ece"}


def test_an_untrained_student_is_an_arm_with_seeds_that_adopts_nothing() -> None:
    """Seed by seed the gain is what a run adds to the initial weights that it started from."""
    meeting, rng = make_meeting(towards=(0.85, 0.7)), np.random.default_rng(3)
    initial = {split: rng.random((3, count)) < 0.1 for split, count in EXAMPLES.items()}
    teacher, student = meeting.federation.participants
    facts = replace(meeting.federation, participants=(teacher, replace(student, initial=initial)))
    recommendation = recommend_from(PLAN, facts, meeting.towards)
    judgement = recommendation.judgement
    assert judgement is not None
    seeds = len(judgement.evidence.seeds)
    for split in (Split.CONFIRMATION, Split.TEST):
        own = judgement.evidence.own[split]
        # Seeds that were not evaluated repeat those that were.
        assert np.array_equal(own, initial[split][[row % 3 for row in range(seeds)]])
        gain = 100 * float((judgement.shown.correct[split].astype(float) - own).mean())
        assert judgement.gain(split).mean == pytest.approx(gain)
    assert recommendation.verdict is Verdict.TUNED
    assert {weighed.way.action for weighed in recommendation.decision.weighed} <= {
        Action.KEEP,
        Action.TRAIN_ALONE,
        Action.LEARN,
    }
    assert recommendation.of_pair[1].advice is Advice.STUDENT
    assert recommendation.of_pair[1].why.endswith("an untrained model only learns")
    assert recommendation.of_pair[1].test.by_corrected_adoption is None
    (kept,) = [
        weighed.way for weighed in recommendation.decision.weighed if weighed.way.action is Action.KEEP
    ]
    assert kept.seeds == judgement.evidence.seeds
    json.dumps(recommendation.to_json(), allow_nan=False)
