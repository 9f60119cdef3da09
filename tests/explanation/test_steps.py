"""The steps of a gain: they add up whatever was measured, and a setting has only those that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from autokd.core.example_weights import EVEN
from autokd.core.records import Correctness
from autokd.core.setting import DEFAULT, LabelPrior, Method, Setting, Split, TransferSet, plain, untaught
from autokd.explanation.attribution import Step
from autokd.explanation.steps import Measured, chain, gain_by_step
from autokd.recommendation.bootstrap import Bootstrap
from tests.recommendation.samples import HOT, PUBLIC, TUNING
from tests.samples import settings

SPLITS = (Split.CONFIRMATION, Split.TEST)
BOOTSTRAP = Bootstrap(confidence=0.95, resamples=50, seed=1)
ALL = frozenset(Step) - {Step.TRANSFER_SET}
BALANCED = replace(HOT, method=Method.BALANCED, label_prior=LabelPrior.ADJUSTED, epochs=40)


def test_a_setting_that_has_everything_has_every_step() -> None:
    steps = chain(BALANCED)
    assert steps.corrected
    assert not steps.left_out
    budget = {"epochs": 40, "label_prior": LabelPrior.ADJUSTED}
    assert dict(steps.settings) == {
        Step.BUDGET: Setting(1.0, 0.0, TransferSet.STUDENT, **budget),  # type: ignore[arg-type]
        Step.EXAMPLES: Setting(1.0, 0.0, TransferSet.BOTH, **budget),  # type: ignore[arg-type]
        Step.TEACHER: replace(BALANCED, temperature=1.0, alpha=0.5),
        Step.TUNING: BALANCED,
    }


@pytest.mark.parametrize(
    ("setting", "steps"),
    [
        (HOT, {Step.BUDGET, Step.EXAMPLES, Step.TEACHER, Step.TUNING}),
        (replace(HOT, temperature=1.0, alpha=0.5), {Step.BUDGET, Step.EXAMPLES, Step.TEACHER}),
        (DEFAULT, {Step.BUDGET, Step.TEACHER}),
        (TUNING, {Step.BUDGET, Step.EXAMPLES}),
        (untaught(DEFAULT), {Step.BUDGET}),
        (PUBLIC, {Step.BUDGET, Step.TEACHER, Step.TUNING}),
    ],
)
def test_a_step_that_a_setting_does_not_have_is_left_out_with_the_reason(
    setting: Setting, steps: set[Step]
) -> None:
    steps_of_setting = chain(setting)
    assert set(steps_of_setting.settings) == steps
    assert set(steps_of_setting.left_out) == ALL - steps - {Step.POSITION}
    assert all(steps_of_setting.left_out.values())


@given(settings, st.booleans())
def test_the_last_step_leads_to_the_answer_and_each_one_to_something_else(
    setting: Setting, can_correct: bool
) -> None:
    steps = chain(setting, can_correct=can_correct)
    taken = [plain(setting) for setting in steps.settings.values()]
    assert taken[-1] == plain(setting)
    assert len(set(taken)) == len(taken)
    assert list(steps.settings) == [step for step in Step if step in steps.settings]
    # Each step is taken or has a reason, and none has both.
    first = {Step.PRIOR} if steps.corrected else set()
    assert first | set(steps.settings) | set(steps.left_out) == ALL - {Step.POSITION}
    assert len(first) + len(steps.settings) + len(steps.left_out) == 5
    # What is not at issue stays: the budget of the answer.
    budgets = {
        (setting.learning_rate, setting.schedule, setting.epochs, setting.batch_norm) for setting in taken
    }
    assert len(budgets) == 1


def of(rng: np.random.Generator, *shape: int) -> Mapping[Split, Correctness]:
    return {split: rng.random((*shape, 30)) < rng.random() for split in SPLITS}


@effort(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(ALL, key=list(Step).index)), min_size=1, unique=True),
    st.integers(2, 4),
    st.integers(0, 2**32 - 1),
)
def test_the_steps_add_up_to_the_gain_whatever_was_measured(steps: list[Step], seeds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = of(rng)
    ordered = sorted(steps, key=list(Step).index)
    models = [Measured(step, of(rng) if step is Step.PRIOR else of(rng, seeds)) for step in ordered]
    attribution = gain_by_step(own, models, bootstrap=BOOTSTRAP, weights=EVEN, left_out={})
    assert list(attribution.parts) == ordered
    for split in SPLITS:
        gain = 100 * (models[-1].correct[split].mean() - own[split].mean())
        assert attribution.total[split].mean == pytest.approx(gain, abs=1e-9)
        assert sum(part[split].mean for part in attribution.parts.values()) == pytest.approx(gain, abs=1e-9)
        for part in attribution.parts.values():
            assert part[split].low <= part[split].mean <= part[split].high


def test_json_says_what_is_left_out() -> None:
    rng = np.random.default_rng(0)
    attribution = gain_by_step(
        of(rng),
        [Measured(Step.BUDGET, of(rng, 3))],
        bootstrap=BOOTSTRAP,
        weights=EVEN,
        left_out={Step.TEACHER: "the setting has no teacher"},
    ).to_json()
    assert set(attribution) == {"confirmation", "test", "left_out"}
    assert attribution["left_out"] == {"teacher": "the setting has no teacher"}
