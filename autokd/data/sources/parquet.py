"""Tables of encoded images, or of numbers: Parquet, or the Arrow files of `datasets`' `save_to_disk`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from autokd.config.images import ImageShape
from autokd.config.sources import ParquetSource
from autokd.core.class_names import LONGEST
from autokd.core.regular_files import check_unfolded, in_words
from autokd.data.sources.arrow_stream import unfolded_bytes
from autokd.data.sources.decoding import Decoder, decode_all
from autokd.data.sources.labelled_images import (
    AnyInputs,
    LabelledImages,
    as_labels,
    checked_size,
    chosen_indices,
    labelled,
    named_labels,
    unlabelled,
    unreadable,
)
from autokd.data.sources.table_columns import features, input_columns, label_column
from autokd.data.sources.table_files import table_files
from autokd.data.sources.table_values import column_values
from autokd.data.sources.tensors import DENSEST, NUMBER_BYTES
from autokd.errors import PlanError

_DENSEST: Final = 32
"""How many times its size a file of encoded images may unfold to; they are packed already."""
_SMALLEST: Final = 16
"""Bytes of the smallest encoded image, about."""
_FEW_ROWS: Final = 10_000
_Part = tuple[Any, tuple[str, ...], str | None]
"""A table of the columns that are wanted, the names of those of inputs, and that of labels."""


def read(source: ParquetSource, base: Path, wanted: ImageShape, labels_needed: bool = True) -> LabelledImages:
    """Read the chosen rows of a data set; see `autokd.data.sources.read`."""
    files = table_files(source.path, base)
    size = sum(map(checked_size, files))
    tables = [_table(file, source, labels_needed) for file in files]
    table, inputs, label = _joined(tables, files)
    name = str(files[0]) if len(files) == 1 else str(files[0].parent)
    which = chosen_indices(source, base, table.num_rows)
    if not which.size:
        raise PlanError(source=name, problem="holds no example")
    declared = features(table.schema)
    (image, *_) = inputs
    mode = declared.get(image, {}).get("mode")
    decoder = Decoder.of(source, wanted, mode=mode if isinstance(mode, str) else None)

    def read_inputs() -> AnyInputs:
        if source.is_tensor:
            return column_values(table, inputs, which, source=name)
        column = table[image]
        contents = (
            (_bytes(column[row].as_py(), name, image, row), f"{name}: {image} {row}")
            for row in which.tolist()
        )
        return decode_all(contents, len(which), decoder, size=size)

    try:
        if label is None:
            raise PlanError(source=name, field=source.label, problem="is missing")
        labels, own = _labels(table, name, label, source.classes)
        own = own or declared.get(label, {}).get("names")
        own = own if isinstance(own, list) and own else None
        data = labelled(np.empty(0, dtype=np.uint8), labels, recipe=source.classes, own=own, source=name)
    except PlanError:
        if labels_needed:
            raise
        return unlabelled(read_inputs(), decoder.notes())
    return replace(data, images=read_inputs(), labels=labels[which], notes=decoder.notes())


def _table(file: Path, source: ParquetSource, labels_needed: bool) -> _Part:
    """Return the columns of inputs and labels of a file, with their names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Opened here, so that a path is no remote address.
        with file.open("rb") as opened:
            if file.suffix == ".arrow":
                return _of_stream(opened, file, source, labels_needed)
            parquet = pq.ParquetFile(opened)
            inputs, label = _columns(parquet.schema_arrow, source, file, labels_needed)
            names = [name for name in (*inputs, label) if name is not None]
            rows, unfolded = parquet.metadata.num_rows, _unfolded(parquet.metadata, names)
            if source.is_tensor:
                unfolded = max(unfolded, NUMBER_BYTES * _numbers(parquet.metadata, names))
            _check_size(file, rows, unfolded, source)
            # Values that stand in many rows are kept once, as the file has them.
            once = [path for name in names for path in _texts(parquet.schema_arrow.field(name))]
            parquet = pq.ParquetFile(opened, read_dictionary=once)
            return parquet.read(columns=names), inputs, label
    except (pa.ArrowException, ValueError, OverflowError, MemoryError, struct.error) as error:
        kind = "Arrow" if file.suffix == ".arrow" else "Parquet"
        way_out = "; pandas.read_csv(file).to_parquet(...) makes one" if file.suffix == ".csv" else ""
        raise PlanError(source=str(file), problem=f"is no {kind} file, or a damaged one{way_out}") from error
    except OSError as error:
        if error.errno is None:
            # An error of Arrow, e.g. for a page that cannot be unpacked.
            raise PlanError(source=str(file), problem="is a damaged Parquet file") from error
        raise unreadable(file, error) from error


def _of_stream(opened: BinaryIO, file: Path, source: ParquetSource, labels_needed: bool) -> _Part:
    import pyarrow as pa

    inputs, label = _columns(pa.ipc.open_stream(opened).schema, source, file, labels_needed)
    opened.seek(0)
    unfolded = unfolded_bytes(opened)
    _check_size(file, 0, unfolded, source)
    opened.seek(0)
    table = pa.ipc.open_stream(opened).read_all()
    _check_size(file, table.num_rows, unfolded, source)
    table = table.select([name for name in (*inputs, label) if name is not None])
    # A damaged file is found here and not while it is used.
    table.validate(full=True)
    return table, inputs, label


