"""A table: each row is a sample, or each window of consecutive rows of one recording.

``table:sensors.csv`` takes every column of numbers without another role as input. Ready splits come
from a folder with ``train.csv``, ``test.csv``, …, from a column ``split``, or from an npz with
``x_train``, ``y_train``, ….
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .. import tasks
from ..progress import Progress
from ..recipe.data import Data
from ..records import SPLITS, Split
from ..tasks import number_labels
from ..tasks.labels import Window
from . import columns as files
from . import npz
from .arrays import create
from .checks import chunks
from .columns import Column, listed, require

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "calibration": "calibration",
    "test": "test",
}
"""What splits are called, in file names, npz keys and a column ``split``."""
SPLIT_COLUMN = "split"
LAST_WHOLE_FLOAT32 = 1 << 24
"""Whole numbers above are rounded in float32."""
KEYS = ("x", "y", "group", "id")
"""What a source gives of samples, each array in their order."""
Part = dict[str, Any]
"""What one split (or all) has of ``KEYS``, and ``split`` where a column tells."""


def fingerprint(told: str) -> str:
    """Hash of the file, or of the split files of a folder.

    Raises:
        DataError: no such file, or a folder without split files.
    """
    digest = hashlib.sha256()
    for split, path in split_files(Path(told)).items():
        digest.update(f"{split} {path.suffix} {npz.fingerprint(str(path))}\n".encode())
    return digest.hexdigest()


def read(told: str, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    """Rows as float32 [n, columns], or windows of rows as float32 [n, window, columns].

    An npz may hold ``x`` itself, [n, columns] or [n, window, columns], and keeps its dtype.

    Args:
        told: a csv, tsv, parquet or npz file, or a folder of split files.
        scratch: where the memory maps go.
        data: the recipe's part: ``target``, ``group``, ``id``, ``task`` and ``table``.
        progress: told after each file.

    Returns:
        x, y, group, id, or the same by split; labels, layout, front_end, notes.

    Raises:
        DataError: columns that are missing, double-booked or of text; windows that cannot be cut or
            that would leak.
    """
    notes: list[str] = []
    parts = read_files(
        told, progress, lambda path, split: _parts(path, split, scratch, data, notes)
    )
    names = next(iter(parts.values()))["columns"]
    for split, part in parts.items():
        if part["columns"] != names:
            raise DataError(
                found=f"columns {listed(part['columns'])} in {split}",
                expected=f"{listed(names)}, as in the first file",
                where=told,
            )
    size, stride = data.table.window, data.table.stride or data.table.window
    if size:
        if stride < size and not {"group", "split"} & set(parts.get("", {"group"})):
            raise _no_group(size, stride)
        parts = {
            split: _windowed(part, size, stride, data, scratch / f"windows_{split or 'all'}", notes)
            for split, part in parts.items()
        }

    def take(x: NDArray[Any], rows: NDArray[np.int64], split: str) -> NDArray[Any]:
        taken = create(scratch / f"taken_{split}.npy", x.dtype, (len(rows), *x.shape[1:]))
        for some in chunks(len(rows), x[0].size):
            taken[some] = x[rows[some]]
        return taken

    result = assemble(parts, told, take)
    if size and stride < size:
        _no_overlap_across_splits(result, told)
    if size and "group" not in result and "x" in result:
        notes.append(
            "windows of one recording may stand in different splits, for no column says which rows "
            "belong together (data.group)"
        )
    if next(iter(parts.values()))["x"].ndim == 3 and not size:
        size = int(next(iter(parts.values()))["x"].shape[1])
    return result | {
        "layout": "tc" if size else "table",
        "front_end": {"kind": "table", "columns": list(names), "window": size, "stride": stride},
        "notes": tuple(dict.fromkeys(notes)),
    }


# --- what the text source shares --------------------------------------------------------------


def split_files(path: Path) -> dict[str, Path]:
    """The files of a source by split; one file that is not split stands under ``""``.

    Raises:
        DataError: a folder without train and test, or with two files for one split.
    """
    if not path.is_dir():
        return {"": path}
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        split = SPLIT_NAMES.get(file.stem.lower())
        if split is None or file.suffix.lower() not in files.READERS or not file.is_file():
            continue
        if split in found:
            raise DataError(
                f"{found[split].name!r} and {file.name!r} for {split}",
                where=str(path),
                fix="leave one of them",
            )
        found[split] = file
    missing = [split for split in ("train", "test") if split not in found]
    if missing:
        raise DataError(
            found=f"no {' and no '.join(f'{split}.csv' for split in missing)} in the folder",
            expected="train.csv, test.csv and optionally validation.csv, calibration.csv",
            where=str(path),
            fix=f"the suffix may be any of {', '.join(files.READERS)}; "
            "a single file is named as a file",
        )
    return {split: found[split] for split in SPLITS if split in found}


def read_files(
    told: str, progress: Progress, parts_of: Callable[[Path, str], dict[str, Part]]
) -> dict[str, Part]:
    """The parts of every file of a source, read by ``parts_of(path, split)``."""
    found = split_files(Path(told))
    parts: dict[str, Part] = {}
    with progress.steps("reading", len(found)) as steps:
        for split, path in found.items():
            parts |= parts_of(path, split)
            steps.advance(path.name)
    return parts


class Roles(NamedTuple):
    """Which columns answer, group, identify and split; a suffix such as ``_train`` included."""

    target: tuple[str, ...]
    group: str | None
    id: str | None
    split: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.target, *(n for n in (self.group, self.id, self.split) if n is not None))


def roles(columns: Mapping[str, Column], data: Data, where: str, suffix: str = "") -> Roles:
    """The roles of columns, by the recipe.

    Raises:
        DataError: a column the recipe names is not there, or has two roles.
    """
    target = tuple(f"{name}{suffix}" for name in data.target)
    rules = tasks.of(data.task).labels
    if not target and rules:
        target = tuple(f"{n}{suffix}" for n in ("label", "y") if f"{n}{suffix}" in columns)[:1]
        if not target:
            raise DataError(
                found=f"no column 'label' or 'y' among {listed(columns)}",
                where=where,
                fix="name the column of the answer in data.target",
            )
    for name in target:
        require(columns, name, where, "data.target")
    if rules and rules.one_column and len(target) != 1:
        raise DataError(
            found=f"{len(target)} columns ({listed(target)}) in data.target",
            expected=f"one, as the task is {data.task}",
            where="data.target",
            fix='name one column, or say task = "multi-label" in [data]',
        )
    optional: dict[str, str | None] = {}
    for key, told in (("group", data.group), ("id", data.id)):
        name = f"{told}{suffix}"
        if told != key:  # a name the recipe chose must be there; the default need not
            require(columns, name, where, f"data.{key}")
        optional[key] = name if name in columns else None
    split = SPLIT_COLUMN if SPLIT_COLUMN in columns and not suffix else None
    found = Roles(target, optional["group"], optional["id"], split)
    twice = {name for name in found.names if found.names.count(name) > 1}
    if twice:
        raise DataError(f"column {listed(twice)} has two roles", where=where, fix="name another")
    return found


def answers(
    found: Mapping[str, NDArray[Any]], target: Sequence[str], data: Data, where: str
) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    """Y as the task wants it, and the names of its numbers or of its labels.

    Returns:
        classification: int or str [n] and no names. regression: float64 [n] or [n, k];
        multi-label: uint8 [n, k]; both with the columns' names. embedding: None.

    Raises:
        DataError: an answer that is empty, no number, or not 0 or 1.
    """
    rules = tasks.of(data.task).labels
    if not target or rules is None:
        return None, ()
    if rules.one_column:
        y = found[target[0]]
        if y.ndim != 1:
            raise DataError(
                found=f"{target[0]!r} of shape {list(y.shape)}",
                expected="one label a row, shape [n]",
                where=where,
            )
        filled(y, target[0], where)
        return y, ()
    names: list[str] = []
    numbers = []
    for name in target:
        column = found[name]
        if column.dtype.kind not in "iufb" or column.ndim > 2:
            raise DataError(
                found=f"{name!r} of {column.dtype} and shape {list(column.shape)}",
                expected=f"numbers, as the task is {data.task}",
                where=where,
                fix="name columns of numbers in data.target",
            )
        names += spread(name, column)
        numbers.append(column.reshape(len(column), -1))
    y = np.concatenate(numbers, axis=1)
    if not rules.values:
        y = y.astype(np.float64)
        return (y[:, 0] if len(names) == 1 else y), tuple(names)
    bad = ~np.isin(y, rules.values)
    if bad.any():
        row, column_number = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            found=f"{y[row, column_number]} in row {row} (from 0), column {names[column_number]!r}",
            expected=f"{number_labels.listed(rules.values)}, as the task is {data.task}",
            where=where,
        )
    return y.astype(np.uint8), tuple(names)


def spread(name: str, column: NDArray[Any]) -> list[str]:
    """The name of a column, or one for each number of a row where it holds several."""
    width = int(np.prod(column.shape[1:]))
    return [name] if column.ndim == 1 else [f"{name}[{i}]" for i in range(width)]


def filled(column: NDArray[Any], name: str, where: str) -> None:
    """Refuse a text column with an empty field.

    Raises:
        DataError: names the row.
    """
    if column.dtype.kind == "U" and (column == "").any():
        raise DataError(
            found=f"nothing in row {int(np.argmax(column == ''))} (from 0), column {name!r}",
            expected="a value in every row",
            where=where,
            fix="fill that value in or leave the row out",
        )


def role_arrays(
    found: Mapping[str, NDArray[Any]], wanted: Roles, data: Data, rows: int, where: str
) -> Part:
    """y, group, id and split of one file.

    Raises:
        DataError: an answer that does not fit; a column of another length than x.
    """
    for name in wanted.names:
        if len(found[name]) != rows:
            raise DataError(
                found=f"{len(found[name])} rows in {name!r}",
                expected=f"{rows}, as in the input",
                where=where,
            )
    y, labels = answers(found, wanted.target, data, where)
    part: Part = {"labels": labels}
    if y is not None:
        part["y"] = y
    for key, column in (("group", wanted.group), ("id", wanted.id), ("split", wanted.split)):
        if column is not None:
            filled(found[column], column, where)
            part[key] = found[column]
    if "split" in part:
        part["split"] = split_of_rows(part["split"], where)
    return part


def split_of_rows(column: NDArray[Any], where: str) -> NDArray[np.str_]:
    """A column ``split`` in our own names of the splits.

    Raises:
        DataError: a value that is no split.
    """
    values, place = np.unique(column, return_inverse=True)
    ours = [SPLIT_NAMES.get(str(value).strip().lower()) for value in values]
    if None in ours:
        row = int(np.argmax(place == ours.index(None)))
        raise DataError(
            found=f"{str(column[row])!r} in row {row} (from 0), column {SPLIT_COLUMN!r}",
            expected=f"one of {', '.join(SPLIT_NAMES)}",
            where=where,
            fix=f"correct it, or rename the column {SPLIT_COLUMN!r} if it says something else",
        )
    return np.array(ours, dtype=np.str_)[place]


Take = Callable[[Any, NDArray[np.int64], str], Any]


def assemble(parts: Mapping[str, Part], where: str, take: Take) -> dict[str, Any]:
    """The source's answer from its files: x, y, group, id, or the same by split.

    Args:
        parts: by split, or all under ``""``, there with a ``split`` for each row or without.
        where: for a message.
        take: copies rows of x for a split, within flat memory.

    Raises:
        DataError: ready splits in a file that is one already.
    """
    labels = next(iter(parts.values()))["labels"]
    result: dict[str, Any] = {"labels": labels} if labels else {}
    if "" in parts and "split" not in parts[""]:
        result.update((k, parts[""][k]) for k in KEYS if k in parts[""])
        return result
    if "" in parts:
        whole, ready = parts[""], dict[str, Part]()
        for split in SPLITS:
            rows = np.flatnonzero(whole["split"] == split)
            if len(rows):
                ready[split] = {k: whole[k][rows] for k in ("y", "group", "id") if k in whole}
                ready[split]["x"] = take(whole["x"], rows, split)
        parts = ready
    elif any("split" in part for part in parts.values()):
        raise DataError(
            f"a column {SPLIT_COLUMN!r} in a file that is one split already",
            where=where,
            fix="leave that column out",
        )
    for name, part in parts.items():
        result.update((f"{key}_{name}", part[key]) for key in KEYS if key in part)
    return result


# --- rows -------------------------------------------------------------------------------------


def _parts(path: Path, split: str, scratch: Path, data: Data, notes: list[str]) -> dict[str, Part]:
    """What a file holds: one part, or one a split where its keys say so (``x_train``)."""
    seen = files.look(path)
    if split == "" and "x_train" in seen:
        ends = [end for end in SPLIT_NAMES if f"x_{end}" in seen]
        return {
            SPLIT_NAMES[end]: _part(path, seen, f"_{end}", scratch, data, notes) for end in ends
        }
    return {split: _part(path, seen, "", scratch, data, notes)}


def _part(
    path: Path,
    seen: Mapping[str, Column],
    suffix: str,
    scratch: Path,
    data: Data,
    notes: list[str],
) -> Part:
    where = str(path)
    found_roles = roles(seen, data, where, suffix)
    matrix = f"x{suffix}"
    if path.suffix.lower() == ".npz" and matrix in seen and seen[matrix].shape != ():
        inputs: tuple[str, ...] = (matrix,)
    else:
        inputs = _inputs(seen, found_roles, data, where)
    extra = [name for name in ("labels",) if path.suffix.lower() == ".npz" and name in seen]
    found = files.read(path, scratch, {*inputs, *found_roles.names, *extra}, seen)
    if inputs == (matrix,) and matrix in found and found[matrix].ndim > 1:
        x = found[matrix]
        names = _channels(x, data, where)
    else:
        names = tuple(n for name in inputs for n in spread(name, found[name]))
        x = _matrix(found, inputs, len(names), scratch, where, notes)
    part = role_arrays(found, found_roles, data, len(x), where)
    if inputs != (matrix,) and not data.table.columns and "label" in {*seen} - {*found_roles.names}:
        notes.append("column 'label' is no input, for it looks like an answer")
    if extra:
        part["labels"] = tuple(str(name) for name in np.atleast_1d(found["labels"]))
    return part | {"x": x, "columns": names}


def _inputs(seen: Mapping[str, Column], taken: Roles, data: Data, where: str) -> tuple[str, ...]:
    """The input columns: those the recipe names, or all numbers without another role."""
    if data.table.columns:
        for name in data.table.columns:
            require(seen, name, where, "data.table.columns")
            if name in taken.names:
                raise DataError(
                    found=f"{name!r} is an input and an answer, group, id or split",
                    where="data.table.columns",
                    fix="leave it out of one of them",
                )
            if seen[name].kind in ("text", "other"):
                raise DataError(
                    found=f"column {name!r} of {seen[name].says}",
                    expected="numbers",
                    where=where,
                    fix="code it as numbers or leave it out of data.table.columns",
                )
        return data.table.columns
    # Where the answer is another column, a 'label' would give it away.
    free = [name for name in seen if name not in taken.names and name not in ("label", "labels")]
    unfit = [name for name in free if seen[name].kind in ("text", "other")]
    if unfit:
        raise DataError(
            found=f"columns {listed(unfit)} that hold no numbers and have no role",
            where=where,
            fix="name the input columns in data.table.columns",
        )
    if not free:
        raise DataError(
            found=f"no column of numbers left for input among {listed(seen)}", where=where
        )
    return tuple(free)


def _channels(x: NDArray[Any], data: Data, where: str) -> tuple[str, ...]:
    """Names of the last axis of an array that is the input as it is."""
    if x.ndim not in (2, 3) or x.dtype.kind not in "iufb":
        raise DataError(
            found=f"x of {x.dtype} and shape {list(x.shape)}",
            expected="numbers, [n, columns] or [n, window, columns]",
            where=where,
            fix="use the source npz: for other shapes",
        )
    if x.ndim == 3 and data.table.window:
        raise DataError(
            found=f"x of shape {list(x.shape)}, which is windows already",
            where="data.table.window",
            fix="leave data.table.window out",
        )
    told = data.table.columns
    if told and len(told) != x.shape[-1]:
        raise DataError(
            found=f"{len(told)} names",
            expected=f"{x.shape[-1]}, one for each column of x",
            where="data.table.columns",
        )
    return told or tuple(str(i) for i in range(x.shape[-1]))


def _matrix(
    found: Mapping[str, NDArray[Any]],
    inputs: Sequence[str],
    width: int,
    scratch: Path,
    where: str,
    notes: list[str],
) -> NDArray[np.float32]:
    """Columns side by side, float32 [n, columns], memory-mapped."""
    rows = len(found[inputs[0]])
    for name in inputs:
        if len(found[name]) != rows:
            raise DataError(
                found=f"{len(found[name])} rows in {name!r} and {rows} in {inputs[0]!r}",
                expected="as many in each column",
                where=where,
                fix="name the input columns in data.table.columns",
            )
    x = create(_unused(scratch, "rows"), np.float32, (rows, width))
    rounded = dict.fromkeys(inputs, False)
    for part in chunks(rows, width):
        at = 0
        for name in inputs:
            block = np.asarray(found[name][part], dtype=np.float64)
            block = block.reshape(part.stop - part.start, -1)
            size = np.abs(block)
            if size.max(initial=0) > np.finfo(np.float32).max:
                row = part.start + int(np.argmax(size.max(axis=1)))
                raise DataError(
                    found=f"{size.max():g} in row {row} (from 0), column {name!r}",
                    expected="numbers that float32 can hold",
                    where=where,
                )
            if found[name].dtype.kind in "iu" and size.max(initial=0) > LAST_WHOLE_FLOAT32:
                rounded[name] = True
            x[part, at : at + block.shape[1]] = block
            at += block.shape[1]
    notes += [
        f"column {name!r} has whole numbers above 16,777,216, which float32 rounds"
        for name, is_rounded in rounded.items()
        if is_rounded
    ]
    return x


def _unused(folder: Path, stem: str) -> Path:
    """A file name that is not taken: a map of an earlier file must not be overwritten."""
    return folder / f"{stem}{sum(1 for _ in folder.glob(f'{stem}*'))}.npy"


# --- windows ----------------------------------------------------------------------------------


class Cuts(NamedTuple):
    """Where windows begin.

    Attributes:
        order: rows grouped, each group in its own order, int64 [n].
        starts: places in ``order``, int64 [windows].
        short: groups (or runs of one split within a group) shorter than a window.
        left: rows behind the last window of their group, short groups' not counted.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    short: int
    left: int


