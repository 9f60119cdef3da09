from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional as F

from autokd.core.setting import LabelPrior, Method, Setting, TransferSet
from autokd.distillation import LossParts, distillation_loss, soft_target_loss
from autokd.distillation.loss import log_prior, standardised

TEMPERATURES = st.floats(0.5, 16)
ALPHAS = st.floats(0, 1)


@st.composite
def batches(draw, limit=20.0):
    """Student logits, teacher logits (batch, classes) in float64, and labels (batch,)."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(2, 7)))
    logits = hnp.arrays(np.float64, shape, elements=st.floats(-limit, limit))
    labels = hnp.arrays(np.int64, shape[:1], elements=st.integers(0, shape[1] - 1))
    return draw(logits), draw(logits), draw(labels)


def setting(temperature: float, alpha: float | None) -> Setting:
    where = TransferSet.PUBLIC if alpha is None else TransferSet.STUDENT
    return Setting(temperature=temperature, alpha=alpha, transfer_set=where)


def naive(student, teacher, labels, *, temperature, alpha) -> float:
    """The formula example by example and class by class, in plain Python."""

    def softmax(row, temperature):
        powers = [math.exp((z - max(row)) / temperature) for z in row]
        return [power / sum(powers) for power in powers]

    total = 0.0
    for z_s, z_t, y in zip(student.tolist(), teacher.tolist(), labels.tolist(), strict=True):
        p, q = softmax(z_t, temperature), softmax(z_s, temperature)
        divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)
        total += alpha * temperature**2 * divergence - (1 - alpha) * math.log(softmax(z_s, 1)[y])
    return total / len(student)


@given(batches(), TEMPERATURES, ALPHAS)
def test_is_the_formula(batch, temperature, alpha):
    student, teacher, labels = map(torch.tensor, batch)
    parts = distillation_loss(student, teacher, labels, setting(temperature, alpha))
    expected = naive(student, teacher, labels, temperature=temperature, alpha=alpha)
    assert parts.total.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(batches(), TEMPERATURES)
def test_vanishes_on_equal_logits(batch, temperature):
    logits = torch.tensor(batch[0])
    assert soft_target_loss(logits, logits.clone(), temperature=temperature).item() == 0


@given(batches(), TEMPERATURES, st.floats(-100, 100), st.floats(-100, 100))
def test_does_not_change_when_rows_of_logits_are_shifted(batch, temperature, by_student, by_teacher):
    student, teacher = torch.tensor(batch[0]), torch.tensor(batch[1])
    shifted = soft_target_loss(student + by_student, teacher + by_teacher, temperature=temperature)
    loss = soft_target_loss(student, teacher, temperature=temperature)
    assert shifted.item() == pytest.approx(loss.item(), rel=1e-9, abs=1e-9)


def test_becomes_half_the_mean_squared_gap_of_centred_logits_for_large_temperature():
    # arXiv:1503.02531, section 2.1.
    student, teacher = torch.randn(2, 16, 10, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    gap = (student - student.mean(dim=1, keepdim=True)) - (teacher - teacher.mean(dim=1, keepdim=True))
    loss = soft_target_loss(student, teacher, temperature=1e4)
    assert loss.item() == pytest.approx(0.5 * gap.square().mean().item(), rel=1e-3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 16.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0, None])
def test_gradient_is_that_of_finite_differences(temperature, alpha):
    draw = torch.Generator().manual_seed(5)
    student, teacher = (torch.randn(4, 5, generator=draw, dtype=torch.float64) for _ in range(2))
    labels = None if alpha is None else torch.tensor([0, 3, 1, 4])

    def total(logits):
        return distillation_loss(logits, teacher, labels, setting(temperature, alpha)).total

    assert torch.autograd.gradcheck(total, (student.requires_grad_(),), eps=1e-6, atol=1e-7)


@given(batches(), TEMPERATURES)
def test_gradient_is_the_closed_form(batch, temperature):
    # d(T²·KL)/dz_s = T (q − p) / batch, section 2.1 of the paper with its factor T².
    student, teacher = torch.tensor(batch[0]).requires_grad_(), torch.tensor(batch[1])
    (gradient,) = torch.autograd.grad(soft_target_loss(student, teacher, temperature=temperature), student)
    q, p = (F.softmax(logits.detach() / temperature, dim=1) for logits in (student, teacher))
    torch.testing.assert_close(gradient, temperature * (q - p) / len(student), rtol=1e-9, atol=1e-12)


@given(batches(limit=50.0), TEMPERATURES)
def test_float32_is_good_to_a_thousandth_of_a_nat_over_the_whole_space(batch, temperature):
    exact = soft_target_loss(*map(torch.tensor, batch[:2]), temperature=temperature)
    single = soft_target_loss(*(torch.tensor(x).float() for x in batch[:2]), temperature=temperature)
    assert single.item() == pytest.approx(exact.item(), rel=1e-5, abs=1e-3)


@given(batches(), TEMPERATURES)
def test_alpha_0_is_cross_entropy_and_alpha_1_is_distillation_alone(batch, temperature):
    student, teacher, labels = map(torch.tensor, batch)
    fine_tuning = distillation_loss(student, teacher, labels, setting(temperature, 0.0)).total
    distilling = distillation_loss(student, teacher, labels, setting(temperature, 1.0)).total
    assert torch.equal(fine_tuning, F.cross_entropy(student, labels))
    assert torch.equal(distilling, soft_target_loss(student, teacher, temperature=temperature))


@given(batches(), st.floats(0.5, 15.9), st.floats(0, 0.99))
def test_is_continuous_in_temperature_and_alpha(batch, temperature, alpha):
    student, teacher, labels = map(torch.tensor, batch)

    def total(temperature, alpha):
        return distillation_loss(student, teacher, labels, setting(temperature, alpha)).total.item()

    # Bounds of the slopes with logits z within ±20 and D = z_t − z_s.
    # In T: |Cov_p(z_t, D)| / T ≤ 20 · 40 / 0.5, and the rest stays below 400.
    # In α: soft ≤ T² · 80 / T = 1280, and hard stays below 50.
    here = total(temperature, alpha)
    assert abs(total(temperature + 1e-6, alpha) - here) < 2000e-6
    assert abs(total(temperature, alpha + 1e-6) - here) < 1330e-6


@given(batches(), TEMPERATURES)
def test_on_public_it_is_distillation_alone(batch, temperature):
    student, teacher = map(torch.tensor, batch[:2])
    parts = distillation_loss(student, teacher, None, setting(temperature, None))
    assert parts.hard is None
    assert parts.total is parts.soft
    assert torch.equal(parts.soft, soft_target_loss(student, teacher, temperature=temperature))


def test_parts_come_before_their_weights():
    student, teacher = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 3.0]])
    labels = torch.tensor([0])
    loss = distillation_loss(student, teacher, labels, setting(2.0, 0.1))
    other = distillation_loss(student, teacher, labels, setting(2.0, 0.9))
    assert isinstance(loss, LossParts)
    assert torch.equal(loss.soft, other.soft)
    assert loss.hard is not None
    assert other.hard is not None
    assert torch.equal(loss.hard, other.hard)
    assert loss.total != other.total


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_refuses_a_temperature_that_is_no_positive_number(temperature):
    with pytest.raises(ValueError, match="temperature"):
        soft_target_loss(torch.zeros(1, 2), torch.zeros(1, 2), temperature=temperature)


def test_refuses_logits_of_different_shapes():
    # Broadcasting would otherwise hide a missing row.
    with pytest.raises(ValueError, match=r"\(3, 2\) and target \(1, 2\)"):
        soft_target_loss(torch.zeros(3, 2), torch.zeros(1, 2), temperature=1.0)


@pytest.mark.parametrize(("labels", "alpha"), [(None, 0.5), (torch.tensor([0]), None)])
def test_refuses_labels_that_do_not_fit_alpha(labels, alpha):
    with pytest.raises(ValueError, match="labels"):
        distillation_loss(torch.zeros(1, 2), torch.zeros(1, 2), labels, setting(1.0, alpha))


@given(batches(), TEMPERATURES, ALPHAS, st.data())
def test_a_target_that_is_trusted_less_leaves_more_to_the_label(batch, temperature, alpha, data):
    student, teacher, labels = batch
    trust = data.draw(hnp.arrays(np.float64, labels.shape, elements=st.floats(0, 1)))
    z_s, z_t, y = map(torch.tensor, batch)
    parts = distillation_loss(z_s, z_t, y, setting(temperature, alpha), trust=torch.tensor(trust))
    rows = [
        naive(
            student[i : i + 1],
            teacher[i : i + 1],
            labels[i : i + 1],
            temperature=temperature,
            alpha=alpha * w,
        )
        for i, w in enumerate(trust.tolist())
    ]
    assert parts.total.item() == pytest.approx(sum(rows) / len(rows), rel=1e-9, abs=1e-9)


@given(batches(), TEMPERATURES, ALPHAS)
def test_full_trust_changes_nothing(batch, temperature, alpha):
    student, teacher, labels = map(torch.tensor, batch)
    ones = torch.ones(len(labels), dtype=torch.float64)
    full = distillation_loss(student, teacher, labels, setting(temperature, alpha), trust=ones)
    plain = distillation_loss(student, teacher, labels, setting(temperature, alpha))
    for part in ("total", "soft", "hard"):
        trusting, usual = getattr(full, part).item(), getattr(plain, part).item()
        assert trusting == pytest.approx(usual, rel=1e-9, abs=1e-9)


@given(batches(), TEMPERATURES, ALPHAS, st.floats(0.1, 10), st.floats(-5, 5))
def test_standardised_logits_are_told_apart_by_neither_scale_nor_shift(
    batch, temperature, alpha, scale, shift
):
    """Sun et al. 2024, arXiv:2403.01427, section 4.2: what is left is how the classes relate."""
    student, _, labels = map(torch.tensor, batch)
    method = Setting(temperature, alpha, TransferSet.STUDENT, method=Method.LOGIT_STANDARDISATION)
    hard = F.cross_entropy(student, labels).item()
    # A row of (nearly) equal logits has no scale that could be told.
    if student.std(dim=1).min() < 1e-3:
        return
    itself = distillation_loss(student, standardised(student * scale + shift), labels, method)
    assert itself.soft.item() == pytest.approx(0, abs=1e-4)
    assert itself.total.item() == pytest.approx((1 - alpha) * hard, abs=1e-4)


def adjusted(temperature: float, alpha: float, method: Method = Method.PLAIN) -> Setting:
    return Setting(temperature, alpha, TransferSet.STUDENT, method, label_prior=LabelPrior.ADJUSTED)


@st.composite
def counts(draw, classes: int):
    return draw(hnp.arrays(np.int64, classes, elements=st.integers(0, 1000)))


@given(batches(), TEMPERATURES, ALPHAS, st.data())
def test_the_adjusted_loss_is_the_formula(batch, temperature, alpha, data):
    """Menon et al. 2021, arXiv:2007.07314: log(1 + Σ_{c ≠ y} (n(c) + 1)/(n(y) + 1) · exp(z(c) − z(y)))."""
    student, _, labels = batch
    seen = data.draw(counts(student.shape[1])).tolist()
    hard = [
        math.log1p(
            sum((seen[c] + 1) / (seen[y] + 1) * math.exp(row[c] - row[y]) for c in range(len(row)) if c != y)
        )
        for row, y in zip(student.tolist(), labels.tolist(), strict=True)
    ]
    prior = torch.tensor([math.log(n + 1) for n in seen], dtype=torch.float64)
    z_s, z_t, y = map(torch.tensor, batch)
    parts = distillation_loss(z_s, z_t, y, adjusted(temperature, alpha), prior=prior)
    assert parts.hard is not None
    assert parts.hard.item() == pytest.approx(sum(hard) / len(hard), rel=1e-9, abs=1e-9)
    assert torch.equal(parts.soft, soft_target_loss(z_s, z_t, temperature=temperature)), "only labels"
    assert parts.total.item() == pytest.approx(
        alpha * parts.soft.item() + (1 - alpha) * parts.hard.item(), rel=1e-12, abs=1e-12
    )


@given(batches(), st.data())
def test_a_prior_that_is_divided_out_before_is_as_none(batch, data):
    student, teacher, labels = map(torch.tensor, batch)
    prior = torch.tensor(data.draw(counts(student.shape[1])) + 1, dtype=torch.float64).log()
    corrected = distillation_loss(student - prior, teacher, labels, adjusted(1.0, 0.0), prior=prior)
    usual = distillation_loss(student, teacher, labels, setting(1.0, 0.0))
    assert corrected.total.item() == pytest.approx(usual.total.item(), rel=1e-9, abs=1e-9)


@given(batches(), TEMPERATURES, ALPHAS, st.integers(0, 1000))
def test_equal_counts_adjust_nothing(batch, temperature, alpha, count):
    student, teacher, labels = map(torch.tensor, batch)
    prior = torch.full((student.shape[1],), math.log(count + 1), dtype=torch.float64)
    for method in (Method.PLAIN, Method.LOGIT_STANDARDISATION):
        chosen = adjusted(temperature, alpha, method)
        even = distillation_loss(student, teacher, labels, chosen, prior=prior).total
        usual = distillation_loss(
            student, teacher, labels, Setting(temperature, alpha, TransferSet.STUDENT, method)
        ).total
        assert even.item() == pytest.approx(usual.item(), rel=1e-9, abs=1e-9)


@given(hnp.arrays(np.int64, st.integers(2, 6), elements=st.integers(1, 50)))
def test_a_student_that_knows_nothing_but_its_labels_learns_equal_classes(seen):
    """The loss of one row of logits for all labels is least at log n/(n + 1), where plain one is at log n."""
    labels = torch.repeat_interleave(torch.arange(len(seen)), torch.tensor(seen))
    n = torch.tensor(seen, dtype=torch.float64)
    prior = (n + 1).log()
    assert log_prior(labels, len(seen)).tolist() == pytest.approx(prior.tolist())
    row = (n / (n + 1)).log().requires_grad_()
    rows = row.expand(len(labels), -1)
    distillation_loss(rows, rows.detach(), labels, adjusted(1.0, 0.0), prior=prior).total.backward()
    assert row.grad is not None
    assert row.grad.abs().max().item() == pytest.approx(0, abs=1e-9)


def test_a_class_without_examples_stays_finite():
    assert log_prior(torch.tensor([2, 2]), 4).tolist() == pytest.approx([0, 0, math.log(3), 0])


@given(batches(), TEMPERATURES, ALPHAS, st.data())
def test_a_teacher_that_is_trusted_less_leaves_more_to_the_adjusted_loss(batch, temperature, alpha, data):
    student, teacher, labels = map(torch.tensor, batch)
    trust = torch.tensor(data.draw(hnp.arrays(np.float64, len(labels), elements=st.floats(0, 1))))
    prior = torch.tensor(data.draw(counts(student.shape[1])) + 1, dtype=torch.float64).log()
    chosen = adjusted(temperature, alpha, Method.TRUST)
    parts = distillation_loss(student, teacher, labels, chosen, trust=trust, prior=prior)
    hard = F.cross_entropy(student + prior, labels, reduction="none")
    soft = soft_target_loss(student, teacher, temperature=temperature, reduction="none").sum(dim=1)
    weight = alpha * trust
    assert parts.total.item() == pytest.approx((weight * soft + (1 - weight) * hard).mean().item(), rel=1e-9)


@pytest.mark.parametrize("asked", [adjusted(1.0, 0.5), setting(1.0, 0.5)], ids=str)
def test_refuses_a_prior_that_does_not_fit_the_setting(asked):
    prior = torch.zeros(2) if asked.label_prior is LabelPrior.NONE else None
    with pytest.raises(ValueError, match="label_prior"):
        distillation_loss(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([0]), asked, prior=prior)
