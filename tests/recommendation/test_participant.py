from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts, ParticipantFacts
from autokd.core.setting import Pair, Split
from autokd.errors import NotTuned
from autokd.recommendation import Recommendation
from autokd.recommendation.decision import Action
from autokd.recommendation.participant import decide_for
from tests.recommendation.meetings import PLAN, by_rule_3
from tests.recommendation.samples import recommend_from


def with_partners(*winners: float) -> list[Recommendation]:
    """Recommendations of participant 0 with a partner for each accuracy of a winner."""
    recommendations: list[Recommendation] = []
    participants: list[ParticipantFacts] = []
    for teacher, winner in enumerate(winners, start=1):
        federation, records = by_rule_3({"winner": winner, "default": 0.6, "no_teacher": 0.65}, seed=teacher)
        partner, student = federation.participants
        participants = participants or [replace(student, number=0)]
        participants.append(replace(partner, number=teacher))
        recommendations.append(_recommended(federation, records, participants, Pair(teacher, 0)))
    return recommendations


def _recommended(
    federation: FederationFacts, records: PairRecords, participants: list[ParticipantFacts], pair: Pair
) -> Recommendation:
    """The pair's own model is the first participant's, whatever the records were drawn with."""
    facts = replace(federation, participants=tuple(participants))
    return recommend_from(PLAN, facts, replace(records, pair=pair, study=f"digits-1a2b3c4d/digits-0/{pair}"))


def test_of_all_partners_it_is_the_one_that_helps() -> None:
    participant = decide_for(0, with_partners(0.66, 0.92, 0.64), unknown=[4])
    assert participant.decision.action is Action.LEARN
    assert participant.decision.chosen.way.pair == Pair(2, 0)
    assert "participant 2" in participant.decision.chosen.way.words
    assert (participant.partners, participant.unknown) == ((1, 2, 3), (4,))
    assert participant.decision.confidence == pytest.approx(1 - 0.05 / participant.choices)


def test_what_the_owner_can_do_alone_is_weighed_once() -> None:
    recommendations = with_partners(0.66, 0.70)
    participant = decide_for(0, recommendations)
    actions = [weighed.way.action for weighed in participant.decision.weighed]
    assert actions.count(Action.KEEP) == actions.count(Action.CORRECT) == 1
    # Both pairs have both of them, and nothing else in common.
    assert participant.choices == sum(len(each.decision.weighed) for each in recommendations) - 2


def test_it_does_not_depend_on_the_order_of_the_partners() -> None:
    recommendations = with_partners(0.75, 0.77, 0.64)
    chosen = {
        decide_for(0, [recommendations[place] for place in order]).decision.chosen.way.name
        for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0))
    }
    assert len(chosen) == 1


def test_its_gain_is_that_of_the_runs_on_test() -> None:
    participant = decide_for(0, with_partners(0.66, 0.92))
    way = participant.decision.chosen.way
    own = next(weighed.way for weighed in participant.decision.weighed if weighed.way.action is Action.KEEP)
    right, before = way.correct[Split.TEST], own.correct[Split.TEST]
    assert participant.decision.chosen.test.mean == pytest.approx(100 * (right.mean() - before.mean()))
    assert participant.to_json()["chosen_among"] == participant.choices
    assert np.isfinite(participant.decision.chosen.test.low)


def test_without_a_recommendation_there_is_a_way_out() -> None:
    with pytest.raises(NotTuned, match="autokd tune --student 3"):
        decide_for(3, [])
