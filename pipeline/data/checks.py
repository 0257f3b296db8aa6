"""What a data set must be before hours are spent on it; each refusal names row, column or class."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..records import Layout

CHUNK = 1 << 20
"""Numbers looked at in one go: 8 MiB as float64."""
_KEPT = ("uint8", "int16", "float32")
"""Dtypes a model's input may have as they are; others are widened or narrowed to float32."""


def chunks(rows: int, width: int) -> Iterator[slice]:
    """Slices that cover the rows of ``width`` numbers each, so that memory use stays flat."""
    step = max(1, CHUNK // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def input_dtype(x: NDArray[Any], where: str) -> np.dtype[Any]:
    """The dtype the model's input will have.

    Raises:
        DataError: not numbers.
    """
    if x.dtype.name in _KEPT:
        return x.dtype
    if x.dtype.kind in "iuf":
        return np.dtype(np.float32)
    if x.dtype.kind == "b":
        return np.dtype(np.uint8)
    raise DataError(found=f"dtype {x.dtype}", expected="numbers", where=where)


def samples(x: NDArray[Any], where: str) -> None:
    """Refuse what is empty, of the wrong rank or not finite.

    Raises:
        DataError: names the first offending row and column.
    """
    if x.ndim < 2:
        raise DataError(
            found=f"x of shape {x.shape}", expected="one row a sample, at least [n, 1]", where=where
        )
    if x.size == 0:
        raise DataError(found=f"no samples (x has shape {x.shape})", where=where)
    input_dtype(x, where)
    if x.dtype.kind != "f":
        return
    for rows in chunks(len(x), x[0].size):
        part = np.asarray(x[rows], dtype=np.float64)
        # A float64 that float32 cannot hold would become infinite on its way to the model.
        bad = ~(np.abs(part) <= np.finfo(np.float32).max)
        if bad.any():
            row, *column = (int(i) for i in np.argwhere(bad)[0])
            place = column[0] if len(column) == 1 else column
            raise DataError(
                found=f"{part[(row, *column)]} in row {rows.start + row}, column {place}",
                expected="finite float32 numbers",
                where=where,
                fix="clean or impute that value",
            )


def layout(x: NDArray[Any], asked: str) -> Layout:
    """What the axes of one sample mean.

    Raises:
        DataError: the rank does not fit, or the channel axis cannot be told.
    """
    ranks: dict[str, int] = {"table": 2, "tokens": 2, "hw": 3, "tc": 3, "hwc": 4, "chw": 4}
    if asked != "auto":
        if x.ndim != ranks[asked]:
            raise DataError(
                found=f"samples of shape {list(x.shape[1:])}",
                expected=f"{ranks[asked] - 1} axes a sample for layout {asked!r}",
                where="data.layout",
            )
        return asked  # type: ignore[return-value]
    if x.ndim == 2:
        return "table"
    if x.ndim == 3:
        return "hw"
    if x.ndim == 4:
        first, last = x.shape[1] in (1, 3, 4), x.shape[3] in (1, 3, 4)
        if last and not first:
            return "hwc"
        if first and not last:
            return "chw"
    raise DataError(
        found=f"samples of shape {list(x.shape[1:])}, whose axes could mean several things",
        where="data",
        fix='say layout = "hwc" or "chw" in [data]; flatten other shapes to tables',
    )


def every_class_everywhere(
    counts: Mapping[str, Sequence[int]], labels: Sequence[str], where: str
) -> None:
    """Refuse a class that misses a split.

    Raises:
        DataError: names the class and the split.
    """
    for split, per_class in counts.items():
        missing = [labels[i] for i, n in enumerate(per_class) if n == 0]
        if missing:
            raise DataError(
                found=f"no sample of class {', '.join(map(repr, missing[:5]))} in {split}",
                expected=f"every one of the {len(labels)} classes in every split",
                where=where,
                fix=f"bring more samples or give {split} a larger fraction in [data]",
            )
