from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autokd.config.confirmation import ConfirmationConfig
from autokd.core.example_weights import ExampleWeights
from autokd.core.records import Correctness
from autokd.core.setting import Split
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.judgement import Judgement, judge
from autokd.recommendation.position import Advice, PositionAdvice, advise
from tests.recommendation.samples import make_evidence
from tests.statistics.simulated import DIGITS, draw_arms

QUICK = ConfirmationConfig(resamples=200)


def both(correct: Correctness) -> dict[Split, Correctness]:
    return {Split.CONFIRMATION: correct, Split.TEST: correct}


def meeting(
    s: float, t: float, t_to_s: tuple[float, float], s_to_t: tuple[float, float] | None, *, seed: int = 0
) -> tuple[PositionAdvice, PositionAdvice]:
    """Both sides of one meeting: accuracies of the two models, and (winner, default) of each pair."""
    rng = np.random.default_rng(seed)
    arms = draw_arms(rng, (*t_to_s, *(s_to_t or t_to_s), s, t), DIGITS, examples=1000)
    own, partner = arms[4][0], arms[5][0]
    towards = judge(make_evidence(arms[0], arms[1], own), QUICK, seed=1)
    back = judge(make_evidence(arms[2], arms[3], partner), QUICK, seed=2) if s_to_t else None
    return sides(own, partner, towards, back)


def sides(
    own: Correctness, partner: Correctness, towards: Judgement | None, back: Judgement | None
) -> tuple[PositionAdvice, PositionAdvice]:
    return (
        advise(
            both(own), both(partner), as_student=towards, as_teacher=back, bootstrap=Bootstrap.of(QUICK, 3)
        ),
        advise(
            both(partner), both(own), as_student=back, as_teacher=towards, bootstrap=Bootstrap.of(QUICK, 4)
        ),
    )


def test_learn_from_a_worse_partner() -> None:
    """As P9 with 0 in the poster: +3.9 as student, -13.5 as teacher."""
    nine, zero = meeting(0.70, 0.50, (0.80, 0.68), (0.60, 0.52))
    assert nine.advice is Advice.STUDENT
    assert zero.advice is Advice.TEACHER


def test_teach_a_better_partner_if_that_beats_adopting_it() -> None:
    """As P1 with 2 in the poster: +42.7 as student, +67.2 as teacher."""
    side, _ = meeting(0.20, 0.60, (0.55, 0.40), (0.80, 0.65))
    assert side.advice is Advice.TEACHER
    assert side.test.by_adoption.mean == pytest.approx(40, abs=10)


def test_no_training_where_adopting_is_as_good() -> None:
    advice, _ = meeting(0.30, 0.75, (0.60, 0.40), (0.75, 0.74))
    assert advice.advice is Advice.NONE
    assert "adopting the partner's model as it is gains" in advice.why


def test_a_gain_that_adopting_would_beat_is_not_advised() -> None:
    """The student gains, surely, and still less than the partner's model has already."""
    advice, _ = meeting(0.30, 0.75, (0.60, 0.40), None)
    assert advice.test.as_student is not None
    assert advice.test.as_student.low > 0
    assert advice.advice is Advice.NONE


def test_teaching_a_weak_partner_well_is_no_reason_to_adopt_it() -> None:
    """`s->t` is tuned, and what results is still worse than what s has."""
    advice, _ = meeting(0.80, 0.40, (0.70, 0.60), (0.65, 0.50))
    assert advice.test.as_teacher is not None
    assert advice.test.as_teacher.high < 0
    assert advice.advice is Advice.NONE


def test_nothing_gains() -> None:
    advice, other = meeting(0.70, 0.70, (0.60, 0.55), (0.60, 0.55), seed=1)
    assert (advice.advice, other.advice) == (Advice.NONE, Advice.NONE)
    assert "no position" in advice.why


def test_the_better_of_two_good_positions() -> None:
    advice, _ = meeting(0.50, 0.50, (0.70, 0.60), (0.85, 0.60))
    assert advice.advice is Advice.TEACHER
    assert "as student" in advice.why


def test_the_reverse_pair_may_be_untuned() -> None:
    advice, other = meeting(0.60, 0.60, (0.75, 0.65), None)
    assert advice.test.as_teacher is None
    assert advice.advice is Advice.STUDENT
    assert other.test.as_student is None
    assert other.to_json()["gain_as_student"] is None
    assert other.advice is Advice.TEACHER


def test_json_has_means_and_their_intervals() -> None:
    plain = meeting(0.60, 0.60, (0.75, 0.65), (0.70, 0.61))[0].to_json()
    intervals = plain["intervals"]
    assert isinstance(intervals, dict)
    for name in ("gain_as_student", "gain_as_teacher", "gain_by_adoption"):
        assert plain[name] == intervals[name]["mean"]
        assert intervals[name]["low"] <= plain[name] <= intervals[name]["high"]


SEEDS_AND_EXAMPLES = st.tuples(st.integers(2, 4), st.integers(2, 12))


