from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from autokd.config.study import CONFIRMATION_SEEDS, RACE_SEEDS
from autokd.core.records import Failure, RunRecord, RunState, Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import (
    DEFAULT,
    SEARCHABLE,
    LabelPrior,
    Method,
    Pair,
    Setting,
    Split,
    TransferSet,
    moved,
    plain,
    unassisted,
    untaught,
)
from autokd.explanation.alternatives import (
    ON_VALIDATION,
    RATES,
    ComparedPair,
    chosen_rate,
    rates,
    repeated,
    trained,
    wanted,
)
from autokd.explanation.best_elsewhere import BestAverageSetting
from tests.recommendation.samples import HOT, PUBLIC, TUNING
from tests.samples import settings

SEEDS = (CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + 1)
FAST = replace(DEFAULT, learning_rate=0.03)


def compared_pair(setting: Setting = HOT, **changes: object) -> ComparedPair:
    usual: dict[str, object] = {
        "pair": Pair(0, 1),
        "setting": setting,
        "confirmed": (DEFAULT, setting),
        "seeds": SEEDS,
        "transfer_sets": SEARCHABLE,
        "learning_rate": 0.01,
        "rate_seeds": 2,
        "retries": 3,
    }
    return ComparedPair(**(usual | changes))  # type: ignore[arg-type]


def choosing(
    compared: ComparedPair, right: dict[float, int], failure: Failure | None = None
) -> list[RunRecord]:
    """Runs of every rate with every seed, right on so many of ten, or 5; with `failure` the last one died."""
    runs = [
        RunRecord(
            stage=Stage.RACE,
            setting=setting,
            seed=RACE_SEEDS + index,
            state=RunState.COMPLETE,
            correct={Split.VALIDATION: np.arange(10) < right.get(factor, 5)},
        )
        for factor, setting in zip(RATES, rates(compared), strict=True)
        for index in range(compared.rate_seeds)
    ]
    if failure is not None:
        died = replace(runs[-1], state=RunState.FAIL, correct={}, failure=failure, reason="why")
        runs[-1] = died
    return runs


def asked(owed: Sequence[RunSpec], stage: Stage) -> list[Setting]:
    return list(dict.fromkeys(spec.setting for spec in owed if spec.stage is stage))


def test_every_rival_runs_with_every_seed_of_the_confirmation() -> None:
    compared = compared_pair(elsewhere=BestAverageSetting(TUNING, 3.0, 4, 5))
    owed = wanted(compared, choosing(compared, {3.0: 9}))
    expected = {
        moved(DEFAULT, TransferSet.TEACHER),
        moved(DEFAULT, TransferSet.BOTH),
        moved(DEFAULT, TransferSet.PUBLIC),
        moved(DEFAULT, TransferSet.STUDENT_PUBLIC),
        FAST,
        untaught(HOT),
        ON_VALIDATION,
    }
    assert set(asked(owed, Stage.RIVAL)) == expected
    assert len(owed) == len(set(owed)) == len(RATES) * 2 + len(expected) * 2
    for setting in expected:
        assert {run.seed for run in owed if (run.stage, run.setting) == (Stage.RIVAL, setting)} == set(SEEDS)


def test_runs_come_seed_by_seed() -> None:
    seeds = [run.seed for run in repeated(compared_pair(), [untaught(HOT), ON_VALIDATION])]
    assert seeds == sorted(seeds)


def test_what_the_confirmation_has_is_not_run_again() -> None:
    compared = compared_pair(TUNING, transfer_sets=(TransferSet.STUDENT,))
    assert asked(wanted(compared, choosing(compared, {1.0: 9})), Stage.RIVAL) == [ON_VALIDATION]


def test_only_transfer_sets_that_may_be_used() -> None:
    compared = compared_pair(PUBLIC, transfer_sets=(TransferSet.STUDENT, TransferSet.PUBLIC))
    transfer_sets = {rival.key: rival.setting.transfer_set for rival in trained(compared, None)}
    assert "default_on_both" not in transfer_sets
    assert set(transfer_sets.values()) == {TransferSet.STUDENT, TransferSet.PUBLIC, TransferSet.VALIDATION}


def test_the_same_without_a_teacher_keeps_the_correction() -> None:
    corrected = replace(HOT, label_prior=LabelPrior.ADJUSTED)
    for setting, words in ((corrected, "adjusted cross-entropy only on"), (HOT, "cross-entropy only on")):
        (rival,) = (rival for rival in trained(compared_pair(setting), None) if rival.key == "cross_entropy")
        assert rival.words == f"{words} {setting.transfer_set}"
        assert rival.setting.label_prior is setting.label_prior


def test_without_labels_there_is_no_cross_entropy() -> None:
    assert "cross_entropy" not in {rival.key for rival in trained(compared_pair(PUBLIC), None)}


LABELLED = [transfer_set for transfer_set in SEARCHABLE if transfer_set is not TransferSet.PUBLIC]


