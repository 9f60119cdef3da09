from __future__ import annotations

import optuna

from autokd.core.setting import BatchNorm, LabelPrior, Method, Schedule, TransferSet
from autokd.search.optuna_space import distributions, suggest
from tests.search.worlds import open_space, tiny_plan

EXTENDED = open_space(
    temperature=[1, 4],
    alpha=[0.5],
    method=["plain", "ensemble"],
    learning_rate={"low": 0.001, "high": 0.1, "log": True},
    epochs=[5, 20],
    batch_norm=["frozen"],
)


def test_what_is_suggested_lies_inside_and_alpha_is_not_sampled_on_public() -> None:
    space = open_space(temperature={"low": 2, "high": 4}, alpha=[0, 0.25])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(60):
        trial = study.ask()
        setting = suggest(space, trial)
        assert setting in space
        assert ("alpha" in trial.params) == (setting.transfer_set is not TransferSet.PUBLIC)
    assert {"alpha" in trial.params for trial in study.trials} == {True, False}


def test_a_label_prior_is_drawn_only_where_there_are_labels() -> None:
    space = open_space(label_prior=["none", "adjusted"])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [suggest(space, study.ask()) for _ in range(60)]
    assert all(setting in space for setting in drawn)
    for setting, trial in zip(drawn, study.trials, strict=True):
        assert ("label_prior" in trial.params) == (setting.transfer_set is not TransferSet.PUBLIC)
        assert trial.params == {name: setting.parameters()[name] for name in trial.params}
    assert {setting.label_prior for setting in drawn} == set(LabelPrior)


def test_what_else_may_be_searched_is_drawn_with_the_rest() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [suggest(EXTENDED, study.ask()) for _ in range(40)]
    assert all(setting in EXTENDED for setting in drawn)
    assert {(setting.method, setting.epochs, setting.batch_norm) for setting in drawn} == {
        (method, epochs, BatchNorm.FROZEN) for method in (Method.PLAIN, Method.ENSEMBLE) for epochs in (5, 20)
    }
    assert all(trial.params.keys() <= distributions(EXTENDED).keys() for trial in study.trials)


def test_the_recipes_value_is_a_category_like_any_other() -> None:
    space = open_space(
        learning_rate={"times": [0.5, 1]}, schedule=["constant", "cosine"], epochs="doubling"
    ).resolved(tiny_plan())
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [suggest(space, study.ask()) for _ in range(60)]
    assert all(setting in space for setting in drawn)
    assert {setting.epochs for setting in drawn} == {None, 20, 40}
    assert {setting.schedule for setting in drawn} == {None, Schedule.COSINE}
    assert {setting.learning_rate for setting in drawn} == {
        None,
        0.5 * tiny_plan().distillation.learning_rate,
    }
    assert all({"epochs", "schedule", "learning_rate"} <= trial.params.keys() for trial in study.trials)
