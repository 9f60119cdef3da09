from __future__ import annotations

import pytest

from autokd.core.setting import DEFAULT
from autokd.delivery import chosen, promised
from autokd.errors import NotRecommended
from autokd.recommendation import Verdict
from tests.recommendation.meetings import verdict
from tests.recommendation.samples import HOT


def test_what_is_recommended_is_distilled() -> None:
    assert chosen(verdict(Verdict.TUNED), force=False) == HOT
    assert chosen(verdict(Verdict.DEFAULT), force=False) == DEFAULT


@pytest.mark.parametrize("wanted", [Verdict.SKIP, Verdict.UNDECIDED, Verdict.FAILED])
def test_what_is_not_is_refused_with_the_reason_unless_forced(wanted: Verdict) -> None:
    found = verdict(wanted)
    with pytest.raises(NotRecommended) as refusal:
        chosen(found, force=False)
    line = str(refusal.value)
    assert "\n" not in line
    for part in (wanted.value, found.reason, found.what_would_decide, "--force"):
        assert part in line
    setting = DEFAULT if wanted is Verdict.FAILED else HOT
    assert f"--force distils {setting}" in line
    assert chosen(found, force=True) == setting


def test_a_promise_is_what_the_recommendation_says_of_the_setting() -> None:
    found = verdict(Verdict.TUNED)
    promise = promised(found)
    plain = found.to_json()
    assert promise.gain is not None
    assert promise.default_gain is not None
    assert promise.gain.to_json() == plain["gain"]
    assert promise.default_gain.to_json() == plain["default_gain"]
    assert (promise.verdict, promise.seeds, promise.study) == ("tuned", 5, plain["study"])
    nothing = promised(verdict(Verdict.FAILED))
    assert (nothing.verdict, nothing.gain, nothing.seeds) == ("failed", None, 0)