def test_by_rule_3_the_adjusted_loss_without_a_teacher_is_tried_on_each_labelled_set() -> None:
    keys = [rival.key for rival in trained(compared_pair(with_priors=True), None)]
    assert [key for key in keys if key.startswith("adjusted")] == [
        f"adjusted_on_{transfer_set}" for transfer_set in LABELLED
    ]
    settings = {rival.key: rival.setting for rival in trained(compared_pair(with_priors=True), None)}
    for examples in LABELLED:
        setting = settings[f"adjusted_on_{examples}"]
        assert (setting.alpha, setting.transfer_set) == (0, examples)
        assert setting.label_prior is LabelPrior.ADJUSTED
    some = compared_pair(with_priors=True, transfer_sets=(TransferSet.STUDENT,))
    assert sum(rival.key.startswith("adjusted") for rival in trained(some, None)) == 1
    assert not any(rival.key.startswith("adjusted") for rival in trained(compared_pair(), None))


def test_where_budgets_are_searched_alternatives_have_those_chosen_on_validation() -> None:
    long = replace(unassisted(TransferSet.BOTH, LabelPrior.ADJUSTED), epochs=40, learning_rate=0.05)
    default = replace(moved(DEFAULT, TransferSet.BOTH), epochs=20)
    budgets = {"adjusted_on_both": long, "default_on_both": default}
    compared = compared_pair(with_priors=True, budgets=budgets)
    rivals = {each.key: each for each in trained(compared, None)}
    assert rivals["adjusted_on_both"].setting == long
    assert rivals["default_on_both"].setting == default
    assert "epochs 40" in rivals["adjusted_on_both"].note
    assert rivals["adjusted_on_student"].setting.epochs is None
    assert {f"cross_entropy_on_{examples}" for examples in LABELLED} <= rivals.keys()
    # A few learning rates are no freedom beyond that, so they do not run.
    assert chosen_rate(compared, choosing(compared, {3.0: 9})) is None
    owed = wanted(compared, [])
    assert not asked(owed, Stage.RACE)
    assert {long, default} <= set(asked(owed, Stage.RIVAL))


def test_the_rate_is_confirmed_only_once_it_is_chosen() -> None:
    compared = compared_pair()
    half = choosing(compared, {3.0: 9})[:-1]
    assert chosen_rate(compared, half) is None
    assert not any(setting.learning_rate for setting in asked(wanted(compared, half), Stage.RIVAL))
    assert asked(wanted(compared, []), Stage.RACE) == list(rates(compared))


@pytest.mark.parametrize("best", RATES)
def test_the_best_rate_by_mean_validation_accuracy_is_chosen(best: float) -> None:
    compared = compared_pair()
    expected = DEFAULT if best == 1 else replace(DEFAULT, learning_rate=best * 0.01)
    assert chosen_rate(compared, choosing(compared, {best: 6})) == expected


def test_a_tie_goes_to_the_lower_rate() -> None:
    compared = compared_pair()
    assert chosen_rate(compared, choosing(compared, {0.3: 7, 3.0: 7})) == replace(
        DEFAULT, learning_rate=0.003
    )


def test_a_rate_that_diverged_drops_out_and_one_that_the_machine_lost_is_waited_for() -> None:
    compared = compared_pair()
    assert chosen_rate(compared, choosing(compared, {3.0: 9}, Failure.DIVERGED)) == rates(compared)[0]
    assert chosen_rate(compared, choosing(compared, {3.0: 9}, Failure.INFRASTRUCTURE)) is None


def test_the_recipes_own_rate_is_the_default_itself() -> None:
    assert DEFAULT in rates(compared_pair())


@given(settings)
def test_no_teacher_keeps_examples_and_budget(setting: Setting) -> None:
    if setting.alpha is None:
        return
    alone = untaught(setting)
    assert (alone.alpha, alone.temperature, alone.method) == (0.0, 1.0, Method.PLAIN)
    for name in ("transfer_set", "learning_rate", "epochs", "batch_norm"):
        assert getattr(alone, name) == getattr(setting, name)
    assert untaught(alone) == plain(alone) == alone


@given(settings)
def test_moving_changes_the_transfer_set_and_of_the_rest_what_it_must(setting: Setting) -> None:
    for there in TransferSet:
        result = moved(setting, there)
        assert result.transfer_set is there
        kept = setting.alpha if setting.alpha is not None else DEFAULT.alpha
        assert result.alpha == (None if there is TransferSet.PUBLIC else kept)
        unlabelled = TransferSet.PUBLIC in (there, setting.transfer_set)
        assert result.label_prior is (LabelPrior.NONE if unlabelled else setting.label_prior)
        of_labels = {"alpha": setting.alpha, "label_prior": setting.label_prior}
        assert replace(result, transfer_set=setting.transfer_set, **of_labels) == setting  # type: ignore[arg-type]
