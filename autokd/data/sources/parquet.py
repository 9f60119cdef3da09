"""Parquet with encoded images, as Hugging Face's data sets have them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autokd.config.external import ImageShape, ParquetSource
from autokd.data.sources.decoding import decode_all
from autokd.data.sources.labelled_images import (
    LabelledImages,
    as_labels,
    chosen_indices,
    class_names,
    unreadable,
)
from autokd.errors import PlanError


def read(source: ParquetSource, base: Path, wanted: ImageShape) -> LabelledImages:
    """Read the chosen rows of a table; see `autokd.data.sources.read`."""
    file = base / Path(source.path).expanduser()
    table = _table(file, source)
    which = chosen_indices(source, base, table.num_rows)
    labels, own = _labels(table, file, source.label)
    if not which.size:
        raise PlanError(source=str(file), problem="holds no example")
    column = table[source.image]
    contents = (
        (_bytes(column[row].as_py(), file, source.image, row), f"{file}: {source.image} {row}")
        for row in which.tolist()
    )
    images = decode_all(contents, len(which), wanted)
    return LabelledImages(
        images=images, labels=labels[which], classes=class_names(labels, source.classes, own)
    )


def _table(file: Path, source: ParquetSource) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Opened here, so that a path is neither a folder of several files nor a remote address.
        with file.open("rb") as opened:
            parquet = pq.ParquetFile(opened)
            columns = parquet.schema_arrow.names
            for name in (source.image, source.label):
                if name not in columns:
                    problem = f"is missing; there is {', '.join(columns) or 'nothing'}"
                    raise PlanError(source=str(file), field=name, problem=problem)
            return parquet.read(columns=[source.image, source.label])
    except (pa.ArrowException, ValueError, OverflowError, MemoryError) as error:
        raise PlanError(source=str(file), problem="is no Parquet file, or a damaged one") from error
    except OSError as error:
        if error.errno is None:
            # An error of Arrow, e.g. for a page that cannot be unpacked.
            raise PlanError(source=str(file), problem="is a damaged Parquet file") from error
        raise unreadable(file, error) from error


def _bytes(value: object, file: Path, column: str, row: int) -> bytes:
    if isinstance(value, dict):
        value = value.get("bytes")
    if not isinstance(value, bytes):
        problem = f"row {row} holds no bytes of an image (a path alone is not followed)"
        raise PlanError(source=str(file), field=column, problem=problem)
    return value


def _labels(table: Any, file: Path, column: str) -> tuple[Any, Sequence[str] | None]:
    values = table[column].to_pylist()
    if None in values:
        raise PlanError(source=str(file), field=column, problem=f"row {values.index(None)} has no label")
    if values and all(isinstance(name, str) for name in values):
        names = sorted(set(values))
        return np.array([names.index(name) for name in values], dtype=np.int64), names
    try:
        array = np.array(values)
    except (ValueError, OverflowError) as error:
        raise PlanError(source=str(file), field=column, problem="holds no labels") from error
    return as_labels(array, source=str(file), field=column, count=table.num_rows), _names(table, column)


def _names(table: Any, column: str) -> Sequence[str] | None:
    """Return the class names that Hugging Face's `datasets` writes beside the columns."""
    try:
        info = json.loads((table.schema.metadata or {})[b"huggingface"])
        names = info["info"]["features"][column]["names"]
    except (LookupError, ValueError, TypeError):
        return None
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return names if len(set(names)) == len(names) else None
    return None