def cut(keys: Collection[NDArray[Any]], rows: int, size: int, stride: int) -> Cuts:
    """Windows of consecutive rows that agree in their keys.

    Args:
        keys: what must not change within a window, [rows] each: the first groups the rows, the
            others only break a run.
        rows: of the table.
        size: rows of a window.
        stride: rows from one window's begin to the next's.
    """
    order = np.arange(rows, dtype=np.int64)
    coded = []
    for key in keys:
        _, first, code = np.unique(key, return_index=True, return_inverse=True)
        coded.append(first[code])  # the row where the key first stands: groups keep their order
    if coded:
        order = np.argsort(coded[0], kind="stable").astype(np.int64)
    breaks = np.zeros(max(0, rows - 1), dtype=bool)
    for code in coded:
        breaks |= np.diff(code[order]) != 0
    begins = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    lengths = np.diff(np.append(begins, rows))
    counts = np.where(lengths >= size, (lengths - size) // stride + 1, 0)
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.repeat(begins, counts) + nth * stride
    used = np.where(counts > 0, np.minimum(lengths, (counts - 1) * stride + size), lengths)
    short, left = int((counts == 0).sum()), int((lengths - used).sum())
    return Cuts(order, starts.astype(np.int64), short, left)


def _windowed(
    part: Part, size: int, stride: int, data: Data, folder: Path, notes: list[str]
) -> Part:
    """A part whose samples are windows of its rows; id and group are those of the first row."""
    rows = len(part["x"])
    grouped = "group" in part
    keys = [part[key] for key in ("group", "split") if key in part]
    if keys and not grouped:  # a split alone breaks runs but moves no row
        keys = [np.zeros(rows, np.int8), *keys]
    cuts = cut(keys, rows, size, stride)
    if not len(cuts.starts):
        raise DataError(
            found=f"no run of {size} rows of one group",
            where="data.table.window",
            fix="make the window shorter",
        )
    what = "groups" if grouped else "runs"
    if cuts.short:
        notes.append(f"{cuts.short} {what} shorter than a window of {size} rows were left out")
    if cuts.left:
        notes.append(f"{cuts.left} rows behind the last whole window of their {what[:-1]} left out")
    folder.mkdir()
    x = part["x"]
    windows = create(folder / "x.npy", _kept(x.dtype), (len(cuts.starts), size, x.shape[1]))
    for some in chunks(len(cuts.starts), size * x.shape[1]):
        windows[some] = x[_rows(cuts, some, size)]
    firsts = cuts.order[cuts.starts]
    rules = tasks.of(data.task).labels
    kept: Part = {key: part[key][firsts] for key in ("group", "id", "split") if key in part}
    y: Part = (
        {"y": _window_answers(part["y"], cuts, size, rules.in_window)}
        if rules and "y" in part
        else {}
    )
    return part | kept | y | {"x": windows}


def _kept(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.kind in "iuf" else np.dtype(np.float32)


def _rows(cuts: Cuts, some: slice, size: int) -> NDArray[np.int64]:
    """Rows of some windows, int64 [windows, size]."""
    rows: NDArray[np.int64] = cuts.order[cuts.starts[some, None] + np.arange(size)]
    return rows


def _window_answers(y: NDArray[Any], cuts: Cuts, size: int, window: Window) -> NDArray[Any]:
    """The most frequent label, the last row's numbers, or every label that some row has."""
    count = len(cuts.starts)
    if window == "last":
        return np.asarray(y[cuts.order[cuts.starts + size - 1]])
    if window == "any":
        found = [
            y[_rows(cuts, some, size)].max(axis=1) for some in chunks(count, size * y.shape[1])
        ]
        return np.concatenate(found)
    labels, codes = np.unique(y, return_inverse=True)
    modes = [
        most_frequent(codes[_rows(cuts, some, size)], len(labels))
        for some in chunks(count, size + len(labels))
    ]
    return np.asarray(labels[np.concatenate(modes)])


def most_frequent(codes: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """The most frequent code of each row; of equally frequent ones the one that stands last.

    Args:
        codes: int64 [rows, size], from 0 to classes - 1.
        classes: how many codes there are.
    """
    rows, size = codes.shape
    line = np.arange(rows)[:, None]
    counts = np.bincount((line * classes + codes).ravel(), minlength=rows * classes)
    last = np.zeros((rows, classes), dtype=np.int64)
    np.maximum.at(last, (np.broadcast_to(line, codes.shape), codes), np.arange(size))
    most: NDArray[np.int64] = np.argmax(counts.reshape(rows, classes) * (size + 1) + last, axis=1)
    return most


def _no_group(size: int, stride: int) -> DataError:
    return DataError(
        found=f"windows that overlap (stride {stride} of {size} rows) and no group column: the "
        "same rows would stand in two splits",
        where="data.table.stride",
        fix="give a group column (data.group), or make the stride the window's length",
    )


def _no_overlap_across_splits(result: Mapping[str, Any], where: str) -> None:
    """Refuse overlapping windows of train that would be split, unless groups keep them together."""
    missing = [s for s in ("validation", "calibration") if f"x_{s}" not in result]
    if "x" not in result and missing and "group_train" not in result:
        raise DataError(
            found=f"windows that overlap, and ready splits without {' and '.join(missing)}: the "
            "same rows would stand in train and there",
            where=where,
            fix="bring those splits too, or a group column, or make data.table.stride the window's "
            "length",
        )
