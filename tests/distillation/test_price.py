"""A price counts the examples that a run really trains on."""

from __future__ import annotations

import pytest

from autokd.compute.device import Compute
from autokd.core.price import Prices
from autokd.core.setting import DEFAULT, TransferSet, moved
from autokd.distillation.trainer import Trainer
from autokd.federation.federation import Federation
from tests.distillation.conftest import PAIR, RECIPE


@pytest.mark.parametrize("transfer_set", list(TransferSet), ids=str)
def test_an_epoch_costs_the_examples_that_pass_through_the_student(
    federation: Federation, transfer_set: TransferSet
) -> None:
    setting = moved(DEFAULT, transfer_set)
    trainer = Trainer(federation, PAIR, setting, seed=0, config=RECIPE, compute=Compute())
    seen: list[int] = []
    trainer.network.register_forward_pre_hook(lambda network, images: seen.append(len(images[0])))
    trainer.epoch()
    prices = Prices.of_pair(federation.facts(), PAIR, epochs=RECIPE.epochs)
    assert prices is not None
    assert prices.of_epoch(transfer_set) == sum(seen)
    assert prices.of_run(setting) == RECIPE.epochs * sum(seen)
