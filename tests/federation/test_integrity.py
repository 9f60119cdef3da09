"""What hashes cannot tell: a federation that somebody else has made must still be one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autokd.core.setting import Split
from autokd.federation.federation import Federation
from autokd.federation.integrity import problems


def with_data(**changes: Any) -> Callable[[Federation], Federation]:
    return lambda federation: replace(federation, data=replace(federation.data, **changes))


def with_split(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Federation], Federation]:
    def changed(federation: Federation) -> Federation:
        return replace(
            federation, splits={**federation.splits, Split.TEST: change(federation.splits[Split.TEST])}
        )

    return changed


def labels_out_of_range(federation: Federation) -> Federation:
    return replace(federation, data=replace(federation.data, labels=federation.data.labels + 1))


CASES: list[tuple[Callable[[Federation], Federation], str]] = [
    (labels_out_of_range, "labels are not integers from 0 to 9"),
    (with_data(labels=np.zeros(3, dtype=np.int64)), "images are not uint8"),
    (with_data(mean=(1.0, 2.0)), "mean and std are not 1 numbers"),
    (with_data(std=(0.0,)), "mean and std are not 1 numbers"),
    (
        lambda federation: with_data(images=federation.data.images.astype(np.float64))(federation),
        "images are not uint8",
    ),
    (
        lambda federation: with_data(images=federation.data.images * np.float32("nan"))(federation),
        "images are not all finite",
    ),
    (lambda federation: replace(federation, logits=federation.logits[:, :, :9]), "logits are not float32"),
    (with_split(lambda where: where + 10**6), "test holds no indices of the 1797 examples"),
    (with_split(lambda where: -where - 1), "test holds no indices"),
    (with_split(lambda where: where.astype(np.float64)), "test holds no indices"),
    (with_split(lambda where: np.concatenate([where, where[:1]])), "test names an example twice"),
    (with_split(lambda where: where[:0]), "test is empty"),
]


def test_a_real_one_has_none(federation: Federation) -> None:
    assert not list(problems(federation))


@pytest.mark.parametrize(("change", "problem"), CASES, ids=[problem for _, problem in CASES])
def test_what_does_not_hold_is_named(
    federation: Federation, change: Callable[[Federation], Federation], problem: str
) -> None:
    assert any(problem in line for line in problems(change(federation)))
