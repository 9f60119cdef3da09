from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from autokd.data import builtin
from autokd.data.dataset import Dataset
from autokd.errors import UnknownName


def test_digits_are_those_of_scikit_learn(digits: Dataset) -> None:
    bunch = load_digits()
    np.testing.assert_array_equal(digits.images.reshape(1797, 64), bunch.data)
    np.testing.assert_array_equal(digits.labels, bunch.target)
    assert digits.images.shape == (1797, 1, 8, 8)
    assert digits.images.dtype == np.uint8
    assert digits.labels.dtype == np.int64
    assert digits.classes == tuple("0123456789")


def test_normalisation_is_that_of_the_data(digits: Dataset) -> None:
    assert digits.mean == pytest.approx((digits.images.mean(),), abs=5e-4)
    assert digits.std == pytest.approx((digits.images.std(),), abs=5e-4)


def test_arrays_are_read_only(digits: Dataset) -> None:
    for array in (digits.images, digits.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_an_unknown_name_says_what_exists() -> None:
    with pytest.raises(
        UnknownName, match=r"no dataset is called 'digit'; known: digits\. Did you mean 'digits'"
    ):
        builtin.load("digit")
