"""Checks of a data set before any training. Every error names the row, column or class."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..records import Layout

CHUNK = 1 << 20
"""Numbers that are processed at a time: 8 MiB as float64."""
_INPUT_DTYPES = ("uint8", "int16", "float32")
"""Dtypes that a model's input may have; other numbers become float32."""


def chunks(rows: int, width: int) -> Iterator[slice]:
    """Slices that cover all rows of ``width`` numbers each, for work in constant memory."""
    step = max(1, CHUNK // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def input_dtype(x: NDArray[Any], where: str) -> np.dtype[Any]:
    """The dtype of the model's input.

    Raises:
        DataError: not numbers.
    """
    if x.dtype.name in _INPUT_DTYPES:
        return x.dtype
    if x.dtype.kind in "iuf":
        return np.dtype(np.float32)
    if x.dtype.kind == "b":
        return np.dtype(np.uint8)
    raise DataError(found=f"dtype {x.dtype}", expected="numbers", where=where)


def samples(x: NDArray[Any], where: str) -> None:
    """Refuse samples that are empty, of the wrong rank or not finite.

    Raises:
        DataError: names the first row and column with an unfit value.
    """
    if x.ndim < 2:
        raise DataError(
            found=f"x of shape {x.shape}",
            expected="one row per sample, at least [n, 1]",
            where=where,
        )
    if x.size == 0:
        raise DataError(found=f"no samples (x has shape {x.shape})", where=where)
    input_dtype(x, where)
    if x.dtype.kind != "f":
        return
    for rows in chunks(len(x), x[0].size):
        part = np.asarray(x[rows], dtype=np.float64)
        # A float64 outside the range of float32 would become infinite in the model's input.
        bad = ~(np.abs(part) <= np.finfo(np.float32).max)
        if bad.any():
            row, *index = (int(i) for i in np.argwhere(bad)[0])
            column = index[0] if len(index) == 1 else index
            raise DataError(
                found=f"{part[(row, *index)]} in row {rows.start + row}, column {column}",
                expected="finite float32 numbers",
                where=where,
                fix="clean or impute that value",
            )


def layout(x: NDArray[Any], wanted: str) -> Layout:
    """The meaning of the axes of one sample.

    Args:
        x: samples.
        wanted: a layout, or ``auto`` to find it by rank and number of channels.

    Raises:
        DataError: the rank does not fit, or the channel axis is ambiguous.
    """
    ranks: dict[str, int] = {"table": 2, "tokens": 2, "hw": 3, "tc": 3, "hwc": 4, "chw": 4}
    if wanted != "auto":
        if x.ndim != ranks[wanted]:
            raise DataError(
                found=f"samples of shape {list(x.shape[1:])}",
                expected=f"{ranks[wanted] - 1} axes per sample for layout {wanted!r}",
                where="data.layout",
            )
        return wanted  # type: ignore[return-value]
    if x.ndim == 2:
        return "table"
    if x.ndim == 3:
        rows, columns = x.shape[1:]
        if rows != columns:
            raise DataError(
                found=f"samples of shape [{rows}, {columns}], which may be windows of {rows} steps "
                f"with {columns} channels, or greyscale images of {rows} by {columns}",
                expected="the meaning of their axes",
                where="data.layout",
                fix='set layout = "tc" (windows: time, channels) or layout = "hw" (images: height, '
                "width) in [data]; transpose windows that have their channels first",
            )
        return "hw"
    if x.ndim == 4:
        first, last = x.shape[1] in (1, 3, 4), x.shape[3] in (1, 3, 4)
        if last and not first:
            return "hwc"
        if first and not last:
            return "chw"
    raise DataError(
        found=f"samples of shape {list(x.shape[1:])}, whose axes are ambiguous",
        where="data.layout",
        fix='set layout = "hwc" or "chw" in [data]; flatten other shapes to tables',
    )


def every_class_everywhere(
    counts: Mapping[str, Sequence[int]], labels: Sequence[str], where: str
) -> None:
    """Refuse a class without samples in a split.

    Raises:
        DataError: names the class and the split.
    """
    for split, per_class in counts.items():
        missing = [labels[i] for i, n in enumerate(per_class) if n == 0]
        if missing:
            raise DataError(
                found=f"no sample of class {', '.join(map(repr, missing[:5]))} in {split}",
                expected=f"all {len(labels)} classes in every split",
                where=where,
                fix=f"add samples or give {split} a larger fraction in [data]",
            )