def _check_size(file: Path, rows: int, unfolded: int, source: ParquetSource) -> None:
    """Refuse a file that announces more rows, or more bytes, than a file of its size can hold of examples.

    Raises:
        PlanError: If it does.
    """
    size = checked_size(file)
    try:
        check_unfolded(size, unfolded, factor=DENSEST if source.is_tensor else _DENSEST)
    except ValueError as error:
        raise PlanError(source=str(file), problem=str(error)) from None
    if not source.is_tensor and rows > _FEW_ROWS + size // _SMALLEST:
        problem = f"has {rows} rows in {in_words(size)}: most of them must be the same image; it was not read"
        raise PlanError(source=str(file), problem=problem)


def _unfolded(metadata: Any, names: Sequence[str]) -> int:
    """Return the bytes of the pages of columns, as the file tells them; rows may share a value."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    columns = (group.column(number) for group in groups for number in range(group.num_columns))
    return sum(
        column.total_uncompressed_size
        for column in columns
        if column.path_in_schema.partition(".")[0] in names
    )


def _numbers(metadata: Any, names: Sequence[str]) -> int:
    """Return how many numbers columns hold, those in lists counted singly."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    columns = (group.column(number) for group in groups for number in range(group.num_columns))
    return sum(column.num_values for column in columns if column.path_in_schema.partition(".")[0] in names)


def _texts(field: Any, above: str = "") -> list[str]:
    """Return the paths of the columns of texts and bytes below a field."""
    import pyarrow as pa

    path, kind = above + field.name, field.type
    if pa.types.is_struct(kind):
        return [name for number in range(kind.num_fields) for name in _texts(kind.field(number), f"{path}.")]
    is_text = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_string, pa.types.is_large_string)
    return [path] if any(test(kind) for test in is_text) else []


def _columns(
    schema: Any, source: ParquetSource, file: Path, labels_needed: bool
) -> tuple[tuple[str, ...], str | None]:
    inputs = input_columns(schema, source, str(file))
    try:
        return inputs, label_column(schema, source, str(file), inputs)
    except PlanError:
        if labels_needed:
            raise
        return inputs, None


def _joined(tables: Sequence[_Part], files: Sequence[Path]) -> _Part:
    """Return the rows of several files as one table.

    Raises:
        PlanError: If they do not have the same columns and classes.
    """
    import pyarrow as pa

    first, inputs, label = tables[0]
    declared = features(first.schema)
    for (other, *columns), file in zip(tables[1:], files[1:], strict=True):
        if columns != [inputs, label] or features(other.schema).get(label or "") != declared.get(label or ""):
            problem = f"has other columns or classes than {files[0].name}"
            raise PlanError(source=str(file), problem=problem)
    try:
        joined = pa.concat_tables([table for table, _, _ in tables], promote_options="permissive")
    except pa.ArrowException as error:
        problem = f"has columns of other types than {files[0].name}"
        raise PlanError(source=str(files[1]), problem=problem) from error
    return joined.replace_schema_metadata(first.schema.metadata), inputs, label


def _bytes(value: object, name: str, column: str, row: int) -> bytes:
    if isinstance(value, dict):
        value = value.get("bytes")
    if not isinstance(value, bytes):
        problem = f"row {row} holds no bytes of an image (a path alone is not followed)"
        way_out = "save the files' bytes, or read their folder with kind: folder"
        if isinstance(value, list):
            way_out = f"numbers are read with values: tensor and inputs: {column}, or from an archive (npz)"
        raise PlanError(source=name, field=column, problem=f"{problem}; {way_out}")
    return value


def _labels(
    table: Any, name: str, column: str, classes: Sequence[str] | None
) -> tuple[Any, list[str] | None]:
    """Return the label of each row, and the names of classes if labels are names: `classes`, or sorted."""
    _check_length(table[column], name, column)
    values = table[column].to_pylist()
    if None in values:
        raise PlanError(source=name, field=column, problem=f"row {values.index(None)} has no label")
    if values and all(isinstance(value, str) for value in values):
        return named_labels(values, classes, source=name, field=column)
    try:
        array = np.array([float(value) if isinstance(value, Decimal) else value for value in values])
    except (ValueError, OverflowError) as error:
        raise PlanError(source=name, field=column, problem="holds no labels") from error
    if array.dtype == object:
        problem = (
            f"holds {table[column].type}, neither numbers nor names; save the number of each class, from 0"
        )
        raise PlanError(source=name, field=column, problem=problem)
    return as_labels(array, source=name, field=column, count=table.num_rows), None


def _check_length(values: Any, name: str, column: str) -> None:
    """Refuse labels that are too long for names, before each row has one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for chunk in values.chunks:
        texts = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
        if len(_texts(pa.field(column, texts.type))) and len(texts):
            longest = pc.max(pc.binary_length(texts)).as_py() or 0
            if longest > 4 * LONGEST:
                problem = f"holds a text of {longest} bytes, which is no class name"
                raise PlanError(source=name, field=column, problem=problem)
