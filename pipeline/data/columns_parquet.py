"""Columns of a parquet file. Needs pyarrow, which is imported only here and when it is used."""

import importlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, HostError
from .arrays import create
from .column import DTYPES, Column, Kind, allocate, not_finite, not_text, require
from .inflation import require_plausible

_BATCH = 65_536
"""Rows that are in memory as Arrow arrays at a time."""


def _open(path: Path) -> tuple[Any, Any]:
    """The module pyarrow, and the opened file."""
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise HostError(
            "parquet files need pyarrow, which is not installed",
            where=str(path),
            fix="pip install 'edgestill[table]', or save the file as .csv",
        ) from None
    if not path.is_file():
        raise FileNotFoundError
    return arrow, parquet.ParquetFile(path)


def _kind_of(arrow: Any, kind: Any) -> tuple[Kind, tuple[int, ...] | None]:
    types = arrow.types
    if types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind):
        inner, shape = _kind_of(arrow, kind.value_type)
        return (inner if inner in DTYPES and shape == () else "other"), None
    if types.is_integer(kind) or types.is_boolean(kind):
        return "int", ()
    if types.is_floating(kind):
        return "float", ()
    if types.is_dictionary(kind):
        return _kind_of(arrow, kind.value_type)
    text = types.is_string(kind) or types.is_large_string(kind)
    return ("text" if text else "other"), ()


def describe(path: Path) -> dict[str, Column]:
    """The columns of a file, from its schema.

    Raises:
        DataError: no rows, or two columns of one name.
        HostError: pyarrow is not installed.
    """
    arrow, file = _open(path)
    rows = file.metadata.num_rows
    if rows == 0:
        raise DataError("a schema and no rows", where=str(path))
    columns = {}
    for field in file.schema_arrow:
        if field.name in columns:
            raise DataError(f"two columns named {field.name!r}", where=str(path), fix="rename one")
        kind, shape = _kind_of(arrow, field.type)
        columns[field.name] = Column(kind, str(field.type), rows, shape)
    return columns


def _batches(
    path: Path, names: Sequence[str], gaps: Collection[str] = ()
) -> Iterator[tuple[int, list[Any]]]:
    """The first row and the columns of each batch; a missing value is an error without gaps."""
    arrow, file = _open(path)
    start = 0
    for batch in file.iter_batches(batch_size=_BATCH, columns=list(names)):
        columns = [batch.column(batch.schema.get_field_index(name)) for name in names]
        for name, column in zip(names, columns, strict=True):
            if column.null_count and name not in gaps:
                row = start + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
                raise not_finite(path, name, f"no value in row {row} (from 0)")
        is_coded = arrow.types.is_dictionary
        yield start, [c.dictionary_decode() if is_coded(c.type) else c for c in columns]
        start += len(batch)


def read(path: Path, folder: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Arrays of some columns; numbers are memory-mapped below a folder.

    Raises:
        DataError: a missing value, or lists of unequal length.
    """
    rows = max((column.rows for column in columns.values()), default=0)
    require_plausible(path.stat().st_size, 8 * rows * len(columns), str(path), folder)
    arrays = allocate(folder, columns)
    texts: dict[str, list[NDArray[Any]]] = {}
    gaps = {name for name, column in columns.items() if column.gaps}
    for start, batch in _batches(path, list(columns), gaps):
        for i, (name, column) in enumerate(columns.items()):
            part = batch[i]
            if column.kind == "text":
                values = [value or "" for value in part.to_pylist()]
                texts.setdefault(name, []).append(np.array(values, dtype=np.str_))
                continue
            flat = part if column.shape == () else part.flatten()
            if flat.null_count and not column.gaps:
                raise not_finite(path, name, "a list with a missing value")
            plain = flat.cast(DTYPES[column.kind].name.replace("float64", "double"))
            numbers = plain.to_numpy(zero_copy_only=False)
            if column.shape is None:
                numbers = _as_matrix(path, name, part, numbers)
                if name not in arrays:
                    shape = (column.rows, numbers.shape[1])
                    arrays[name] = create(folder / f"list{i}.npy", numbers.dtype, shape)
                if numbers.shape[1] != arrays[name].shape[1]:
                    raise _unequal_lengths(path, name)
            arrays[name][start : start + len(part)] = numbers
    return {
        name: np.concatenate(texts[name]) if name in texts else arrays[name] for name in columns
    }


def _as_matrix(path: Path, name: str, lists: Any, numbers: NDArray[Any]) -> NDArray[Any]:
    """Lists of one length as a matrix [rows, length]."""
    compute = importlib.import_module("pyarrow.compute")
    lengths = compute.list_value_length(lists).to_numpy(zero_copy_only=False)
    if lengths.min() != lengths.max() or lengths[0] == 0:
        raise _unequal_lengths(path, name)
    return numbers.reshape(len(lists), -1)


def _unequal_lengths(path: Path, name: str) -> DataError:
    return DataError(
        found=f"column {name!r} of lists that differ in length or are empty",
        expected="as many numbers in every row",
        where=str(path),
    )


def strings(path: Path, name: str, _: Path) -> Iterator[list[str]]:
    """One column as text, batch by batch.

    Raises:
        DataError: no such column, or one without text.
    """
    columns = describe(path)
    require(columns, name, str(path))
    if columns[name].kind != "text":
        raise not_text(path, name, columns[name])
    for _start, (part,) in _batches(path, [name]):
        yield part.to_pylist()
