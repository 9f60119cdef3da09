"""Inputs that are no images: numbers of any shape and type, from each kind of source."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from autokd.config.images import ImageShape
from autokd.config.sources import AnyInput, AnySource, CodeSource
from autokd.data.sources import read, usable
from autokd.data.sources.factory import read_dataset
from autokd.data.sources.labelled_images import LabelledImages
from autokd.data.sources.tensors import as_tensors
from autokd.errors import PlanError

TYPES = st.sampled_from(
    ["float16", "float32", "float64", "int8", "uint8", "int32", "uint32", "int64", "bool"]
)
SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


@st.composite
def inputs(draw: st.DrawFn) -> NDArray[Any]:
    kind = np.dtype(draw(TYPES))
    elements = arrays.from_dtype(kind)
    if kind.kind == "f":
        elements = arrays.from_dtype(kind, min_value=-1000, max_value=1000, allow_nan=False)
    return draw(arrays.arrays(kind, draw(SHAPES), elements=elements))


def get(folder: Path, **fields: Any) -> LabelledImages:
    source: AnySource = TypeAdapter(AnySource).validate_python({"values": "tensor"} | fields)
    return read(source, folder, ImageShape())


def same_numbers(actual: NDArray[Any], expected: NDArray[Any]) -> None:
    assert actual.dtype == (np.int64 if expected.dtype.kind in "iu" else np.float32)
    np.testing.assert_array_equal(
        actual, expected.reshape(len(expected), -1) if expected.ndim == 1 else expected
    )


@given(array=inputs())
@settings(max_examples=40)
def test_archives_keep_shapes_and_numbers(
    array: NDArray[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    np.savez(folder / "any.npz", inputs=array, labels=np.arange(len(array)))
    images = get(folder, kind="npz", path="any.npz")
    expected = array.astype(np.float32) if array.dtype.kind in "fb" else array
    same_numbers(images.images, expected)
    assert images.is_tensor
    assert images.labels.tolist() == list(range(len(array)))


@given(array=inputs())
@settings(max_examples=20)
def test_tables_of_lists_are_the_same(array: NDArray[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "any.parquet"
    array = array.astype(np.float32) if array.dtype.kind in "fb" else array
    labels = pa.array([row % 2 for row in range(len(array))])
    pq.write_table(pa.table({"inputs": pa.array(array.tolist(), _nested(array)), "label": labels}), file)
    same_numbers(get(file.parent, kind="parquet", path=file.name).images, array)


def _nested(array: NDArray[Any]) -> pa.DataType:
    kind = pa.from_numpy_dtype(array.dtype)
    for _ in range(array.ndim - 1):
        kind = pa.list_(kind)
    return kind


@pytest.mark.parametrize("keyed", [False, True])
@given(array=inputs())
@settings(max_examples=20)
def test_data_sets_of_code_are_the_same(keyed: bool, array: NDArray[Any]) -> None:
    rows: list[Any] = [(torch.from_numpy(np.array(example)), 0) for example in array]
    if keyed:
        rows = [
            {"input_ids": example.tolist(), "attention_mask": [1], "label": label} for example, label in rows
        ]
    source = CodeSource(kind="code", factory="a:b", values="tensor")
    images = read_dataset(rows, source, Path(), ImageShape(), name="mine")
    # Python's lists do not tell the width of a number.
    expected = array.astype(np.float32) if array.dtype.kind in "fb" else array
    same_numbers(images.images, expected)


def test_columns_of_numbers_become_a_vector_in_the_order_of_the_recipe(tmp_path: Path) -> None:
    table = pa.table({"age": [30, 40], "income": [1.5, 2.5], "label": ["yes", "no"], "town": ["a", "b"]})
    pq.write_table(table, tmp_path / "t.parquet")
    images = get(tmp_path, kind="parquet", path="t.parquet", inputs=["income", "age"])
    np.testing.assert_array_equal(images.images, np.array([[1.5, 30], [2.5, 40]], np.float32))
    assert [images.classes[label] for label in images.labels] == ["yes", "no"]
    whole = get(tmp_path, kind="parquet", path="t.parquet", inputs="age")
    np.testing.assert_array_equal(whole.images, np.array([[30], [40]], np.int64))


def test_decimals_are_numbers(tmp_path: Path) -> None:
    prices = pa.array([Decimal("1.50"), Decimal("-2.25")])
    pq.write_table(pa.table({"price": prices, "age": [3, 4], "label": [0, 1]}), tmp_path / "t.parquet")
    images = get(tmp_path, kind="parquet", path="t.parquet", inputs=["price", "age"])
    np.testing.assert_array_equal(images.images, np.array([[1.5, 3], [-2.25, 4]], np.float32))


@pytest.mark.parametrize(
    ("columns", "inputs", "message"),
    [
        ({"inputs": [[1, 2], [3]]}, "inputs", "row 1 has a list of 1, row 0 one of 2; cut or pad"),
        ({"inputs": [[1.0, None], [3.0, 4.0]]}, "inputs", "row 0 holds no number"),
        ({"a": [1, None], "b": [1, 2]}, ["a", "b"], "row 1 holds no number"),
        ({"a": [[1], [2]], "b": [1, 2]}, ["a", "b"], "a: holds lists; of several columns"),
        ({"a": ["x", "y"]}, "a", "holds string, not numbers"),
        ({"a": [1, 2]}, ["a", "c"], "c: is missing; there is a, label"),
    ],
)
def test_columns_that_are_no_inputs_are_refused(
    tmp_path: Path, columns: dict[str, Any], inputs: Any, message: str
) -> None:
    pq.write_table(pa.table({**columns, "label": [0, 1]}), tmp_path / "t.parquet")
    with pytest.raises(PlanError) as refused:
        get(tmp_path, kind="parquet", path="t.parquet", inputs=inputs)
    assert message in str(refused.value)


def test_few_bytes_that_unfold_to_many_numbers_are_refused(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array(np.zeros(10_000_000, np.int8)), "label": np.zeros(10_000_000, np.int8)})
    pq.write_table(table, tmp_path / "bomb.parquet")
    with pytest.raises(PlanError, match="would unfold"):
        get(tmp_path, kind="parquet", path="bomb.parquet", inputs="a")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([["a", "b"]]), "holds <U1, not numbers"),
        (np.zeros((2, 3), np.complex64), "holds complex64, not numbers"),
        (np.zeros((2, 0)), "has the shape (2, 0)"),
        (np.zeros(()), "has the shape ()"),
        (np.array([[0, 2**63]], np.uint64), "example 0 holds 9223372036854775808 at [1], which is too large"),
        (np.array([[1.0], [1e300]]), "example 1 holds 1e+300 at [0], which is too large for float32"),
    ],
)
def test_what_is_no_input_is_refused_with_its_place(array: NDArray[Any], message: str) -> None:
    with pytest.raises(PlanError) as refused:
        as_tensors(array, source="a.npz", field="inputs")
    assert message in str(refused.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_with_their_place(value: float) -> None:
    numbers = np.zeros((3, 2, 4), np.float32)
    numbers[2, 1, 3] = value
    data = LabelledImages(numbers, np.zeros(3, np.int64), ("a",), is_tensor=True)
    with pytest.raises(PlanError, match=rf"example 2 holds {value} at \[1, 3\], which is no finite number"):
        usable(data, name="a.npz")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "npz", "path": "a", "values": "tensor", "bits": 12}, "leave bits out"),
        ({"kind": "npz", "path": "a", "inputs": "x"}, "inputs goes with values: tensor"),
        ({"kind": "folder", "path": "a", "values": "tensor"}, "Extra inputs are not permitted"),
        ({"kind": "parquet", "path": "a", "values": "tensor", "inputs": ["a", "a"]}, "names a column twice"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(AnySource).validate_python(fields)


def test_recipes_of_images_are_written_as_before() -> None:
    source = TypeAdapter(AnySource).validate_python({"kind": "npz", "path": "a.npz"})
    assert isinstance(source, AnyInput)
    assert not {"values", "inputs"} & source.model_dump().keys()
