"""A table: each row is a sample, or each window of consecutive rows of one recording.

``table:sensors.csv`` takes every column of numbers without another role as input. Ready splits come
from a folder with ``train.csv``, ``test.csv``, …, from a column ``split``, or from an npz with
``x_train``, ``y_train``, ….
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..progress import Progress
from ..recipe.data import Data
from . import npz
from .arrays import create
from .categories import unified
from .checks import chunks
from .column import listed
from .raw_table import RawTable
from .split_files import SplitArrays, assemble, read_files, split_files
from .table_rows import arrays_of_file
from .windows import no_group, require_groups_or_splits, windowed


def fingerprint(source: str) -> str:
    """The hash of the file, or of the split files of a folder.

    Raises:
        DataError: no such file, or a folder without split files.
    """
    digest = hashlib.sha256()
    for split, path in split_files(Path(source)).items():
        digest.update(f"{split} {path.suffix} {npz.fingerprint(str(path))}\n".encode())
    return digest.hexdigest()


def read(source: str, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    """Rows as float32 [n, columns], or windows of rows as float32 [n, window, columns].

    An npz may hold ``x`` itself, [n, columns] or [n, window, columns], and keeps its dtype.

    Args:
        source: a csv, tsv, parquet or npz file, or a folder of split files.
        scratch: folder for the memory maps.
        data: the recipe's section: ``target``, ``group``, ``id``, ``task`` and ``table``.
        progress: advances with each file.

    Returns:
        x, y, group, id, or the same by split; labels, layout, front_end, notes. x is a ``RawTable``
        where columns are categories or values are missing, for encoders see train alone.

    Raises:
        DataError: columns that are missing, of text or with two roles; windows that cannot be cut,
            or that would put the same rows into two splits.
    """
    notes: list[str] = []
    arrays = read_files(
        source, progress, lambda path, split: arrays_of_file(path, split, scratch, data, notes)
    )
    names = _shared_columns(arrays, source)
    arrays, categories = _with_shared_categories(arrays, names)
    if data.table.window:
        arrays = _all_windowed(arrays, scratch, data, notes)

    def copy_rows(x: NDArray[Any], rows: NDArray[np.int64], split: str) -> NDArray[Any]:
        copy = create(scratch / f"rows_of_{split}.npy", x.dtype, (len(rows), *x.shape[1:]))
        for part in chunks(len(rows), x[0].size):
            copy[part] = x[rows[part]]
        return copy

    result = assemble(arrays, source, copy_rows)
    if data.table.window:
        _check_overlap(result, source, data, notes)
    x = next(iter(arrays.values()))["x"]
    window = int(x.shape[1]) if x.ndim == 3 else 0
    stride = data.table.stride or data.table.window
    if categories or data.table.missing != "refuse":
        result |= {
            key: RawTable(value, names, categories)
            for key, value in result.items()
            if key == "x" or key.startswith("x_")
        }
    return result | {
        "layout": "tc" if window else "table",
        "front_end": {"kind": "table", "columns": list(names), "window": window, "stride": stride},
        "notes": tuple(dict.fromkeys(notes)),
    }


def _shared_columns(arrays: Mapping[str, SplitArrays], source: str) -> tuple[str, ...]:
    """The input columns, which every file must have in the same order."""
    names: tuple[str, ...] = next(iter(arrays.values()))["columns"]
    for split, of_split in arrays.items():
        if of_split["columns"] != names:
            raise DataError(
                found=f"columns {listed(of_split['columns'])} in {split}",
                expected=f"{listed(names)}, as in the first file",
                where=source,
            )
    return names


def _with_shared_categories(
    arrays: Mapping[str, SplitArrays], names: Sequence[str]
) -> tuple[dict[str, SplitArrays], dict[int, tuple[str, ...]]]:
    """The arrays with one list of categories for all files, and these lists by column."""
    result = {split: dict(of_split) for split, of_split in arrays.items()}
    lists: dict[int, tuple[str, ...]] = {}
    for place, name in enumerate(names):
        own = {split: a["categories"].get(name) for split, a in arrays.items()}
        if not any(own.values()):
            continue
        known = {split: values for split, values in own.items() if values is not None}
        if len(known) < len(own):
            text, number = next(iter(known)), next(s for s in own if s not in known)
            raise DataError(
                found=f"column {name!r} of text in {text} and of numbers in {number}",
                expected="one kind in every file",
                where="data.table.categorical",
                fix=f"name {name!r} in data.table.categorical if it holds categories",
            )
        codes, lists[place] = unified({s: a["x"][:, place] for s, a in arrays.items()}, known)
        for split, code in codes.items():
            result[split]["x"][:, place] = code
    return result, lists


def _all_windowed(
    arrays: Mapping[str, SplitArrays], scratch: Path, data: Data, notes: list[str]
) -> dict[str, SplitArrays]:
    """The arrays of every split with windows instead of rows."""
    size, stride = data.table.window, data.table.stride or data.table.window
    if stride < size and not {"group", "split"} & set(arrays.get("", {"group"})):
        raise no_group(size, stride)
    return {
        split: windowed(of_split, size, stride, data, scratch / f"windows_{split or 'all'}", notes)
        for split, of_split in arrays.items()
    }


def _check_overlap(result: Mapping[str, Any], source: str, data: Data, notes: list[str]) -> None:
    """Refuse windows of two splits with rows in common, and note where recordings are unknown."""
    if 0 < data.table.stride < data.table.window:
        require_groups_or_splits(result, source)
    if "group" not in result and "x" in result:
        notes.append(
            "windows of one recording may be in different splits, for no column says which rows "
            "belong together (data.group)"
        )
