from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autokd.core.setting import OF_SEVERAL, Method
from autokd.distillation.targets import KAPPA, Targets, balanced, estimated_counts, surest, targets

COUNTS = st.integers(0, 50)


@st.composite
def answers(draw):
    """Logits of teacher and student as it was (examples, classes), labels, and what each has seen."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(2, 6)))
    logits = hnp.arrays(np.float64, shape, elements=st.floats(-15, 15))
    labels = hnp.arrays(np.int64, shape[:1], elements=st.integers(0, shape[1] - 1))
    seen = hnp.arrays(np.int64, shape[1:], elements=COUNTS)
    return draw(logits), draw(logits), draw(labels), (draw(seen), draw(seen))


def made(method: Method, answer, *, labelled: bool = True) -> Targets:
    teacher, own, labels, seen = answer
    return targets(
        method,
        teachers=[torch.tensor(teacher)],
        student=torch.tensor(own),
        labels=torch.tensor(labels) if labelled else None,
        seen=(torch.tensor(seen[0]), torch.tensor(seen[1])),
    )


def softmax(row: Sequence[float]) -> list[float]:
    powers = [math.exp(z - max(row)) for z in row]
    return [power / sum(powers) for power in powers]


@given(answers())
def test_plainly_taught_is_what_the_teacher_says(answer):
    target = made(Method.PLAIN, answer)
    assert target.logits.tolist() == answer[0].tolist()
    assert target.trust is None


@given(answers(), st.booleans())
def test_data_partitioning_is_the_papers_rule_for_each_example(answer, labelled):
    teacher, own, labels, _ = answer
    expected = []
    for z_t, z_s, label in zip(teacher.tolist(), own.tolist(), labels.tolist(), strict=True):
        p_t, p_s = softmax(z_t), softmax(z_s)
        sure_t, sure_s = (p_t[label], p_s[label]) if labelled else (max(p_t), max(p_s))
        better = z_t if sure_t > sure_s else z_s
        # Rounding decides a tie.
        expected.append([z_t, z_s] if math.isclose(sure_t, sure_s) else [better])
    logits = made(Method.DATA_PARTITIONING, answer, labelled=labelled).logits.tolist()
    assert all(row in allowed for row, allowed in zip(logits, expected, strict=True))


@given(answers())
def test_standardised_rows_have_mean_0_and_deviation_1(answer):
    logits = made(Method.LOGIT_STANDARDISATION, answer).logits.tolist()
    for row, before in zip(logits, answer[0].tolist(), strict=True):
        mean = sum(before) / len(before)
        deviation = math.sqrt(sum((z - mean) ** 2 for z in before) / (len(before) - 1))
        assert row == pytest.approx([(z - mean) / (deviation + 1e-7) for z in before], abs=1e-9)


@given(answers())
def test_the_ensembles_logits_are_the_mean_of_both(answer):
    logits = made(Method.ENSEMBLE, answer).logits.tolist()
    assert logits == pytest.approx([*map(pytest.approx, ((answer[0] + answer[1]) / 2).tolist())])


@given(answers())
def test_each_class_is_told_by_those_who_have_seen_it(answer):
    teacher, own, _, (by_teacher, by_own) = answer
    rows = made(Method.SEEN_CLASSES, answer).logits.softmax(dim=1).tolist()
    for row, z_t, z_s in zip(rows, teacher.tolist(), own.tolist(), strict=True):
        mixed = []
        for p_t, p_s, n_t, n_s in zip(
            softmax(z_t), softmax(z_s), by_teacher.tolist(), by_own.tolist(), strict=True
        ):
            n_t, n_s = (n_t, n_s) if n_t + n_s else (1, 1)
            mixed.append((n_t * p_t + n_s * p_s) / (n_t + n_s))
        assert row == pytest.approx([share / sum(mixed) for share in mixed], rel=1e-6, abs=1e-12)


@given(answers(), st.sampled_from([Method.BALANCED, Method.BALANCED_ESTIMATED]))
def test_balanced_targets_are_the_formula(answer, method):
    teacher, own, _, (by_teacher, by_own) = answer
    probabilities = made(method, answer).logits.softmax(dim=1).tolist()
    for row, z_t, z_s in zip(probabilities, teacher.tolist(), own.tolist(), strict=True):
        mixed = [
            (p_t + p_s) / (n_t + n_s + 2 * KAPPA)
            for p_t, p_s, n_t, n_s in zip(
                softmax(z_t), softmax(z_s), by_teacher.tolist(), by_own.tolist(), strict=True
            )
        ]
        assert row == pytest.approx([share / sum(mixed) for share in mixed], rel=1e-6, abs=1e-12)


def probabilities(logits: torch.Tensor) -> torch.Tensor:
    return logits.softmax(dim=1)


@given(answers(), COUNTS, st.integers(1, 3))
def test_balanced_with_equal_counts_is_the_mean(answer, count, models):
    logits = [torch.tensor(answer[0]), torch.tensor(answer[1]), torch.tensor(answer[0] - answer[1])][:models]
    even = [torch.full((answer[0].shape[1],), count)] * models
    mean = sum(map(probabilities, logits)) / models
    torch.testing.assert_close(probabilities(balanced(logits, even)), mean, rtol=1e-9, atol=1e-12)


@given(answers())
def test_a_prior_that_one_adds_is_divided_out(answer):
    """Of several models too, as far as they have seen the same."""
    teacher, own, _, (seen, _) = answer
    fair = [torch.tensor(teacher), torch.tensor(own)]
    once, each = torch.tensor(seen).double(), torch.tensor(seen / 2)
    skewed = fair[0] + (once + KAPPA).log()
    torch.testing.assert_close(
        probabilities(balanced([skewed], [once])), probabilities(fair[0]), rtol=1e-9, atol=1e-12
    )
    # Two models whose mean is skewed by the sum of what both have seen.
    joint = (probabilities(fair[0]) + probabilities(fair[1])).log()
    both = [joint + (once + 2 * KAPPA).log()] * 2
    torch.testing.assert_close(
        probabilities(balanced(both, [each, each])), probabilities(joint), rtol=1e-9, atol=1e-12
    )


@given(answers())
def test_the_order_of_models_and_a_shift_of_their_logits_do_not_matter(answer):
    teacher, own, _, seen = answer
    logits, counts = [torch.tensor(teacher), torch.tensor(own)], [torch.tensor(counted) for counted in seen]
    target = balanced(logits, counts)
    torch.testing.assert_close(target, balanced(logits[::-1], counts[::-1]), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(target, balanced([logits[0] + 7, logits[1] - 3], counts), rtol=1e-9, atol=1e-9)


SEVERAL = st.sampled_from(OF_SEVERAL)


def of_several(method: Method, models, counts, *, asks_student: bool = True) -> torch.Tensor:
    """Probabilities of the targets of several teachers and, last, the student."""
    *teachers, student = map(torch.tensor, models)
    target = targets(
        method,
        teachers=teachers,
        student=student,
        labels=None,
        seen=[torch.tensor(count) for count in counts],
        asks_student=asks_student,
    )
    return probabilities(target.logits)


@given(answers(), SEVERAL)
def test_the_order_of_teachers_does_not_matter(answer, method):
    first, second, _, (seen_first, seen_second) = answer
    student, own = first - second + np.linspace(0, 0.3, first.shape[1]), seen_first + 1
    target = of_several(method, (first, second, student), (seen_first, seen_second, own))
    other = of_several(method, (second, first, student), (seen_second, seen_first, own))
    if method is Method.SUREST:  # Of second that are equally sure, the first counts.
        sure = [softmax_max(each) for each in (first, second)]
        different = np.abs(sure[0] - sure[1]) > 1e-9
        target, other = target[different], other[different]
    torch.testing.assert_close(target, other, rtol=1e-9, atol=1e-12)


def softmax_max(logits: np.ndarray) -> np.ndarray:
    return probabilities(torch.tensor(logits)).max(dim=1).values.numpy()


@given(answers(), SEVERAL, st.integers(1, 4))
def test_equal_teachers_change_nothing(answer, method, copies):
    """Nor does the student among them, if it is equal, too."""
    logits, _, _, (seen, _) = answer
    alone = of_several(method, (logits, logits), (seen, seen), asks_student=False)
    more = of_several(method, (logits,) * (copies + 1), (seen,) * (copies + 1), asks_student=copies > 2)
    torch.testing.assert_close(more, alone, rtol=1e-9, atol=1e-12)


@given(answers())
def test_the_surest_model_teaches_each_example(answer):
    first, second, _, _ = answer
    logits = surest([torch.tensor(first), torch.tensor(second)]).tolist()
    for row, z_first, z_second in zip(logits, first.tolist(), second.tolist(), strict=True):
        ahead = max(softmax(z_first)) - max(softmax(z_second))
        assert row in ([z_first, z_second] if abs(ahead) < 1e-9 else [z_first] if ahead > 0 else [z_second])


def test_only_some_methods_take_several_teachers():
    logits = np.zeros((2, 3))
    for method in set(Method) - set(OF_SEVERAL):
        with pytest.raises(ValueError, match="unpack"):
            of_several(method, (logits,) * 3, (np.ones(3),) * 3)


@given(answers(), st.data())
def test_balanced_aims_at_the_shares_that_it_is_given(answer, data):
    teacher, own, _, seen = answer
    logits, counts = [torch.tensor(teacher), torch.tensor(own)], [torch.tensor(counted) for counted in seen]
    shares = torch.tensor(data.draw(hnp.arrays(np.float64, teacher.shape[1], elements=st.floats(0.01, 1))))
    weighted = probabilities(balanced(logits, counts)) * shares
    expected = weighted / weighted.sum(dim=1, keepdim=True)
    aimed = probabilities(balanced(logits, counts, shares=shares))
    torch.testing.assert_close(aimed, expected, rtol=1e-9, atol=1e-12)
    even = balanced(logits, counts, shares=torch.full_like(shares, 0.5))
    torch.testing.assert_close(even, balanced(logits, counts), rtol=1e-9, atol=1e-9)


@given(answers(), st.integers(1, 1000))
def test_a_model_seems_to_have_seen_what_it_says(answer, examples):
    rows = [softmax(row) for row in answer[0].tolist()]
    expected = [examples * sum(column) / len(rows) for column in zip(*rows, strict=True)]
    counts = estimated_counts(torch.tensor(answer[0]).float(), examples)
    assert counts.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert counts.sum().item() == pytest.approx(examples)


@given(answers(), st.booleans())
def test_a_teacher_is_trusted_as_far_as_it_is_sure(answer, labelled):
    target = made(Method.TRUST, answer, labelled=labelled)
    assert target.trust is not None
    rows = [softmax(row) for row in answer[0].tolist()]
    sure = [row[label] if labelled else max(row) for row, label in zip(rows, answer[2].tolist(), strict=True)]
    assert target.logits.tolist() == answer[0].tolist()
    assert target.trust.tolist() == pytest.approx(sure)


@pytest.mark.parametrize("method", [Method.DATA_PARTITIONING, Method.ENSEMBLE, Method.SEEN_CLASSES])
@given(answers())
def test_two_models_that_agree_teach_what_they_say(method, answer):
    teacher, _, labels, seen = answer
    target = made(method, (teacher, teacher, labels, seen))
    heard = any(n_t + n_s for n_t, n_s in zip(*map(list, seen), strict=True))
    if heard or method is not Method.SEEN_CLASSES:
        assert torch.allclose(target.logits.softmax(dim=1), torch.tensor(teacher).softmax(dim=1), atol=1e-9)
