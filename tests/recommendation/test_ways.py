from __future__ import annotations

from dataclasses import replace

import pytest

from autokd.core.setting import Pair, Setting, Split, TransferSet
from autokd.recommendation import Recommendation
from autokd.recommendation.decision import Action, Way
from tests.recommendation.meetings import PLAN, by_rule_3, make_meeting
from tests.recommendation.samples import HOT, make_plan, recommend_from

ARMS = {"winner": 0.80, "default": 0.65, "default_budget": 0.66, "no_teacher": 0.70}


def recommendation_of(**plan: object) -> Recommendation:
    meeting = make_meeting()
    config = make_plan().with_(**plan) if plan else PLAN
    return recommend_from(config, meeting.federation, meeting.towards, reverse=meeting.back)


def by_action(recommendation: Recommendation) -> dict[Action, list[Way]]:
    ways: dict[Action, list[Way]] = {}
    for weighed in recommendation.decision.weighed:
        ways.setdefault(weighed.way.action, []).append(weighed.way)
    return ways


def test_all_that_was_measured_of_both_pairs_is_weighed() -> None:
    weighed = by_action(recommend_from(PLAN, *by_rule_3(ARMS)))
    assert {action: len(ways) for action, ways in weighed.items()} == {
        Action.KEEP: 1,
        Action.CORRECT: 1,
        Action.TRAIN_ALONE: 1,
        Action.LEARN: 3,
        Action.ADOPT: 2,
    }
    assert "participant 0" in weighed[Action.LEARN][0].words
    assert {way.name for way in weighed[Action.ADOPT]} == {"model 0 as it is", "model 0, prior divided out"}


def test_the_reverse_pair_is_a_way_too() -> None:
    (way,) = by_action(recommendation_of())[Action.LET_PARTNER_LEARN]
    assert way.name == "model 0, taught by 1"
    assert way.words.startswith("let participant 0 train with ")
    assert way.correct[Split.TEST].shape[0] == len(way.seeds)


def test_what_the_study_forbids_is_no_way() -> None:
    meeting = make_meeting()
    for position, action in (("teacher", Action.LET_PARTNER_LEARN), ("student", Action.LEARN)):
        forbidding = PLAN.model_copy(
            update={"forbid": PLAN.forbid.model_copy(update={"positions": (position,)})}
        )
        recommendation = recommend_from(forbidding, meeting.federation, meeting.towards, reverse=meeting.back)
        assert action not in by_action(recommendation)
        assert Action.ADOPT in by_action(recommendation)


def test_what_forgets_too_much_is_no_way() -> None:
    limited = PLAN.model_copy(
        update={"constraints": PLAN.constraints.model_copy(update={"max_forgetting": 5.0})}
    )
    federation, records = by_rule_3({"winner": 0.80, "default": 0.30}, own=(0.62, 0.64))
    names = {weighed.way.name for weighed in recommend_from(limited, federation, records).decision.weighed}
    assert "the default setting" not in names
    assert {"the search's setting", "as it is", "prior divided out"} <= names


@pytest.mark.parametrize(
    ("transfer_set", "moves"), [("student", False), ("public", False), ("both", True), ("teacher", True)]
)
def test_whose_data_are_trained_on_is_known(transfer_set: str, moves: bool) -> None:
    alpha = None if transfer_set == "public" else 0.5
    best = Setting(4.0, alpha, TransferSet(transfer_set))
    recommendation = recommend_from(PLAN, *by_rule_3({"winner": 0.80, "default": 0.65}, best=best))
    (way,) = (way for way in by_action(recommendation)[Action.LEARN] if way.setting == best)
    assert way.moves_data is moves


@pytest.mark.parametrize(
    ("transfer_set", "words"),
    [
        (TransferSet.STUDENT, "train without a teacher on its own examples"),
        (TransferSet.BOTH, "train without a teacher on its own examples and those of participant {teacher}"),
        (TransferSet.TEACHER, "train without a teacher on the examples of participant {teacher}"),
    ],
)
def test_a_winner_without_a_teacher_is_training_alone(transfer_set: TransferSet, words: str) -> None:
    best = replace(HOT, alpha=0.0, transfer_set=transfer_set)
    recommendation = recommend_from(PLAN, *by_rule_3({"winner": 0.85, "default": 0.62}, best=best))
    assert recommendation.decision.action is Action.TRAIN_ALONE
    assert isinstance(recommendation.pair, Pair)
    assert recommendation.decision.chosen.way.words == words.format(teacher=recommendation.pair.teacher)


def test_the_decision_heads_the_recommendation_as_json() -> None:
    recommendation = recommendation_of()
    assert next(iter(recommendation.to_json())) == "pair"
    content = recommendation.to_json()["decision"]
    assert isinstance(content, dict)
    assert content["action"] == recommendation.decision.action.value
    assert content["gain"] == recommendation.decision.chosen.test.to_json()
    assert [entry["name"] for entry in content["weighed"]] == [
        weighed.way.name for weighed in recommendation.decision.weighed
    ]
