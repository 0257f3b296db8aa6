"""Recorded answers in a parquet file.

    >>> read(Path("logits.parquet"), scratch, ()).form                       # doctest: +SKIP
    'logits'

Needs pyarrow, which is imported only when it is used.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, HostError
from ..data.arrays import create
from ..data.inflation import require_plausible
from .recorded_csv import CLASS, CONFIDENCE
from .recorded_forms import Form, Read, spread

BLOCK = 65_536
"""Rows that are in memory at a time."""
LISTS: dict[str, Form] = {"logits": "logits", "probabilities": "probabilities"}
"""List columns by name, and what their numbers are."""


def read(path: Path, folder: Path, labels: tuple[str, ...]) -> Read:
    """Unpack a file's logits to a folder, block by block.

    Args:
        path: has a column ``id`` and either a list column ``logits`` or ``probabilities``, columns
            of numbers, or ``label`` and ``confidence``.
        folder: to unpack to.
        labels: class names; columns with these names are used, in this order.

    Raises:
        DataError: unreadable, without these columns, or with lists of unequal length.
        HostError: pyarrow is not installed.
    """
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise HostError(
            "no library that reads parquet",
            where=str(path),
            fix="pip install 'edgestill[table]', or save the logits as .npz",
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            chosen = _columns(file.schema_arrow, labels, str(path))
            if chosen == (CLASS, CONFIDENCE):
                return _confident(file, labels, str(path))
            logits_bytes = 4 * file.metadata.num_rows * len(chosen)
            require_plausible(path.stat().st_size, logits_bytes, str(path), folder)
            return _unpacked(file, chosen, folder, str(path))
    except (arrow.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise DataError(f"not a readable parquet file ({reason})", where=str(path)) from None


def _columns(schema: Any, labels: tuple[str, ...], where: str) -> tuple[str, ...]:
    """The columns of answers: one of lists, of a class and its confidence, or those of numbers.

    Columns of numbers come in the classes' order where they have the classes' names.
    """
    kinds = importlib.import_module("pyarrow.types")

    listed = [f.name for f in schema if _is_list(f.type) and f.name in LISTS]
    numbers = [
        f.name
        for f in schema
        if f.name != "id" and (kinds.is_floating(f.type) or kinds.is_integer(f.type))
    ]
    if "id" not in schema.names or not (numbers or listed):
        raise DataError(
            found=f"columns {list(schema.names)[:8]}",
            expected="'id', and a list column 'logits' or 'probabilities', a column of numbers for "
            f"each class, or '{CLASS}' and '{CONFIDENCE}'",
            where=where,
            fix="the order of rows identifies nothing: save the samples' ids with their logits",
        )
    for name in LISTS:
        if name in listed:
            return (name,)
    if labels and set(labels) <= set(numbers):
        return labels
    return (CLASS, CONFIDENCE) if {CLASS, CONFIDENCE} <= {*schema.names} else tuple(numbers)


def _confident(file: Any, labels: tuple[str, ...], where: str) -> Read:
    """A class and the confidence in it; a row may lack either."""
    table = file.read(columns=["id", CLASS, CONFIDENCE])
    classes, confidence = (table.column(name).to_pylist() for name in (CLASS, CONFIDENCE))
    ids = _ids_of(table.column("id").combine_chunks(), 0, where)
    return spread(
        np.array(["" if one is None else str(one) for one in classes], np.str_),
        np.array([np.nan if one is None else one for one in confidence]),
        labels,
        ids,
        where,
    )


def _is_list(kind: Any) -> bool:
    kinds = importlib.import_module("pyarrow.types")

    return any(
        check(kind) for check in (kinds.is_list, kinds.is_large_list, kinds.is_fixed_size_list)
    )


def _unpacked(file: Any, columns: tuple[str, ...], folder: Path, where: str) -> Read:
    stored: NDArray[Any] | None = None
    names: list[NDArray[Any]] = []
    start = 0
    for batch in file.iter_batches(BLOCK, columns=["id", *columns]):
        block = _block(batch, columns, start, where)
        width = block.shape[1]
        if stored is None:
            total = file.metadata.num_rows
            stored = create(folder / "logits.npy", np.float32, (total, width))
        if width != stored.shape[1]:
            raise DataError(
                found=f"lists of {width} numbers from row {start} on",
                expected=f"{stored.shape[1]}, as before",
                where=where,
            )
        stored[start : start + len(block)] = block
        names.append(_ids_of(batch.column("id"), start, where))
        start += len(block)
    if stored is None:
        raise DataError("no rows", where=where)
    form = LISTS.get(columns[0], "numbers") if len(columns) == 1 else "numbers"
    named = () if len(columns) == 1 and columns[0] in LISTS else columns
    return Read(np.concatenate(names), stored, named, form)


def _ids_of(column: Any, start: int, where: str) -> NDArray[Any]:
    _refuse_nulls(column, "id", start, where)
    ids: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return ids.astype(np.str_) if ids.dtype.kind == "O" else ids


def _refuse_nulls(column: Any, name: str, start: int, where: str) -> None:
    if column.null_count:
        row = start + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError(f"nothing in column {name!r} of row {row}", where=where)


def _block(batch: Any, columns: tuple[str, ...], start: int, where: str) -> NDArray[np.float32]:
    for name in columns:
        _refuse_nulls(batch.column(name), name, start, where)
    if not _is_list(batch.schema.field(columns[0]).type):
        arrays = [batch.column(name).to_numpy(zero_copy_only=False) for name in columns]
        return np.stack([float32(array) for array in arrays], axis=1)
    lists = batch.column(columns[0])
    flat = lists.flatten()
    _refuse_nulls(flat, f"{columns[0]} (in a list)", start, where)
    lengths = np.asarray(lists.value_lengths().to_numpy(zero_copy_only=False))
    if (lengths != lengths[0]).any() or not lengths[0]:
        row = int(np.flatnonzero((lengths != lengths[0]) | (lengths == 0))[0])
        raise DataError(
            found=f"a list of {int(lengths[row])} numbers in row {start + row}",
            expected=f"{int(lengths[0]) or 'some'}, as in the rows before",
            where=where,
        )
    values = flat.to_numpy(zero_copy_only=False)
    if values.dtype.kind not in "fiu":
        raise DataError("lists of other things than numbers", where=where)
    return float32(values).reshape(len(lists), -1)


def float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Numbers as float32; those outside its range become infinity, without a warning."""
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float32)
