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


def encode(
    ys: Mapping[str, NDArray[Any]], names: Sequence[str], where: str
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Labels as 0 … classes-1 and the class names.

    Text labels are numbered in sorted order (or in the order of ``names``); whole numbers stand for
    themselves.

    Raises:
        DataError: negative, fractional, unnamed or too few classes.
    """
    kinds = {y.dtype.kind for y in ys.values()}
    if kinds <= {"U", "S"}:
        texts = {split: _text(y, split, where) for split, y in ys.items()}
        known = list(names) or sorted({str(t) for y in texts.values() for t in np.unique(y)})
        place = {name: i for i, name in enumerate(known)}
        for split, words in texts.items():
            for row, text in enumerate(words):
                if str(text) not in place:
                    raise DataError(
                        found=f"label {str(text)!r} in row {row} of {split}",
                        expected=f"one of {known[:8]}",
                        where=where,
                    )
        coded = {s: np.array([place[str(t)] for t in y], np.int64) for s, y in texts.items()}
    else:
        coded = {split: _whole(y, split, where) for split, y in ys.items()}
        top = max(int(y.max()) for y in coded.values())
        known = list(names) or [str(i) for i in range(top + 1)]
        if top >= len(known):
            split, y = next((s, y) for s, y in coded.items() if y.max() >= len(known))
            row = int(np.argmax(y >= len(known)))
            raise DataError(
                found=f"label {int(y[row])} in row {row} of {split}",
                expected=f"0 to {len(known) - 1}, as there are {len(known)} labels",
                where=where,
            )
    if len(set(known)) != len(known):
        raise DataError(found="the same label twice", where="data.labels")
    if len(known) < 2:
        raise DataError(found="one class", expected="at least two", where=where)
    return coded, tuple(known)


def _text(y: NDArray[Any], split: str, where: str) -> NDArray[np.str_]:
    try:
        return np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y
    except UnicodeDecodeError as error:
        raise DataError(f"labels of {split} that are not UTF-8 ({error})", where=where) from None


def _whole(y: NDArray[Any], split: str, where: str) -> NDArray[np.int64]:
    if y.dtype.kind not in "iufb":
        raise DataError(
            found=f"y of dtype {y.dtype}", expected="whole numbers or text", where=where
        )
    values = np.asarray(y, dtype=np.float64)
    bad = ~(np.isfinite(values) & (values >= 0) & (values == np.floor(values)))
    bad |= values > 1e6
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            found=f"label {y[row]} in row {row} of {split}",
            expected="whole numbers from 0 to the number of classes less one",
            where=where,
        )
    return values.astype(np.int64)


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
