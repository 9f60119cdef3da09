from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.space import Space
from autokd.core.records import TrialRecord, TrialState
from autokd.core.setting import (
    BUDGET,
    DEFAULT,
    BatchNorm,
    LabelPrior,
    Setting,
    TransferSet,
    plain,
    with_budget_of,
)
from autokd.core.verdict_basis import DEFAULT_BUDGET, no_teacher
from autokd.recommendation.race import alike, differs_in_budget_only
from autokd.search.kernel import Array
from autokd.search.rivals import RivalChoice, budgets, labelled
from tests.recommendation.samples import make_trial
from tests.search.worlds import open_space, tiny_plan

BEST_RATE, MOST_EPOCHS = 0.4, 40
BUDGETS = open_space(
    learning_rate={"low": 0.025, "high": 1.6, "log": True},
    epochs=[10, 20, MOST_EPOCHS],
    label_prior=["none", "adjusted"],
)
HOT = Setting(4.0, 0.3, TransferSet.BOTH)
BOTH, STUDENT, PUBLIC = TransferSet.BOTH, TransferSet.STUDENT, TransferSet.PUBLIC


def worth(setting: Setting) -> float:
    """More the closer to the best rate, with every epoch, and with the adjusted loss."""
    rate = 0.1 if setting.learning_rate is None else setting.learning_rate
    gain = 10 - abs(math.log(rate / BEST_RATE)) + (setting.epochs or 10) / 10
    return gain + 3 * (setting.label_prior is LabelPrior.ADJUSTED) + 2 * (setting.transfer_set is BOTH)


def believed(settings: Sequence[Setting]) -> Array:
    return np.array([worth(setting) for setting in settings])


def choice(
    space: Space = BUDGETS,
    *trials: TrialRecord,
    believe: Callable[[Sequence[Setting]], Array | None] = believed,
) -> RivalChoice:
    return RivalChoice(config=tiny_plan(), space=space, trials=trials, believe=believe)


def test_the_default_gets_the_budget_believed_to_be_best_for_it() -> None:
    rival = choice().rivals([HOT])[DEFAULT_BUDGET]
    assert differs_in_budget_only(rival)
    assert rival.epochs == MOST_EPOCHS
    assert rival.learning_rate is not None
    # The lattice has seven rates from 0.025 to 1.6, each the double of the one before.
    assert rival.learning_rate == pytest.approx(BEST_RATE, rel=0.01)


def test_rivals_stay_fair_until_another_one_is_believed_to_be_better_by_the_least_improvement() -> None:
    """What an extended pair keeps: the difference of half a point is not worth another question."""
    best, least = choice().rivals([HOT]), tiny_plan().confirmation.min_improvement
    assert not choice().outdates(best, [HOT])
    weaker = replace(best[no_teacher(BOTH)], epochs=20)
    for gap, outdated in ((least + 0.01, True), (least - 0.01, False)):

        def believe(settings: Sequence[Setting], gap: float = gap) -> Array:
            before = worth(best[no_teacher(BOTH)]) - gap
            return np.array([before if setting == weaker else worth(setting) for setting in settings])

        kept = {**best, no_teacher(BOTH): weaker}
        assert choice(believe=believe).outdates(kept, [HOT]) == outdated


def test_a_default_that_was_best_at_the_recipes_budget_is_the_rival_before() -> None:
    first = {no_teacher(BOTH): choice().rivals([HOT])[no_teacher(BOTH)]}
    assert choice().outdates(first, [HOT]), "the default has a better budget now"
    assert not choice(believe=lambda all_: 0.01 * believed(all_)).outdates(first, [HOT])
    assert choice().outdates({}, [HOT])


def test_a_space_without_budgets_has_no_default_at_its_own() -> None:
    assert choice(open_space()).rivals([HOT]).keys() == {no_teacher(BOTH)}
    assert choice(open_space()).alternatives() == {}


def test_a_default_whose_own_budget_is_the_best_is_its_own_rival() -> None:
    space = open_space(epochs=[5, 10])
    assert DEFAULT_BUDGET not in choice(space, believe=lambda s: np.zeros(len(s))).rivals([HOT])


def test_without_a_teacher_it_learns_from_the_same_examples_with_all_freedom_of_the_winner() -> None:
    rival = choice().rivals([HOT])[no_teacher(BOTH)]
    assert (rival.alpha, rival.transfer_set) == (0, BOTH)
    assert (rival.label_prior, rival.epochs) == (LabelPrior.ADJUSTED, MOST_EPOCHS)
    assert rival == plain(rival)
    # A space that has no such loss does not give it to the rival either.
    only = BUDGETS.model_copy(update={"label_prior": (LabelPrior.NONE,)})
    only.__dict__.pop("dimensions", None)
    assert choice(only).rivals([HOT])[no_teacher(BOTH)].label_prior is LabelPrior.NONE


