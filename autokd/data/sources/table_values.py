"""Tensors in tables: a column of lists of numbers, or several columns of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autokd.data.sources.tensors import Tensors, as_tensors
from autokd.errors import PlanError


def column_values(table: Any, names: Sequence[str], rows: NDArray[np.int64], *, source: str) -> Tensors:
    """Return the inputs in some rows of an Arrow table, shape (n, ...).

    One column holds numbers or lists of numbers, which may be nested; several hold numbers, which become a
    vector in the order of `names`.

    Raises:
        PlanError: If a column holds something else, lists of several lengths, or nothing in a row.
    """
    columns = [_array(table[name], name, source) for name in names]
    if len(columns) == 1:
        return as_tensors(columns[0][rows], source=source, field=names[0])
    for name, column in zip(names, columns, strict=True):
        if column.ndim > 1:
            problem = "holds lists; of several columns each holds one number in a row"
            raise PlanError(source=source, field=name, problem=problem)
    return as_tensors(np.stack(columns, axis=1)[rows], source=source, field=", ".join(names[:3]))


def _array(column: Any, name: str, source: str) -> NDArray[Any]:
    """Return a column of an Arrow table as an array, a further axis for each depth of its lists."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def refused(problem: str) -> PlanError:
        return PlanError(source=source, field=name, problem=problem)

    values = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.float32())
    shape = [len(values)]
    while True:
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        if values.null_count:
            empty = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
            row = empty // max(1, int(np.prod(shape[1:])))
            raise refused(f"row {row} holds no number where one is wanted; fill in what is missing")
        if not isinstance(values, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
            break
        lengths = pc.list_value_length(values).to_numpy(zero_copy_only=False)
        first = int(lengths[0]) if len(lengths) else 1
        odd = int((lengths != first).argmax()) if len(lengths) else 0
        if len(lengths) and lengths[odd] != first:
            row = odd // max(1, int(np.prod(shape[1:])))
            raise refused(
                f"row {row} has a list of {lengths[odd]}, row 0 one of {first}; cut or pad all to one length"
            )
        shape.append(first)
        values = values.flatten()
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.dictionary_decode()
        kind = values.type
    if pa.types.is_decimal(kind):
        values = values.cast(pa.float64())
        kind = values.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise refused(f"holds {kind}, not numbers or lists of numbers; make numbers of it, or leave it out")
    array: NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(shape)
    return array
