from __future__ import annotations

import json
from itertools import product
from typing import Any, get_args

import pytest

from autokd.core.tensor_format import FORMER_FORMAT, MemoryFormat, Precision, TensorFormat


@pytest.mark.parametrize(
    ("memory_format", "precision"), list(product(get_args(MemoryFormat), get_args(Precision)))
)
def test_a_format_comes_back_from_what_is_stored(memory_format: Any, precision: Any) -> None:
    tensor_format = TensorFormat(memory_format, precision)
    stored = json.loads(json.dumps({"seed": 3, **tensor_format.to_json()}))
    assert TensorFormat.from_json(stored) == tensor_format


def test_runs_that_were_stored_without_one_are_contiguous_and_float32() -> None:
    assert TensorFormat.from_json({"seed": 3}) == FORMER_FORMAT == TensorFormat("contiguous", "float32")


@pytest.mark.parametrize("odd", [{"memory_format": "NHWC"}, {"precision": "float16"}, {"precision": 32}])
def test_what_does_not_exist_is_refused(odd: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="there is no tensor format"):
        TensorFormat.from_json(odd)
