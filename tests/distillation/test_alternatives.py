"""The rivals that are trained are what they are called: told by what their students do not depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from autokd.core.setting import BatchNorm, Method, Setting, Split, TransferSet, derive_seed, untaught
from autokd.distillation import examples
from autokd.explanation.alternatives import ON_VALIDATION
from autokd.federation.federation import Federation
from autokd.federation.networks import network
from tests.distillation.conftest import PAIR, RECIPE, MakeRun

JUDGED = (Split.CONFIRMATION, Split.TEST)
WINNERS = [
    Setting(4.0, 0.3, TransferSet.BOTH),
    Setting(0.5, 0.9, TransferSet.STUDENT, method=Method.ENSEMBLE, learning_rate=0.02),
    Setting(2.0, 0.5, TransferSet.TEACHER, epochs=2, batch_norm=BatchNorm.FROZEN),
]


def weights(make_run: MakeRun, **arguments) -> dict[str, bytes]:
    setting = arguments.pop("setting")
    run = make_run(setting=setting, rungs=(setting.epochs or RECIPE.epochs,), splits=JUDGED, **arguments)
    list(run)
    return {name: value.contiguous().numpy().tobytes() for name, value in run.student.state_dict().items()}


def scrambled(federation: Federation, where: np.ndarray) -> Federation:
    """The same with other images and labels there."""
    images, labels = federation.data.images.copy(), federation.data.labels.copy()
    images[where] = 16 - images[where]
    labels[where] = (labels[where] + 1) % 4
    return replace(federation, data=replace(federation.data, images=images, labels=labels))


@pytest.mark.parametrize("winner", WINNERS, ids=str)
def test_cross_entropy_only_is_the_winners_run_with_alpha_0(make_run: MakeRun, winner):
    rival = untaught(winner)
    assert weights(make_run, setting=rival) == weights(make_run, setting=replace(winner, alpha=0.0))
    assert weights(make_run, setting=rival) != weights(make_run, setting=winner)


@pytest.mark.parametrize("winner", WINNERS, ids=str)
def test_cross_entropy_only_does_not_depend_on_any_teacher(federation, make_run: MakeRun, winner):
    other = replace(federation, logits=federation.logits[::-1] + 3)
    assert weights(make_run, setting=untaught(winner), federation=other) == weights(
        make_run, setting=untaught(winner)
    )


def test_fine_tuning_on_validation_is_the_loop_one_would_write_by_hand(federation, make_run: MakeRun):
    run = make_run(setting=ON_VALIDATION, splits=JUDGED)
    list(run)

    data, where = federation.data, torch.tensor(federation.splits[Split.VALIDATION])
    pixels = (torch.tensor(data.images).float() - data.mean[0]) / data.std[0]
    labels = torch.tensor(data.labels)
    student = network(federation, PAIR.student)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9)
    order = torch.Generator().manual_seed(derive_seed(federation.name, "0->1", 0))
    student.train()
    for _ in range(RECIPE.epochs):
        for batch in torch.randperm(len(where), generator=order).split(16):
            optimizer.zero_grad()
            F.cross_entropy(student(pixels[where[batch]]), labels[where[batch]]).backward()
            optimizer.step()
    for name, value in student.state_dict().items():
        torch.testing.assert_close(run.student.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_fine_tuning_on_validation_sees_nothing_else(federation, make_run: MakeRun):
    validation = federation.splits[Split.VALIDATION]
    everything_else = np.setdiff1d(np.arange(len(federation.data.labels)), validation)
    expected = weights(make_run, setting=ON_VALIDATION)
    elsewhere = scrambled(federation, everything_else)
    assert weights(make_run, setting=ON_VALIDATION, federation=elsewhere) == expected
    for held_out in JUDGED:
        assert not set(examples(federation, PAIR, ON_VALIDATION.transfer_set)) & set(
            federation.splits[held_out]
        )
    there = scrambled(federation, validation)
    assert weights(make_run, setting=ON_VALIDATION, federation=there) != expected
