from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.records import RungScores
from autokd.core.setting import Split
from autokd.store import encoding
from autokd.store.encoding import (
    pack_bits,
    pack_curve,
    pack_labels,
    pack_logits,
    unpack_bits,
    unpack_curve,
    unpack_labels,
    unpack_logits,
)

numbers = st.floats(allow_nan=False, allow_infinity=False)
by_split = st.dictionaries(st.sampled_from(Split), numbers)
curves = st.lists(st.builds(RungScores, st.integers(1, 10**6), by_split, by_split, numbers), max_size=10)


@given(st.lists(st.booleans(), max_size=100))
def test_bits_come_back(values: list[bool]) -> None:
    packed = pack_bits(np.array(values, dtype=np.bool_))
    assert len(packed) == -(-len(values) // 8)
    assert unpack_bits(packed, len(values)).tolist() == values


@pytest.mark.parametrize("examples", [0, 8, 17])
def test_a_length_that_does_not_fit_is_refused(examples: int) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        unpack_bits(pack_bits(np.ones(9, dtype=np.bool_)), examples)


@given(st.lists(st.integers(0, 2**31 - 1), max_size=50))
def test_labels_come_back(values: list[int]) -> None:
    labels = unpack_labels(pack_labels(np.array(values, dtype=np.int64)))
    assert labels.dtype == np.int64
    assert labels.tolist() == values


@given(curves)
def test_curves_come_back_to_the_bit(curve: list[RungScores]) -> None:
    """As their representation has it, which tells a split from its name and 0.0 from -0.0."""
    assert repr(unpack_curve(pack_curve(curve))) == repr(tuple(curve))


def test_logits_come_back_in_parts_that_no_server_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = -np.random.default_rng(0).exponential(9, size=(7, 3)).astype(np.float16)
    (whole,) = pack_logits(logits)
    assert len(whole) == 7 * 3 * 2
    monkeypatch.setattr(encoding, "_PART_BYTES", 13)  # Room for two examples of three classes.
    parts = pack_logits(logits)
    assert [len(part) for part in parts] == [12, 12, 12, 6]
    assert b"".join(parts) == whole
    for packed in ([whole], parts):
        logits_read = unpack_logits(packed, 3)
        assert logits_read.dtype == np.float16
        assert logits_read.tolist() == logits.tolist()
        assert not logits_read.flags.writeable
    with pytest.raises(ValueError, match="reshape"):
        unpack_logits([whole[:-2]], 3)


def test_bytes_are_the_same_on_every_machine() -> None:
    assert pack_bits(np.array([True, False, True])) == b"\xa0"
    assert pack_labels(np.array([1, 258])) == b"\x01\x00\x00\x00\x02\x01\x00\x00"
    curve = [RungScores(3, {Split.VALIDATION: 0.1}, {Split.VALIDATION: -0.0}, 0.3)]
    assert pack_curve(curve) == '[[3, 0.3, {"validation": 0.1}, {"validation": -0.0}]]'


def test_what_comes_back_is_read_only() -> None:
    assert not unpack_bits(b"\xff", 8).flags.writeable
    assert not unpack_labels(b"\x00" * 4).flags.writeable
