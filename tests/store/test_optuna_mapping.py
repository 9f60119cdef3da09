from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState as OptunaState
from optuna.trial import create_trial

from autokd.core.records import RungReport, TrialOrigin, TrialState
from autokd.core.setting import DEFAULT, BatchNorm, LabelPrior, Method, Setting, TransferSet
from autokd.errors import StoreError
from autokd.store import optuna_mapping
from tests.samples import alphas, settings, temperatures
from tests.store.samples import DISTRIBUTIONS, ODD, PUBLIC, rung


def some(names: type[StrEnum]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from([each.value for each in names]), min_size=1, unique=True)


@st.composite
def spaces(draw: st.DrawFn) -> Mapping[str, BaseDistribution]:
    """Any part of the dimensions, with any ranges."""
    low, high = sorted((draw(temperatures), draw(temperatures)))
    left, right = sorted((draw(alphas), draw(alphas)))
    choices = draw(some(TransferSet))
    space: dict[str, BaseDistribution] = {
        "temperature": FloatDistribution(low, high, log=draw(st.booleans())),
        "alpha": FloatDistribution(left, right),
        "transfer_set": CategoricalDistribution(choices),
        "method": CategoricalDistribution(draw(some(Method))),
        "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
        "epochs": CategoricalDistribution(draw(st.sampled_from([[5, 10, 20], [None, 20, 40]]))),
        "batch_norm": CategoricalDistribution(draw(some(BatchNorm))),
        "label_prior": CategoricalDistribution(draw(some(LabelPrior))),
        "schedule": CategoricalDistribution(
            draw(st.sampled_from([["constant", "cosine"], [None, "cosine"]]))
        ),
    }
    return {name: space[name] for name in draw(st.sets(st.sampled_from(sorted(space))))}


@given(settings, spaces(), st.integers(0, 5000))
def test_a_setting_comes_back_from_any_space(
    setting: Setting, space: Mapping[str, BaseDistribution], seed: int
) -> None:
    trial = optuna_mapping.running(setting, seed=seed, role=TrialOrigin.SEARCH, distributions=space)
    record = optuna_mapping.record("study", trial)
    assert (record.setting, record.seed, record.role) == (setting, seed, TrialOrigin.SEARCH)
    assert record.state is TrialState.RUNNING


def test_inside_its_space_a_setting_is_all_parameters() -> None:
    trial = optuna_mapping.running(ODD, seed=0, role=TrialOrigin.SEARCH, distributions=DISTRIBUTIONS)
    assert trial.params == {"temperature": ODD.temperature, "alpha": ODD.alpha, "transfer_set": "both"}
    assert trial.distributions == DISTRIBUTIONS
    assert optuna_mapping.OUTSIDE not in trial.user_attrs


def test_on_public_data_there_is_no_alpha() -> None:
    trial = optuna_mapping.running(PUBLIC, seed=0, role=TrialOrigin.SEARCH, distributions=DISTRIBUTIONS)
    assert trial.params == {"temperature": PUBLIC.temperature, "transfer_set": "public"}
    searched = DISTRIBUTIONS | {"label_prior": CategoricalDistribution(["none", "adjusted"])}
    trial = optuna_mapping.running(PUBLIC, seed=0, role=TrialOrigin.SEARCH, distributions=searched)
    assert trial.params == {"temperature": PUBLIC.temperature, "transfer_set": "public"}
    trial = optuna_mapping.running(ODD, seed=0, role=TrialOrigin.SEARCH, distributions=searched)
    assert trial.params["label_prior"] == "none"


def test_the_recipes_value_is_a_parameter_where_the_space_has_it() -> None:
    searched = DISTRIBUTIONS | {
        "epochs": CategoricalDistribution([None, 20, 40]),
        "schedule": CategoricalDistribution([None, "cosine"]),
    }
    longer = replace(ODD, epochs=40)
    for setting, values in ((ODD, (None, None)), (longer, (40, None))):
        trial = optuna_mapping.running(setting, seed=0, role=TrialOrigin.SEARCH, distributions=searched)
        assert (trial.params["epochs"], trial.params["schedule"]) == values
        assert optuna_mapping.OUTSIDE not in trial.user_attrs
        assert optuna_mapping.record("study", trial).setting == setting
    other = optuna_mapping.running(
        replace(ODD, epochs=7), seed=0, role=TrialOrigin.SEARCH, distributions=searched
    )
    assert other.user_attrs[optuna_mapping.OUTSIDE] == {"epochs": 7}
    assert optuna_mapping.record("study", other).setting.epochs == 7


def test_only_what_lies_outside_is_no_parameter() -> None:
    narrow = DISTRIBUTIONS | {
        "temperature": FloatDistribution(2, 4, log=True),
        "transfer_set": CategoricalDistribution(["teacher"]),
    }
    trial = optuna_mapping.running(DEFAULT, seed=0, role=TrialOrigin.BASELINE, distributions=narrow)
    assert trial.params == {"alpha": 0.5}
    assert trial.user_attrs[optuna_mapping.OUTSIDE] == {"temperature": 1.0, "transfer_set": "student"}


def test_a_distribution_of_the_wrong_kind_is_refused() -> None:
    wrong = {"transfer_set": IntDistribution(0, 3)}
    with pytest.raises(ValueError, match="cannot come from"):
        optuna_mapping.running(DEFAULT, seed=0, role=TrialOrigin.SEARCH, distributions=wrong)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"role": "search", "seed": 0},
        {"role": "queen", "seed": 0, "outside": {"temperature": 1, "alpha": 0.5, "transfer_set": "both"}},
        {"role": "search", "seed": 0, "outside": {"temperature": -1, "alpha": 0.5, "transfer_set": "both"}},
        {"role": "search", "seed": 0, "outside": 5},
    ],
)
def test_a_foreign_trial_is_named(attributes: dict[str, object]) -> None:
    foreign = create_trial(state=OptunaState.RUNNING, user_attrs=attributes)
    with pytest.raises(StoreError, match=r"of study 'mine' was not written by autokd"):
        optuna_mapping.record("mine", foreign)


def test_a_failure_without_a_kind_is_foreign() -> None:
    trial = optuna_mapping.running(DEFAULT, seed=0, role=TrialOrigin.SEARCH, distributions=DISTRIBUTIONS)
    trial.state = OptunaState.FAIL
    with pytest.raises(StoreError, match="not written by autokd"):
        optuna_mapping.record("mine", trial)


@given(st.lists(st.integers(1, 500), unique=True))
def test_reports_come_back_in_order_of_epochs(epochs: list[int]) -> None:
    said = [rung(epoch, epoch / 1000) for epoch in epochs]
    trial = optuna_mapping.running(DEFAULT, seed=0, role=TrialOrigin.SEARCH, distributions=DISTRIBUTIONS)
    trial.intermediate_values = {each.epoch: each.accuracy for each in said}
    trial.system_attrs = dict(map(optuna_mapping.details, said))

    def epoch(report: RungReport) -> int:
        return report.epoch

    assert optuna_mapping.reports(trial) == tuple(sorted(said, key=epoch))
