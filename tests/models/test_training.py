from __future__ import annotations

import math
from itertools import chain
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD, Adam, AdamW

from autokd.config.training import TrainingConfig
from autokd.models.training import batches, learning_rate, make_optimizer, set_learning_rate


def make(**fields: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"learning_rate": 0.4, "epochs": 4} | fields)


def drawn(n: int, batch_size: int, seed: int) -> list[list[int]]:
    return [batch.tolist() for batch in batches(n, batch_size, torch.Generator().manual_seed(seed))]


@given(n=st.integers(2, 200), batch_size=st.integers(2, 64), seed=st.integers(0, 1000))
def test_an_epoch_has_every_example_once_and_no_batch_of_one(n: int, batch_size: int, seed: int) -> None:
    epoch = drawn(n, batch_size, seed)
    assert sorted(chain(*epoch)) == list(range(n))
    assert all(len(batch) == batch_size for batch in epoch[:-1])
    assert 2 <= len(epoch[-1]) <= batch_size + 1


@given(n=st.integers(20, 100), seed=st.integers(0, 1000))
def test_the_order_is_drawn_from_the_generator_alone(n: int, seed: int) -> None:
    assert drawn(n, 8, seed) == drawn(n, 8, seed)
    assert drawn(n, 8, seed) != drawn(n, 8, seed + 1)


def test_every_epoch_has_another_order() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.cat(list(batches(50, 8, generator))) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("n", "batch_size"), [(1, 8), (0, 8), (8, 1)])
def test_too_few_examples_for_batchnorm_are_refused(n: int, batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"n={n} and batch_size={batch_size} must be at least 2"):
        drawn(n, batch_size, 0)


def test_a_constant_rate_stays() -> None:
    assert [learning_rate(make(), epoch) for epoch in range(4)] == [0.4] * 4


def test_a_cosine_rate_falls_from_the_recipes_to_near_zero() -> None:
    recipe = make(schedule="cosine")
    rates = [learning_rate(recipe, epoch) for epoch in range(4)]
    half = math.sqrt(0.5)
    assert rates == pytest.approx([0.4, 0.2 * (1 + half), 0.2, 0.2 * (1 - half)])


def test_the_cosine_rate_is_that_of_torch() -> None:
    recipe = make(schedule="cosine", epochs=7)
    optimizer = make_optimizer(recipe, [nn.Parameter(torch.zeros(1))])
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=7)
    for epoch in range(7):
        assert learning_rate(recipe, epoch) == pytest.approx(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()


@pytest.mark.parametrize("epoch", [-1, 4])
def test_there_is_no_rate_outside_the_epochs(epoch: int) -> None:
    with pytest.raises(ValueError, match=f"epoch={epoch}"):
        learning_rate(make(), epoch)


@pytest.mark.parametrize(("name", "kind"), [("sgd", SGD), ("adam", Adam), ("adamw", AdamW)])
def test_an_optimizer_has_the_recipes_parameters_and_no_past(name: str, kind: type) -> None:
    recipe = make(optimizer=name, momentum=0.7, weight_decay=0.01)
    optimizer = make_optimizer(recipe, [nn.Parameter(torch.zeros(1))])
    (group,) = optimizer.param_groups
    assert type(optimizer) is kind
    assert (group["lr"], group["weight_decay"]) == (0.4, 0.01)
    assert group.get("momentum", 0.7) == 0.7
    assert not optimizer.state


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_fused_optimizer_takes_the_same_steps_up_to_rounding_and_repeats_its_bits(
    name: str, memory_format: torch.memory_format
) -> None:
    def trained(*, fused: bool) -> list[torch.Tensor]:
        numbers = torch.Generator().manual_seed(0)
        weights = [
            nn.Parameter(torch.randn(shape, generator=numbers).to(memory_format=memory_format))
            for shape in ((5, 3, 3, 3), (7, 5, 1, 1))
        ]
        optimizer = make_optimizer(
            make(optimizer=name, learning_rate=0.01, weight_decay=0.1), weights, fused=fused
        )
        for _ in range(20):
            for weight in weights:
                weight.grad = torch.randn(weight.shape, generator=numbers).to(memory_format=memory_format)
            optimizer.step()
        return [weight.detach() for weight in weights]

    plain, first, second = trained(fused=False), trained(fused=True), trained(fused=True)
    for expected, fused, again in zip(plain, first, second, strict=True):
        torch.testing.assert_close(fused, expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(fused, again)


def test_a_set_rate_is_what_the_next_step_uses() -> None:
    weight = nn.Parameter(torch.ones(1))
    optimizer = make_optimizer(make(momentum=0.0), [weight])
    set_learning_rate(optimizer, 0.25)
    weight.sum().backward()
    optimizer.step()
    assert weight.item() == 0.75
