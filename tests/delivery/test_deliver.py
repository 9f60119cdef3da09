from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_tensors
from torch import nn

from autokd.compute.device import Compute
from autokd.config.study import CONFIRMATION_SEEDS, DELIVERY_SEEDS, RACE_SEEDS, SEARCH_SEED, StudyConfig
from autokd.core.setting import BatchNorm, Split
from autokd.delivery import deliver
from autokd.delivery.markdown import markdown
from autokd.distillation import Run
from autokd.errors import Diverged
from autokd.federation.federation import Federation
from autokd.models.architectures import Cnn, Shape
from autokd.models.weights import weights_of
from tests.delivery.samples import PLAN, REQUEST, make_request


def loaded(content: bytes) -> nn.Module:
    """By torch, safetensors and the architecture alone."""
    network = Cnn(widths=(8, 16)).build(Shape(channels=1, size=8, classes=4)).eval()
    network.load_state_dict(load_tensors(content))
    return network


def answers(network: nn.Module, federation: Federation, split: Split) -> np.ndarray:
    predicted: np.ndarray = scores_of(network, federation, split).argmax(axis=1)
    return predicted


def scores_of(network: nn.Module, federation: Federation, split: Split) -> np.ndarray:
    data, where = federation.data, federation.splits[split]
    pixels = (torch.tensor(data.images[where]).float() - data.mean[0]) / data.std[0]
    with torch.no_grad():
        scores: np.ndarray = network(pixels).numpy()
    return scores


@pytest.mark.parametrize("compute", [Compute(), Compute(precision="bfloat16", memory_format="channels_last")])
def test_the_card_states_what_the_file_is_worth(federation: Federation, compute: Compute) -> None:
    made = deliver(federation, PLAN, make_request(compute=compute))
    assert made.card.sha256 == hashlib.sha256(made.content).hexdigest()
    network = loaded(made.content)
    for split, scores in made.card.scores.items():
        labels = federation.data.labels[federation.splits[split]]
        right = answers(network, federation, split) == labels
        assert scores.after == right.mean()
        assert scores.examples == len(labels)
        before = federation.logits[1, federation.splits[split]].argmax(axis=1) == labels
        assert scores.before == before.mean()
        assert scores.gain.mean == pytest.approx(100 * (right.mean() - before.mean()))
        for number, shown in enumerate(scores.classes):
            assert shown.after == pytest.approx(right[labels == number].mean())
            assert shown.before == pytest.approx(before[labels == number].mean())
        own = np.bincount(federation.data.labels[federation.participants[1].private], minlength=4)
        lost = sum(
            share * ((of_class.before or 0) - (of_class.after or 0))
            for share, of_class in zip(own / own.sum(), scores.classes, strict=True)
        )
        assert scores.forgetting == pytest.approx(100 * lost)
        chances = np.exp(scores_of(network, federation, split))
        sure = chances[np.arange(len(labels)), labels] / chances.sum(axis=1)
        assert scores.probabilities.nll == pytest.approx(-np.log(sure).mean(), abs=0.01)
        earlier = np.exp(federation.logits[1, federation.splits[split]].astype(np.float64))
        sure = earlier[np.arange(len(labels)), labels] / earlier.sum(axis=1)
        assert scores.probabilities_before.nll == pytest.approx(-np.log(sure).mean())
    text = markdown(made.card, folder="f")
    test = made.card.scores[Split.TEST]
    before, after = test.probabilities_before.brier, test.probabilities.brier
    assert f"| Brier score | {before:.3f} | {after:.3f} |" in text
    probabilities: Any = test.to_json()["probabilities"]
    assert (probabilities["before"]["brier"], probabilities["after"]["brier"]) == (before, after)


def test_a_balanced_study_judges_its_card_by_the_mean_over_classes(federation: Federation) -> None:
    config = StudyConfig.model_validate({**PLAN.model_dump(by_alias=True), "objective": "balanced"})
    card = deliver(federation, config, make_request()).card
    for scores in card.scores.values():
        known = [(shown.before, shown.after) for shown in scores.classes]
        before, after = (float(np.mean([each[side] for each in known])) for side in (0, 1))
        assert (scores.before, scores.after) == pytest.approx((before, after))
        assert scores.targets["balanced"].after == scores.after
    assert "| balanced |" in markdown(card, folder="f")


def test_a_class_that_a_split_lacks_has_no_accuracy(federation: Federation) -> None:
    where = federation.splits[Split.TEST]
    without = where[federation.data.labels[where] != 2]
    partial = replace(federation, splits={**federation.splits, Split.TEST: without})
    classes = deliver(partial, PLAN, REQUEST).card.scores[Split.TEST].classes
    assert (classes[2].examples, classes[2].before, classes[2].after) == (0, None, None)
    assert classes[1].after is not None


def test_the_same_order_gives_the_same_bits_and_leaves_no_trace(federation: Federation) -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    first = deliver(federation, PLAN, REQUEST)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    second = deliver(federation, PLAN, REQUEST)
    assert first.content == second.content
    assert json.dumps(first.card.to_json()) == json.dumps(second.card.to_json())
    assert deliver(federation, PLAN, make_request(seed=1)).content != first.content


def test_it_is_the_run_that_a_worker_would_do(federation: Federation) -> None:
    """Which looks at its student on the way, and is given the seed index."""
    run = Run(
        federation,
        REQUEST.pair,
        REQUEST.setting,
        seed=REQUEST.seed_index,
        recipe=PLAN.distillation,
        rungs=(2, 4),
        splits=(Split.CONFIRMATION, Split.TEST),
        compute=Compute(),
    )
    *_, last = run
    made = deliver(federation, PLAN, REQUEST)
    for name, value in weights_of(run.student).items():
        np.testing.assert_array_equal(made.weights[name], value)
    assert last.evaluations[Split.TEST].accuracy == made.card.scores[Split.TEST].after
    assert last.evaluations[Split.TEST].forgetting == made.card.scores[Split.TEST].forgetting


def test_a_setting_may_bring_its_own_training(federation: Federation) -> None:
    setting = replace(REQUEST.setting, epochs=6, learning_rate=0.05, batch_norm=BatchNorm.FROZEN)
    seen: list[tuple[int, int]] = []
    made = deliver(
        federation,
        PLAN,
        make_request(setting=setting),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (6, 6)
    card = made.card.to_json()
    assert card["setting"] == setting.to_json()
    recipe = made.card.recipe
    assert (recipe.epochs, recipe.learning_rate, recipe.batch_norm) == (6, 0.05, "frozen")


def test_no_other_stage_has_such_a_seed() -> None:
    firsts = sorted((SEARCH_SEED, RACE_SEEDS, CONFIRMATION_SEEDS, DELIVERY_SEEDS))
    assert firsts[-1] == REQUEST.seed_index == DELIVERY_SEEDS
    assert make_request(seed=3).seed_index == DELIVERY_SEEDS + 3


def test_threads_are_as_they_were(federation: Federation) -> None:
    before = torch.get_num_threads()
    seen: list[int] = []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if done:
            assert torch.get_num_threads() == 2

    deliver(federation, PLAN, make_request(compute=Compute(threads=2)), progress=progress)
    assert seen == [0, 1, 2, 3, 4]
    assert torch.get_num_threads() == before


def test_a_run_that_diverges_gives_no_model(federation: Federation) -> None:
    recipe = PLAN.distillation.model_copy(update={"learning_rate": 1e30})
    wild = PLAN.model_copy(update={"distillation": recipe})
    with pytest.raises(Diverged):
        deliver(federation, wild, REQUEST)
