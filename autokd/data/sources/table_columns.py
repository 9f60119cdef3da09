"""Which columns of a data set of Hugging Face hold images and labels, and what is said beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from autokd.config.sources import ParquetSource
from autokd.errors import PlanError

Features = Mapping[str, Mapping[str, Any]]
"""What `datasets` writes of each column: its type, names of classes, mode of images."""


def features(schema: Any) -> Features:
    """Return what is written of the columns beside an Arrow schema; nothing if it is not of `datasets`."""
    try:
        declared = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (LookupError, ValueError, TypeError, RecursionError):
        return {}
    if not isinstance(declared, dict):
        return {}
    return {str(name): feature for name, feature in declared.items() if isinstance(feature, dict)}


def image_column(schema: Any, source: ParquetSource, file: str) -> str:
    """Return the column that holds the images: the named one, or else the only one of that kind.

    Raises:
        PlanError: If there is none, or the choice is in doubt.
    """
    declared = features(schema)
    images = [name for name in schema.names if declared.get(name, {}).get("_type") == "Image"]
    encoded = [name for name in schema.names if _is_encoded(schema.field(name).type)]
    return _column(schema, source.image, "image", images or encoded, file)


def input_columns(schema: Any, source: ParquetSource, file: str) -> tuple[str, ...]:
    """Return the columns that hold the inputs: that of images, or those that the source names for tensors.

    Raises:
        PlanError: If there is none, or the choice is in doubt.
    """
    if not source.is_tensor:
        return (image_column(schema, source, file),)
    names = (source.inputs,) if isinstance(source.inputs, str) else source.inputs
    for name in names:
        _column(schema, name, "inputs", [], file)
    if source.label in names:
        raise PlanError(source=file, field=source.label, problem="is a column of inputs and that of labels")
    return names


def label_column(schema: Any, source: ParquetSource, file: str, inputs: tuple[str, ...]) -> str:
    """Return the column that holds the labels: the named one, or else the only one of that kind.

    Raises:
        PlanError: If there is none, or the choice is in doubt.
    """
    declared = features(schema)
    classes = [name for name in schema.names if declared.get(name, {}).get("_type") == "ClassLabel"]
    others = [name for name in schema.names if name not in inputs and _is_label(schema.field(name).type)]
    return _column(schema, source.label, "label", classes or others, file)


def _column(schema: Any, named: str, usual: str, candidates: list[str], file: str) -> str:
    if named in schema.names:
        if schema.names.count(named) > 1:
            raise PlanError(source=file, field=named, problem="is the name of two columns")
        return named
    if named == usual and len(candidates) == 1 and schema.names.count(candidates[0]) == 1:
        return candidates[0]
    there = ", ".join(schema.names[:20]) or "nothing"
    choice = " or ".join(candidates[:5]) if len(candidates) > 1 else "the name of its column"
    way_out = f"; say {usual}: {choice}"
    raise PlanError(source=file, field=named, problem=f"is missing; there is {there}{way_out}")


def _is_encoded(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(kind.field(number).name == "bytes" for number in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_label(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind))
