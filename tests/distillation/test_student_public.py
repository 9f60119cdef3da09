"""Runs on own labelled and public unlabelled examples: by hand, and by what they depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from autokd.compute.device import Compute
from autokd.config.training import DistillationConfig
from autokd.core.setting import LabelPrior, Method, Setting, TransferSet
from autokd.data import run_images
from autokd.distillation import distillation_loss, trainer
from autokd.distillation.companions import Companions
from autokd.distillation.targets import confidence
from autokd.distillation.trainer import Trainer
from autokd.federation.federation import Federation
from autokd.federation.networks import network
from tests.distillation.conftest import CLASSES, PAIR, RECIPE, MakeRun, make_federation

MIXED = Setting(2.0, 0.3, TransferSet.STUDENT_PUBLIC)


def weights(make_run: MakeRun, **arguments) -> dict[str, bytes]:
    run = make_run(**({"setting": MIXED} | arguments))
    list(run)
    return {name: value.contiguous().numpy().tobytes() for name, value in run.student.state_dict().items()}


def batches_of(federation: Federation, monkeypatch: pytest.MonkeyPatch, **recipe) -> list[np.ndarray]:
    """The examples of each step of two epochs, as indices into the federation's data."""
    whole, seen = run_images.place_for_training, []

    def watching(data, indices, compute):
        images = whole(data, indices, compute)

        class Watched:
            notice = images.notice

            def batch(self, chosen):
                seen.append(indices[chosen.numpy()])
                return images.batch(chosen)

        return Watched()

    monkeypatch.setattr(trainer, "place_for_training", watching)
    config = DistillationConfig.model_validate(RECIPE.model_dump() | recipe)
    training = Trainer(federation, PAIR, MIXED, seed=0, config=config, compute=Compute())
    assert training.size == 2 * len(federation.participants[PAIR.student].private)
    training.epoch()
    training.epoch()
    return seen


@pytest.mark.parametrize("batch_size", [2, 16, 17, 500])
def test_half_of_every_batch_is_the_students_own(federation, monkeypatch, batch_size):
    own = set(federation.participants[PAIR.student].private.tolist())
    public = set(federation.public.tolist())
    seen = batches_of(federation, monkeypatch, batch_size=batch_size)
    for batch in seen:
        first, second = np.split(batch, 2)
        assert set(first.tolist()) <= own
        assert set(second.tolist()) <= public
        assert 4 <= len(batch) <= max(4, batch_size) + 2
    halves = [np.split(batch, 2) for batch in seen]
    by_epoch = np.split(np.concatenate([first for first, _ in halves]), 2)
    assert all(sorted(epoch) == sorted(own) for epoch in by_epoch), "each own example once an epoch"
    turns = np.concatenate([second for _, second in halves])
    times = [int((turns == example).sum()) for example in public]
    assert max(times) - min(times) <= 1, "public examples take turns"


@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 5), st.integers(0, 9))
def test_public_examples_take_turns_over_the_epochs(own, public, epochs, seed):
    companions, drawn = Companions(own, own + public, seed=seed), []
    for _ in range(epochs):
        companions.draw("cpu")
        rows = companions.beside(torch.arange(own))
        assert rows[:own].tolist() == list(range(own))
        drawn += rows[own:].tolist()
    for start in range(0, len(drawn), public):
        turn = drawn[start : start + public]
        assert len(set(turn)) == len(turn)
        assert all(own <= row < own + public for row in turn)


