from __future__ import annotations

import pytest

from autokd.core.setting import DEFAULT
from autokd.delivery import choose_setting, expected_gain
from autokd.errors import NotRecommended
from autokd.recommendation import Verdict
from tests.recommendation.meetings import PLAN, by_rule_3, verdict
from tests.recommendation.samples import HOT, recommend_from


def test_what_is_recommended_is_distilled() -> None:
    assert choose_setting(verdict(Verdict.TUNED), force=False) == HOT
    assert choose_setting(verdict(Verdict.DEFAULT), force=False) == DEFAULT


@pytest.mark.parametrize("wanted", [Verdict.SKIP, Verdict.UNDECIDED, Verdict.FAILED])
def test_what_is_not_is_refused_with_the_reason_unless_forced(wanted: Verdict) -> None:
    recommendation = verdict(wanted)
    with pytest.raises(NotRecommended) as refusal:
        choose_setting(recommendation, force=False)
    line = str(refusal.value)
    assert "\n" not in line
    for part in (wanted.value, recommendation.reason, recommendation.what_would_decide, "--force"):
        assert part in line
    setting = DEFAULT if wanted is Verdict.FAILED else HOT
    assert f"--force distils {setting}" in line
    assert choose_setting(recommendation, force=True) == setting


def test_a_setting_is_not_distilled_where_another_action_is_shown_to_be_better() -> None:
    arms = {"winner": 0.75, "default": 0.62}
    tuned = recommend_from(PLAN, *by_rule_3(arms, own=(0.5, 0.5), partner=(0.95, 0.3)))
    assert tuned.verdict is Verdict.TUNED
    with pytest.raises(NotRecommended, match="take the model of participant 0 as it is") as refusal:
        choose_setting(tuned, force=False)
    assert "\n" not in str(refusal.value)
    assert str(tuned.gain) in str(refusal.value)
    assert choose_setting(tuned, force=True) == HOT
    beside = recommend_from(PLAN, *by_rule_3(arms, own=(0.5, 0.5), partner=(0.6, 0.3)))
    assert choose_setting(beside, force=False) == HOT


def test_a_promise_is_what_the_recommendation_says_of_the_setting() -> None:
    recommendation = verdict(Verdict.TUNED)
    expected = expected_gain(recommendation)
    plain = recommendation.to_json()
    assert expected.gain is not None
    assert expected.default_gain is not None
    assert expected.gain.to_json() == plain["gain"]
    assert expected.default_gain.to_json() == plain["default_gain"]
    assert (expected.verdict, expected.seeds, expected.study) == ("tuned", 5, plain["study"])
    nothing = expected_gain(verdict(Verdict.FAILED))
    assert (nothing.verdict, nothing.gain, nothing.seeds) == ("failed", None, 0)
