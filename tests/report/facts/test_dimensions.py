from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.records import TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, TransferSet
from autokd.report.facts.dimensions import Bin, best_facts, explained, forgotten, importance
from tests.report.federations import BAD, GOOD, LOST, everybody, make_material, swept_run
from tests.report.samples import trial

STUDENT, BOTH = TransferSet.STUDENT, TransferSet.BOTH


def test_all_of_the_variance_lies_between_levels_that_differ_and_nothing_else_does() -> None:
    assert explained(["a", "a", "b", "b"], [1, 1, -1, -1], groups=1) == 1


def test_the_share_by_hand() -> None:
    """Levels have means 2 and -2, and 1 to each side: 16 between, 4 within, 20 in all; one degree of freedom
    between, 4 - 1 - 1 = 2 within. So (16 - 4/2) / 20."""
    assert explained(["a", "a", "b", "b"], [3, 1, -1, -3], groups=1) == pytest.approx(0.7)


def test_noise_explains_nothing() -> None:
    assert explained(["a", "b", "a", "b"], [1, 1, -1, -1], groups=1) == 0
    assert explained(["a", "b"], [0, 0], groups=1) == 0
    # Without a degree of freedom left nothing can be told.
    assert explained(["a", "b", "c"], [1, 0, -1], groups=1) == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-100, 100)), min_size=2, max_size=30))
def test_a_share_is_a_share(runs: list[tuple[str, float]]) -> None:
    mean = sum(value for _, value in runs) / len(runs)
    shares = explained([level for level, _ in runs], [value - mean for _, value in runs], groups=1)
    assert 0 <= shares <= 1 + 1e-9


def test_importance_of_a_sweep_in_which_only_the_transfer_set_matters() -> None:
    grid = [Setting(T, 0.5, where) for T in (1.0, 2.0) for where in (STUDENT, BOTH)]
    good_student = {STUDENT: 0.6, BOTH: 0.8}
    swept = {
        Pair(0, 1): [swept_run(setting, good_student[setting.transfer_set]) for setting in grid],
        # The other student is worse throughout, which is not to count.
        Pair(1, 0): [swept_run(setting, good_student[setting.transfer_set] - 0.4) for setting in grid],
    }
    facts = importance(make_material((0.5, 0.6), dict.fromkeys(swept, GOOD), swept=swept))
    assert [(dimension.dimension, dimension.levels) for dimension in facts.dimensions] == [
        ("transfer_set", 2),
        ("temperature", 2),
    ]
    assert [dimension.share for dimension in facts.dimensions] == pytest.approx([1, 0])
    assert (facts.runs, facts.pairs, facts.swept) == (8, 2, True)


def test_importance_of_a_search_rests_on_trials_that_ran_to_the_end() -> None:
    facts = importance(make_material((0.5, 0.6), {Pair(0, 1): GOOD}))
    assert (facts.runs, facts.pairs, facts.swept) == (2, 1, False)
    assert importance(make_material((0.5, 0.6), {})).dimensions == ()


def test_what_races_chose() -> None:
    gains = {Pair(0, 1): GOOD, Pair(1, 0): BAD, Pair(0, 2): LOST}
    facts = best_facts(make_material((0.5, 0.5, 0.5), gains))
    assert set(facts.chosen) == {Pair(0, 1), Pair(1, 0)}
    assert (facts.other, facts.tuned, facts.judged) == (2, 1, 3)
    assert facts.temperatures == (Bin(label="4", counts={BOTH: 2}),)
    assert [(alpha.label, alpha.counts[BOTH]) for alpha in facts.alphas] == [
        ("0", 0),
        ("≤ 0.2", 2),
        ("≤ 0.4", 0),
        ("≤ 0.6", 0),
        ("≤ 0.8", 0),
        ("≤ 1", 0),
        ("none", 0),
    ]


def test_another_transfer_set_alone_is_not_another_temperature_or_weight() -> None:
    same = Setting(1.0, 0.5, BOTH)
    trials = [
        trial(0, DEFAULT, TrialState.COMPLETE, (10, 0.5)),
        trial(1, same, TrialState.COMPLETE, (10, 0.6)),
    ]
    facts = best_facts(make_material((0.5, 0.5), {Pair(0, 1): GOOD}, trials=trials, winner=same))
    assert facts.chosen == {Pair(0, 1): same}
    assert facts.other == 0


def test_forgetting_by_transfer_set() -> None:
    """Trial 0 on `student` forgets 0 pp, trial 1 on `both` 0.1 pp, in every pair; others did not finish."""
    student, both = forgotten(make_material((0.5,) * 4, dict.fromkeys(everybody(4), GOOD)))
    assert (student.transfer_set, both.transfer_set) == (STUDENT, BOTH)
    assert (student.trials, both.trials) == (12, 12)
    assert list(student.quantiles) == [0] * 5
    assert list(both.quantiles) == pytest.approx([0.1] * 5)
    assert both.mean.value == pytest.approx(0.1)
    assert forgotten(make_material((0.5, 0.5), {})) == ()