@pytest.mark.parametrize("label_prior", LabelPrior)
def test_is_the_loop_one_would_write_by_hand(federation, make_run: MakeRun, monkeypatch, label_prior):
    setting = replace(MIXED, label_prior=label_prior)
    run = make_run(setting=setting)
    (end,) = run
    batches: list[torch.Tensor] = []
    whole = Companions.beside

    def watching(self: Companions, own: torch.Tensor) -> torch.Tensor:
        batches.append(whole(self, own))
        return batches[-1]

    monkeypatch.setattr(Companions, "beside", watching)
    list(make_run(setting=setting))

    data, own = federation.data, torch.tensor(federation.participants[PAIR.student].private)
    where = torch.cat([own, torch.tensor(federation.public)])
    pixels = (torch.tensor(data.images).float() - data.mean[0]) / data.std[0]
    teacher, labels = torch.tensor(federation.logits[PAIR.teacher]), torch.tensor(data.labels)
    counts = torch.tensor([data.labels[own].tolist().count(label) + 1.0 for label in range(CLASSES)])
    module = network(federation, PAIR.student)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    module.train()
    totals: list[tuple[float, float, int]] = []
    for rows in batches:
        batch, half = where[rows], len(rows) // 2
        z_s, z_t = module(pixels[batch]), teacher[batch]
        p, q = F.softmax(z_t / 2, dim=1), F.softmax(z_s / 2, dim=1)
        soft = 4 * (p * (p / q).log()).sum() / (2 * half)
        odds = z_s[:half].exp() * (counts if label_prior is LabelPrior.ADJUSTED else torch.ones(CLASSES))
        probability = (odds / odds.sum(dim=1, keepdim=True)).gather(1, labels[batch[:half], None])
        hard = -probability.log().sum() / half
        optimizer.zero_grad()
        (0.3 * soft + 0.7 * hard).backward()
        optimizer.step()
        totals.append((soft.item(), hard.item(), half))
    last = totals[-len(totals) // RECIPE.epochs :]
    assert end.soft_loss == pytest.approx(sum(s * n for s, _, n in last) / 30, rel=1e-2)
    assert end.hard_loss == pytest.approx(sum(h * n for _, h, n in last) / 30, rel=1e-2)
    for name, value in run.student.state_dict().items():
        torch.testing.assert_close(value, module.state_dict()[name], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("method", Method)
def test_never_looks_at_public_labels_nor_at_the_teachers_data(federation, make_run: MakeRun, method):
    setting = replace(MIXED, method=method, label_prior=LabelPrior.ADJUSTED)
    usual = weights(make_run, setting=setting)
    labels, images = federation.data.labels.copy(), federation.data.images.copy()
    labels[federation.public] = (labels[federation.public] + 1) % CLASSES
    images[federation.participants[PAIR.teacher].private] = 0
    other = replace(federation, data=replace(federation.data, labels=labels, images=images))
    assert weights(make_run, setting=setting, federation=other) == usual


@pytest.mark.parametrize("trusting", [False, True])
@given(st.integers(1, 5), st.integers(0, 5), st.floats(0, 1), st.integers(0, 2**31))
def test_each_part_of_the_loss_is_a_mean_over_its_own_examples(trusting, labelled, more, alpha, seed):
    draw = torch.Generator().manual_seed(seed)
    student, target = torch.randn(2, labelled + more, 4, generator=draw, dtype=torch.float64)
    labels = torch.randint(4, (labelled,), generator=draw)
    trust = torch.rand(labelled + more, generator=draw, dtype=torch.float64) if trusting else None
    setting = Setting(2.0, alpha, TransferSet.STUDENT_PUBLIC, Method.TRUST if trusting else Method.PLAIN)
    parts = distillation_loss(student, target, labels, setting, trust=trust)
    p, q = F.softmax(target / 2, dim=1), F.softmax(student / 2, dim=1)
    soft = 4 * (p * (p / q).log()).sum(dim=1)
    hard = -F.log_softmax(student[:labelled], dim=1)[torch.arange(labelled), labels]
    weight = alpha * (torch.ones_like(soft) if trust is None else trust)
    total = (weight * soft).mean() + ((1 - weight[:labelled]) * hard).mean()
    assert parts.total.item() == pytest.approx(total.item(), rel=1e-9, abs=1e-12)
    assert parts.hard is not None
    assert (parts.soft.item(), parts.hard.item()) == pytest.approx((soft.mean().item(), hard.mean().item()))


def test_confidence_is_in_the_label_where_there_is_one() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 1, 2])
    confidences = confidence(logits, labels)
    assert torch.equal(confidences[:3], confidence(logits[:3], labels))
    assert torch.equal(confidences[3:], confidence(logits[3:], None))


def test_parts_of_a_batch_make_the_same_step_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is half own, half public, so the means over parts are those over the batch."""
    plain = make_federation("mlp", widths=(8,))
    config = DistillationConfig.model_validate(RECIPE.model_dump() | {"batch_size": 16, "epochs": 1})
    steps = []
    for parts in (1, 2, 3):
        training = Trainer(plain, PAIR, MIXED, seed=0, config=config, compute=Compute())
        training.parts = parts
        losses = training.epoch()
        steps.append((losses, {name: value.numpy() for name, value in training.network.state_dict().items()}))
    for losses, trained in steps[1:]:
        assert losses.soft == pytest.approx(steps[0][0].soft, rel=1e-4)
        assert losses.hard == pytest.approx(steps[0][0].hard, rel=1e-4)
        for name, weight in trained.items():
            np.testing.assert_allclose(weight, steps[0][1][name], rtol=1e-4, atol=1e-6)


def test_an_untaught_student_is_told_nothing_by_the_teacher(federation, make_run: MakeRun):
    alone = replace(MIXED, alpha=0.0)
    other = replace(federation, logits=federation.logits[::-1] + 3)
    assert weights(make_run, setting=alone, federation=other) == weights(make_run, setting=alone)
