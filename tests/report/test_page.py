from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from autokd.errors import InputError
from autokd.recommendation import Interval, Verdict
from autokd.records import TrialState
from autokd.report import page, write
from autokd.report.figures import library
from autokd.setting import DEFAULT
from tests.report.samples import TRIALS, WARM, make_recommendation, trial


def own_part(text: str) -> str:
    """The page without plotly.js."""
    return text.replace(library(), "")


def words(text: str) -> str:
    """What a reader sees, scripts and tags left out."""
    return unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style).*?</\1>", "", text, flags=re.DOTALL)))


def test_the_page_says_what_the_recommendation_says() -> None:
    found = make_recommendation()
    assert found.verdict is Verdict.TUNED
    told = words(own_part(page(found)))
    for expected in (found.advice, found.reason, found.position.why, found.searched.study):
        assert expected in told
    assert found.judgement is not None
    for figures in (found.judgement.test, found.judgement.confirmation):
        for gain in (figures.default_gain, figures.winner_gain, figures.improvement):
            assert str(gain) in told
    assert str(Interval(20.0, *bounds(found.gain))) in told
    assert "2 complete, 1 pruned" in told


def bounds(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


def test_the_figures_start_from_the_student_as_it_was_on_validation() -> None:
    text = own_part(page(make_recommendation()))
    assert "the model as it is, 60.0%" in text
    assert "as it is\\u003cbr\\u003e60.0%" in text


def test_a_reverse_pair_that_was_not_tuned_is_said_to_be_so() -> None:
    assert re.search(
        r"as teacher: 1->0, adopted by 1\s+not tried\s+not tried",
        words(own_part(page(make_recommendation()))),
    )


def test_the_default_standing_alone_has_no_row_of_a_winner() -> None:
    told = words(own_part(page(make_recommendation(TRIALS[:1]))))
    assert "the default setting" in told
    assert "difference" not in told
    assert "chosen by the race" not in told


def test_a_failed_pair_has_a_page_without_gains() -> None:
    dead = trial(0, DEFAULT, TrialState.FAIL, reason="loss became nan at step 3")
    found = make_recommendation([dead])
    assert found.verdict is Verdict.FAILED
    told = words(own_part(page(found)))
    assert "loss became nan at step 3" in told
    assert "on confirmation (decides)" in told  # the ways of the meeting are still known
    assert "Gain of participant" not in told


def test_names_and_reasons_from_outside_are_escaped() -> None:
    hostile = """</script><script>alert("ü")</script><img src=x onerror='alert(1)'>"""
    died = trial(3, WARM, TrialState.FAIL, reason=hostile)
    text = own_part(page(make_recommendation([*TRIALS[:2], died], name=hostile)))
    assert "alert(" in text
    assert "<script>alert" not in text
    assert "<img" not in text
    assert hostile in words(text)


def test_the_same_recommendation_gives_the_same_page() -> None:
    assert page(make_recommendation()) == page(make_recommendation())


def test_the_page_stays_small_beside_the_library() -> None:
    assert len(own_part(page(make_recommendation()))) < 100_000


def test_writes_the_page(tmp_path: Path) -> None:
    found = make_recommendation()
    write(found, tmp_path / "pair.html")
    assert (tmp_path / "pair.html").read_text(encoding="utf-8") == page(found)


@pytest.mark.parametrize("where", ["missing/pair.html", "."])
def test_a_page_that_cannot_be_written_is_a_clear_error(tmp_path: Path, where: str) -> None:
    with pytest.raises(InputError, match=r"--figure: cannot write .*; name a file"):
        write(make_recommendation(), tmp_path / where)
