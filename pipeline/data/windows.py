"""Windows of consecutive rows of a table as samples.

>>> cut([np.array(["a", "a", "a", "b", "b"])], rows=5, size=2, stride=1).starts
array([0, 1, 3])
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .. import tasks
from ..printable import how_many
from ..recipe.data import Data
from ..tasks.labels import Window
from .arrays import create
from .checks import chunks
from .split_files import SplitArrays


class Cuts(NamedTuple):
    """Where windows begin.

    Attributes:
        order: row numbers, group by group; the rows of a group keep their order. int64 [n].
        starts: the first row of each window, as an index into ``order``, int64 [windows].
        short: number of runs that are shorter than a window. A run is the rows of a group, or those
            of one split within a group.
        left: number of rows after the last window of their run, without the rows of short runs.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    short: int
    left: int


def cut(keys: Collection[NDArray[Any]], rows: int, size: int, stride: int) -> Cuts:
    """Cut windows of consecutive rows that have the same keys.

    Args:
        keys: arrays [rows] whose values are constant within a window: the first one groups the
            rows, the others only end a run.
        rows: of the table.
        size: rows of a window.
        stride: rows from the start of one window to the start of the next.
    """
    order = np.arange(rows, dtype=np.int64)
    codes = []
    for key in keys:
        _, first, code = np.unique(key, return_index=True, return_inverse=True)
        codes.append(first[code])  # the first row with this key, so that groups keep their order
    if codes:
        order = np.argsort(codes[0], kind="stable").astype(np.int64)
    ends_run = np.zeros(max(0, rows - 1), dtype=bool)
    for code in codes:
        ends_run |= np.diff(code[order]) != 0
    run_starts = np.concatenate([[0], np.flatnonzero(ends_run) + 1])
    lengths = np.diff(np.append(run_starts, rows))
    counts = np.where(lengths >= size, (lengths - size) // stride + 1, 0)
    index_in_run = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.repeat(run_starts, counts) + index_in_run * stride
    used = np.where(counts > 0, np.minimum(lengths, (counts - 1) * stride + size), lengths)
    short, left = int((counts == 0).sum()), int((lengths - used).sum())
    return Cuts(order, starts.astype(np.int64), short, left)


def windowed(
    arrays: SplitArrays, size: int, stride: int, data: Data, folder: Path, notes: list[str]
) -> SplitArrays:
    """Arrays whose samples are windows of the given rows.

    The id and the group of a window are those of its first row.

    Args:
        arrays: of a split, x [n, columns].
        size: rows of a window.
        stride: rows from the start of one window to the start of the next.
        data: the recipe's section, for its task.
        folder: to make, for the memory map of x [windows, size, columns].
        notes: gets a sentence about rows that are in no window.

    Raises:
        DataError: no run is as long as a window.
    """
    rows = len(arrays["x"])
    has_groups = "group" in arrays
    keys = [arrays[key] for key in ("group", "split") if key in arrays]
    if keys and not has_groups:  # a split alone ends runs but moves no row
        keys = [np.zeros(rows, np.int8), *keys]
    cuts = cut(keys, rows, size, stride)
    if not len(cuts.starts):
        raise DataError(
            found=f"no run of {size} rows of one group",
            where="data.table.window",
            fix="make the window shorter",
        )
    run = "group" if has_groups else "run"
    if cuts.short:
        notes.append(f"not used: {how_many(cuts.short, run)} shorter than a window of {size} rows")
    if cuts.left:
        notes.append(
            f"not used: {how_many(cuts.left, 'row')} after the last whole window of a {run}"
        )
    folder.mkdir()
    x = arrays["x"]
    dtype = x.dtype if x.dtype.kind in "iuf" else np.dtype(np.float32)
    windows = create(folder / "x.npy", dtype, (len(cuts.starts), size, x.shape[1]))
    for part in chunks(len(cuts.starts), size * x.shape[1]):
        windows[part] = x[_rows(cuts, part, size)]
    first = cuts.order[cuts.starts]
    result = arrays | {key: arrays[key][first] for key in ("group", "id", "split") if key in arrays}
    rules = tasks.of(data.task).labels
    if rules and "y" in arrays:
        result["y"] = _targets(arrays["y"], cuts, size, rules.in_window)
    return result | {"x": windows}


def _rows(cuts: Cuts, part: slice, size: int) -> NDArray[np.int64]:
    """The rows of some windows, int64 [windows, size]."""
    rows: NDArray[np.int64] = cuts.order[cuts.starts[part, None] + np.arange(size)]
    return rows


def _targets(y: NDArray[Any], cuts: Cuts, size: int, window: Window) -> NDArray[Any]:
    """The most frequent class, the last row's numbers, or every label that a row has."""
    count = len(cuts.starts)
    if window == "last":
        return np.asarray(y[cuts.order[cuts.starts + size - 1]])
    if window == "any":
        return np.concatenate(
            [y[_rows(cuts, part, size)].max(axis=1) for part in chunks(count, size * y.shape[1])]
        )
    labels, codes = np.unique(y, return_inverse=True)
    modes = [
        most_frequent(codes[_rows(cuts, part, size)], len(labels))
        for part in chunks(count, size + len(labels))
    ]
    return np.asarray(labels[np.concatenate(modes)])


def most_frequent(codes: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """The most frequent code of each row; among equally frequent ones the last in the row.

    Args:
        codes: int64 [rows, size], from 0 to classes - 1.
        classes: number of codes.
    """
    rows, size = codes.shape
    row = np.arange(rows)[:, None]
    counts = np.bincount((row * classes + codes).ravel(), minlength=rows * classes)
    last = np.zeros((rows, classes), dtype=np.int64)
    np.maximum.at(last, (np.broadcast_to(row, codes.shape), codes), np.arange(size))
    most: NDArray[np.int64] = np.argmax(counts.reshape(rows, classes) * (size + 1) + last, axis=1)
    return most


def no_group(size: int, stride: int) -> DataError:
    """The error for overlapping windows that no group keeps in one split."""
    return DataError(
        found=f"windows that overlap (stride {stride} of {size} rows) and no group column: two "
        "splits would have rows in common",
        where="data.table.stride",
        fix="name a group column (data.group), or make the stride the window's length",
    )


def require_groups_or_splits(result: Mapping[str, Any], where: str) -> None:
    """Refuse overlapping windows if train has to be split and has no groups.

    Raises:
        DataError: names the splits that are missing.
    """
    missing = [s for s in ("validation", "calibration") if f"x_{s}" not in result]
    if "x" not in result and missing and "group_train" not in result:
        raise DataError(
            found=f"windows that overlap, and ready splits without {' and '.join(missing)}, which "
            "would have rows in common with train",
            where=where,
            fix="add those splits or a group column, or make data.table.stride the window's length",
        )