def test_a_winner_without_a_teacher_has_no_such_rival() -> None:
    tuning = replace(HOT, alpha=0.0)
    assert choice().rivals([tuning]).keys() == {DEFAULT_BUDGET}


def test_a_race_has_a_rival_for_the_examples_of_each_candidate() -> None:
    cool = Setting(1.0, 0.7, STUDENT)
    rivals = choice().rivals([HOT, replace(HOT, temperature=2.0), cool])
    assert rivals.keys() == {DEFAULT_BUDGET, no_teacher(BOTH), no_teacher(STUDENT)}
    assert rivals[no_teacher(STUDENT)].transfer_set is STUDENT


def test_examples_without_labels_are_compared_with_the_best_labelled_ones() -> None:
    public = Setting(2.0, None, PUBLIC)
    assert choice().rivals([public])[no_teacher(PUBLIC)].transfer_set is BOTH
    # In doubt with the student's own, and those are allowed in every space.
    same = choice(believe=lambda settings: np.zeros(len(settings))).rivals([public])
    assert same[no_teacher(PUBLIC)].transfer_set is STUDENT
    only = open_space(transfer_set=["public"])
    assert labelled(only) == (STUDENT,)
    assert choice(only).rivals([public])[no_teacher(PUBLIC)].transfer_set is STUDENT


def test_what_was_tried_and_failed_is_no_rival() -> None:
    best = choice().rivals([HOT])[DEFAULT_BUDGET]
    for state in (TrialState.FAIL, TrialState.PRUNED):
        rival = choice(BUDGETS, make_trial(1, best, state=state)).rivals([HOT])[DEFAULT_BUDGET]
        assert rival != best
        assert worth(rival) < worth(best)
    assert choice(BUDGETS, make_trial(1, best)).rivals([HOT])[DEFAULT_BUDGET] == best


def test_what_was_tried_between_the_values_of_the_lattice_competes() -> None:
    between = replace(DEFAULT, learning_rate=0.41, epochs=80)
    assert choice(BUDGETS, make_trial(1, between)).rivals([HOT])[DEFAULT_BUDGET] == between


def test_without_a_surrogate_the_best_trial_that_ran_to_the_end_is_taken() -> None:
    slow, fast = (replace(DEFAULT, learning_rate=rate, epochs=20) for rate in (0.05, 0.2))
    alone = replace(DEFAULT, alpha=0.0, transfer_set=BOTH, epochs=20)
    trials = [
        make_trial(0, DEFAULT, 0.5),
        make_trial(1, slow, 0.6),
        make_trial(2, fast, 0.7),
        make_trial(3, alone, 0.65),
    ]
    trials.append(make_trial(4, replace(fast, epochs=40), 0.9, TrialState.PRUNED))
    rivals = choice(BUDGETS, *trials, believe=lambda settings: None)
    assert rivals.rivals([HOT]) == {DEFAULT_BUDGET: fast, no_teacher(BOTH): alone}
    assert choice(BUDGETS, trials[0], believe=lambda settings: None).rivals([HOT]) == {}


def test_alternatives_of_an_explanation_have_budgets_of_their_own() -> None:
    alternatives = choice().alternatives()
    labelled_sets = ("student", "teacher", "both")
    assert alternatives.keys() == {
        *(f"default_on_{examples}" for examples in ("teacher", "both", "public")),
        *(f"{loss}_on_{examples}" for loss in ("cross_entropy", "adjusted") for examples in labelled_sets),
    }
    for name, setting in alternatives.items():
        assert setting.epochs == MOST_EPOCHS
        assert name.endswith(f"_on_{setting.transfer_set}")
        assert (setting.label_prior is LabelPrior.ADJUSTED) is name.startswith("adjusted")
        assert (setting.alpha == 0) is not name.startswith("default")


budget = st.builds(
    lambda rate, epochs, norm: replace(DEFAULT, learning_rate=rate, epochs=epochs, batch_norm=norm),
    st.none() | st.floats(1e-3, 10),
    st.none() | st.integers(1, 99),
    st.none() | st.sampled_from(BatchNorm),
)


@given(budget, budget)
def test_a_budget_is_all_that_is_taken_over(former: Setting, other: Setting) -> None:
    taught = replace(HOT, label_prior=LabelPrior.ADJUSTED)
    result = with_budget_of(with_budget_of(taught, former), other)
    assert all(getattr(result, name) == getattr(other, name) for name in BUDGET)
    assert with_budget_of(result, taught) == taught
    assert differs_in_budget_only(with_budget_of(DEFAULT, former))
    assert differs_in_budget_only(result) is alike(taught, DEFAULT) is False


def test_the_recipes_budget_comes_first() -> None:
    settings = budgets(BUDGETS)
    assert settings[0] == DEFAULT
    assert len(settings) == len(set(settings)) == 1 + 7 * 3
    assert budgets(open_space()) == (DEFAULT,)
    assert {budget.batch_norm for budget in budgets(open_space(batch_norm=["train", "frozen"]))} == {
        None,
        *BatchNorm,
    }
