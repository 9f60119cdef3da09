"""Runs that correct for uneven class shares: by hand, and by what they depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from autokd.core.setting import LabelPrior, Method, Setting, TransferSet, derive_seed
from autokd.distillation import examples
from autokd.errors import PlanError
from autokd.federation.federation import Federation
from autokd.federation.networks import network
from tests.distillation.conftest import CLASSES, PAIR, RECIPE, MakeRun


def weights(make_run: MakeRun, **arguments) -> dict[str, bytes]:
    run = make_run(**arguments)
    list(run)
    return {name: value.contiguous().numpy().tobytes() for name, value in run.student.state_dict().items()}


@pytest.mark.parametrize("on", [TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH])
def test_the_adjusted_loss_is_the_loop_one_would_write_by_hand(federation, make_run: MakeRun, on):
    adjusted = Setting(2.0, 0.3, on, label_prior=LabelPrior.ADJUSTED)
    run = make_run(setting=adjusted)
    (end,) = run

    data, where = federation.data, torch.tensor(examples(federation, PAIR, on))
    pixels = (torch.tensor(data.images).float() - data.mean[0]) / data.std[0]
    teacher, labels = torch.tensor(federation.logits[PAIR.teacher]), torch.tensor(data.labels)
    # The student counts the labelled examples that it trains on, whoever they come from.
    seen = [data.labels[where].tolist().count(label) for label in range(CLASSES)]
    student = network(federation, PAIR.student)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9)
    order = torch.Generator().manual_seed(derive_seed(federation.name, "0->1", 0))
    student.train()
    for _ in range(RECIPE.epochs):
        total = 0.0
        shuffled = where[torch.randperm(len(where), generator=order)]
        sizes = {30: [16, 14], 33: [16, 17], 63: [16, 16, 16, 15]}[len(where)]
        for batch in shuffled.split(sizes):
            z_s, z_t = student(pixels[batch]), teacher[batch]
            p, q = F.softmax(z_t / 2, dim=1), F.softmax(z_s / 2, dim=1)
            odds = z_s.exp() * torch.tensor([count + 1.0 for count in seen])
            hard = -(odds / odds.sum(dim=1, keepdim=True)).gather(1, labels[batch, None]).log().mean()
            optimizer.zero_grad()
            (0.3 * 4 * (p * (p / q).log()).sum(dim=1).mean() + 0.7 * hard).backward()
            optimizer.step()
            total += hard.item() * len(batch)
    assert end.hard_loss == pytest.approx(total / len(where), rel=1e-3)
    for name, value in run.student.state_dict().items():
        torch.testing.assert_close(value, student.state_dict()[name], rtol=1e-2, atol=1e-3)


def relabelled(federation: Federation) -> Federation:
    """The same with other labels of the teacher's private examples, and so with other class counts."""
    labels = federation.data.labels.copy()
    labels[federation.participants[PAIR.teacher].private] = 0
    return replace(federation, data=replace(federation.data, labels=labels))


@pytest.mark.parametrize(
    ("method", "matters"),
    [(Method.BALANCED, True), (Method.BALANCED_ESTIMATED, False), (Method.PLAIN, False)],
)
@pytest.mark.parametrize("label_prior", LabelPrior)
def test_only_balanced_needs_to_be_told_what_the_teacher_has_seen(
    federation, make_run: MakeRun, method, matters, label_prior
):
    setting = Setting(1.0, 0.5, TransferSet.STUDENT, method, label_prior=label_prior)
    usual = weights(make_run, setting=setting)
    assert (weights(make_run, setting=setting, federation=relabelled(federation)) != usual) is matters


def test_an_estimate_is_made_of_the_teachers_answers_on_public_examples(federation, make_run: MakeRun):
    setting = Setting(1.0, 0.5, TransferSet.STUDENT, Method.BALANCED_ESTIMATED)
    logits = federation.logits.copy()
    logits[PAIR.teacher, federation.public, 0] += 5
    other = replace(federation, logits=logits)
    assert weights(make_run, setting=setting, federation=other) != weights(make_run, setting=setting)
    counted = replace(setting, method=Method.BALANCED)
    assert weights(make_run, setting=counted, federation=other) == weights(make_run, setting=counted)


def test_without_public_examples_there_is_no_estimate(federation, make_run: MakeRun):
    bare = replace(federation, public=np.array([], dtype=np.int64))
    run = make_run(federation=bare, setting=Setting(1.0, 0.5, TransferSet.STUDENT, Method.BALANCED_ESTIMATED))
    with pytest.raises(PlanError, match=r"method: balanced_estimated estimates .* public examples"):
        next(run)