@settings(max_examples=40)
@given(st.data(), SEEDS_AND_EXAMPLES)
def test_the_identity_of_the_posters_tables(data: st.DataObject, shape: tuple[int, int]) -> None:
    """as_student_s(t) - as_teacher_t(s) = acc(t) - acc(s), whatever the runs and verdicts."""
    examples = shape[1:]
    own, partner = (data.draw(arrays.arrays(np.bool_, examples)) for _ in range(2))
    winners = [data.draw(arrays.arrays(np.bool_, shape)) for _ in range(2)]
    defaults = [data.draw(arrays.arrays(np.bool_, shape)) for _ in range(2)]
    towards = judge(make_evidence(winners[0], defaults[0], own), QUICK, seed=1)
    back = judge(make_evidence(winners[1], defaults[1], partner), QUICK, seed=2)
    s, t = sides(own, partner, towards, back)
    assert s.test.as_student is not None
    assert s.test.as_teacher is not None
    assert t.test.as_student is not None
    assert t.test.as_teacher is not None
    gap = 100 * (partner.mean() - own.mean())
    assert s.test.as_student.mean - t.test.as_teacher.mean == pytest.approx(gap)
    assert s.test.as_teacher.mean - t.test.as_student.mean == pytest.approx(gap)
    assert s.test.by_adoption.mean == pytest.approx(gap)


def own_targets(
    t_beats_on: str,
) -> tuple[PositionAdvice, PositionAdvice]:
    """A meeting whose two participants have the first and the second half of the examples for targets.

    The run `s->t` beats both models on t's half, where it is `tuned`. On s's half it beats s, and t's model
    only if `t_beats_on` is not `s`.
    """
    rng = np.random.default_rng(0)
    size, of_s = 2000, np.repeat([True, False], 1000)

    def model(on_s: float, on_t: float, seeds: int = 0) -> Correctness:
        luck = np.resize(draws, (seeds, size)) if seeds else draws
        noise = rng.normal(scale=0.02, size=luck.shape)
        return luck + noise < np.where(of_s, on_s, on_t)

    draws = rng.random(size)
    s, t = model(0.4, 0.4), model(0.9 if t_beats_on == "s" else 0.45, 0.5)
    adopted, default = model(0.8, 0.9, seeds=5), model(0.5, 0.6, seeds=5)
    by_s, by_t = (
        ExampleWeights({split: np.where(side, 2.0, 0.0) for split in (Split.CONFIRMATION, Split.TEST)})
        for side in (of_s, ~of_s)
    )
    back = judge(replace(make_evidence(adopted, default, t), weights=by_t), QUICK, seed=1)
    assert back.verdict.answer == "tuned"

    def asked(weights: ExampleWeights) -> PositionAdvice:
        return advise(
            both(s),
            both(t),
            as_student=None,
            as_teacher=back,
            bootstrap=Bootstrap.of(QUICK, 3),
            weights=weights,
        )

    # Beside s's own question, the same where both aim at what t does.
    return asked(by_s), asked(by_t)


def test_each_participant_asks_by_its_own_target() -> None:
    of_own, of_common = own_targets("neither")
    assert of_own.advice is of_common.advice is Advice.TEACHER
    assert of_own.test.as_teacher is not None
    assert of_own.test.as_teacher.mean == pytest.approx(40, abs=5)
    assert of_own.test.by_adoption.mean == pytest.approx(5, abs=3)
    assert of_common.test.by_adoption.mean == pytest.approx(10, abs=3)


def test_a_run_that_its_partner_beats_on_ones_own_target_is_not_adopted() -> None:
    """Its verdict says that it beats the partner's model, but on the partner's target."""
    of_own, of_common = own_targets("s")
    assert of_own.advice is Advice.NONE
    assert of_own.test.as_teacher is not None
    assert of_own.test.as_teacher.low > 0
    assert "adopting the partner's model as it is gains" in of_own.why
    assert of_common.advice is Advice.TEACHER


# By rule 3: corrected models are there as well


def corrected_sides(
    own: float,
    partner: float,
    own_corrected: float,
    partner_corrected: float,
    *,
    learns: float,
    teaches: float,
) -> PositionAdvice:
    """The side of s, whose run `t->s` reaches `learns`, and whose run `s->t` reaches `teaches`."""
    rng = np.random.default_rng(0)
    levels = (learns, 0.3, teaches, 0.3, own, partner, own_corrected, partner_corrected)
    arms = draw_arms(rng, levels, DIGITS, examples=1000)
    mine, theirs, mine_corrected, theirs_corrected = (both(arm[0]) for arm in arms[4:])
    split = Split.TEST
    return advise(
        mine,
        theirs,
        as_student=judge(make_evidence(arms[0], arms[1], mine[split]), QUICK, seed=1),
        as_teacher=judge(make_evidence(arms[2], arms[3], theirs[split]), QUICK, seed=2),
        bootstrap=Bootstrap.of(QUICK, 3),
        own_corrected=mine_corrected,
        partner_corrected=theirs_corrected,
    )


def test_a_corrected_partner_that_is_as_good_is_adopted_without_training() -> None:
    assert corrected_sides(0.5, 0.4, 0.5, 0.6, learns=0.7, teaches=0.3).advice is Advice.STUDENT
    side = corrected_sides(0.5, 0.4, 0.5, 0.72, learns=0.7, teaches=0.3)
    assert side.advice is Advice.NONE
    assert "adopting the partner's model with its label prior divided out gains" in side.why
    assert side.confirmation.by_corrected_adoption is not None
    assert side.to_json()["gain_by_corrected_adoption"] == pytest.approx(22, abs=8)


def test_a_corrected_own_model_that_is_as_good_is_not_given_up() -> None:
    assert corrected_sides(0.5, 0.4, 0.55, 0.4, learns=0.3, teaches=0.7).advice is Advice.TEACHER
    side = corrected_sides(0.5, 0.4, 0.7, 0.4, learns=0.3, teaches=0.7)
    assert side.advice is Advice.NONE
    assert "dividing out the own model's label prior gains" in side.why
