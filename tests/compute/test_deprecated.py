from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

import autokd
from autokd.compute.device import Compute as Own


@pytest.mark.parametrize(("former", "memory_format"), [(True, "channels_last"), (False, "contiguous")])
def test_the_former_argument_is_understood_and_warns(former: bool, memory_format: str) -> None:
    make: Any = autokd.Compute
    with pytest.warns(DeprecationWarning, match="channels_last= is deprecated: use memory_format"):
        compute = make(device="cuda", channels_last=former)
    assert compute == Own(device="cuda", memory_format=memory_format)  # type: ignore[arg-type]
    with pytest.warns(DeprecationWarning, match="use memory_format"):
        assert compute.channels_last is former


def test_whoever_does_not_use_it_hears_nothing() -> None:
    compute = autokd.Compute("cuda", "bfloat16", threads=2)
    assert replace(compute, threads=1) == Own(device="cuda", precision="bfloat16")
    assert pickle.loads(pickle.dumps(compute)) == compute
