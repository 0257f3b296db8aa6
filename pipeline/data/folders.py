"""A folder of files as a data set: which file belongs to which split, class and group.

    root/CLASS/file                                  one folder a class
    root/{train,validation,calibration,test}/CLASS/file    with ready splits
    root/metadata.csv                                decides alone, where it is there

``metadata.csv`` is UTF-8, comma-separated, with the columns ``file`` (relative to root) and
``label``, and optionally ``group``, ``id`` and ``split``; the recipe's ``data.target``,
``data.group`` and ``data.id`` rename all but ``file`` and ``split``.

Files whose name begins with a dot are passed over. Links are refused: what they point to would
change the data behind the fingerprint's back.
"""

import csv
import hashlib
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .. import tasks
from ..engine.store import file_sha256
from ..recipe.data import Data
from ..records import SPLITS, Split
from ..tasks import number_labels

METADATA = "metadata.csv"
NAMES: Mapping[str, Split] = {split: split for split in SPLITS} | {
    "val": "validation",
    "valid": "validation",
}
"""How a split may be called."""
ANSWER = "label"
"""Column of the answer, unless ``data.target`` names others."""
BETWEEN_LABELS = "|"
"""Stands between the labels of one sample of a multi-label task."""
_RENAMED = ("group", "id", "target")
"""Keys of [data] that name a column, which only ``metadata.csv`` has."""


class Item(NamedTuple):
    """One file and what is known of it.

    Attributes:
        path: where it lies.
        split: None where the source has no ready splits.
        label: class name; of a multi-label task, names with ``|`` between them; else empty.
        group: None where the source has no groups.
        id: what names the sample; its path below root unless ``metadata.csv`` says otherwise.
        numbers: the answers as numbers, one a column of ``data.target``: of a regression, or of a
            multi-label task with several columns.
    """

    path: Path
    split: Split | None
    label: str
    group: str | None
    id: str
    numbers: tuple[float, ...] = ()


def listing(root: Path, suffixes: frozenset[str], data: Data) -> list[Item]:
    """The files of a data set, ordered by split, then by path.

    Args:
        root: the data set's folder.
        suffixes: of the files that count, in lower case, with the dot.
        data: the recipe's part: task, and names of columns.

    Raises:
        DataError: no such folder, nothing in it, a file of another kind, a link, a class alone, a
            line of ``metadata.csv`` that cannot be followed.
    """
    _is_folder(root)
    if (root / METADATA).exists():
        items = _from_metadata(root, suffixes, data)
    elif tasks.of(data.task).labels is None:
        items = _from_any_folders(root, suffixes, data)
    else:
        items = _from_class_folders(root, suffixes, data)
    if not items:
        raise DataError(
            found="no files",
            expected=f"some that end in {_shown(suffixes)}",
            where=str(root),
            fix="correct data.source in the recipe",
        )
    items.sort(key=lambda item: (item.split is not None and SPLITS.index(item.split), item.path))
    _has_the_splits_it_needs(items, root)
    rules = tasks.of(data.task).labels
    one_class = rules is not None and rules.text == "one name"
    if one_class and len(classes := {item.label for item in items}) < 2:
        raise DataError(
            found=f"one class, {classes.pop()!r}",
            expected="at least two",
            where=str(root),
            fix="put the files of each class into a folder of its own",
        )
    return items


def fingerprint(root: Path, suffixes: frozenset[str]) -> str:
    """The hash of the names and contents of all files that count, and of ``metadata.csv``.

    Raises:
        DataError: no such folder, or one that holds a link or cannot be read.
    """
    _is_folder(root)
    digest = hashlib.sha256()
    for path in _below(root):
        if path.suffix.lower() in suffixes or path == root / METADATA:
            try:
                content = file_sha256(path)
            except OSError as error:
                raise DataError(_reason(error), where=str(path)) from None
            digest.update(f"{_name(path, root)}\0{content}\0".encode())
    return digest.hexdigest()


def arrays(items: Sequence[Item], x: NDArray[Any], data: Data) -> dict[str, Any]:
    """The source's answer to ``prepare``.

    Args:
        items: as ``listing`` gives them.
        x: their samples [n, ...] in that order; only sliced, so that a memory map stays one.
        data: the recipe's part: task and class names.

    Returns:
        x, y, id and group of ready splits or of one array. y is text [n] (classification), uint8
        [n, classes] (multi-label), float64 [n, numbers] (regression) or absent (embedding).

    Raises:
        DataError: a label that is not among ``data.labels``.
    """
    y, labels = _answers(items, data)
    columns: dict[str, NDArray[Any]] = {"x": x, "id": np.array([item.id for item in items])}
    if y is not None:
        columns["y"] = y
    if items[0].group is not None:
        columns["group"] = np.array([item.group for item in items])
    found: dict[str, Any] = {"labels": labels} if labels else {}
    if items[0].split is None:
        return found | columns
    splits = np.array([item.split for item in items])
    for split in SPLITS:
        rows = np.flatnonzero(splits == split)
        if not len(rows):
            continue
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        found |= {f"{key}_{split}": values[part] for key, values in columns.items()}
    return found


# --- what the answers are ----------------------------------------------------------------------


def _answers(items: Sequence[Item], data: Data) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    """The array y, and the names of its classes or numbers."""
    rules = tasks.of(data.task).labels
    if rules is None:
        return None, ()
    if items[0].numbers:
        names = data.labels or data.target or (ANSWER,)
        dtype = np.uint8 if rules.values else np.float64
        return np.array([item.numbers for item in items], dtype), names
    if rules.text == "one name":
        y = np.array([item.label for item in items])
        return y, data.labels or _in_order({item.label for item in items})
    sets = [labels_of(item) for item in items]
    names = data.labels or _in_order({name for one in sets for name in one})
    place = {name: column for column, name in enumerate(names)}
    y = np.zeros((len(items), len(names)), np.uint8)
    for row, (item, one) in enumerate(zip(items, sets, strict=True)):
        for name in one:
            if name not in place:
                raise DataError(
                    found=f"label {name!r}",
                    expected=f"one of {list(names[:8])}",
                    where=str(item.path),
                    fix="correct data.labels in the recipe or the label in metadata.csv",
                )
            y[row, place[name]] = 1
    return y, names


def labels_of(item: Item) -> list[str]:
    """The labels of one sample of a multi-label task; none is possible."""
    return [name for part in item.label.split(BETWEEN_LABELS) if (name := part.strip())]


def _in_order(names: set[str]) -> tuple[str, ...]:
    """Class names sorted; whole numbers by their value, so that '10' stands behind '9'."""
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


# --- folders -----------------------------------------------------------------------------------


def _from_class_folders(root: Path, suffixes: frozenset[str], data: Data) -> list[Item]:
    rules = tasks.of(data.task).labels
    if rules is None or rules.text != "one name":
        raise DataError(
            found=f"no {METADATA}",
            expected=f"one that gives the answers of a {data.task} task",
            where=str(root),
            fix=f"write {METADATA} with the columns file and "
            + ("label" if rules and rules.text == "names" else "those of data.target"),
        )
    _has_no_renamed_columns(root, data)
    inside = _folders(root)
    for path in _files(root):
        if path.suffix.lower() in suffixes:
            raise DataError(
                found=f"{path.name!r} in no class",
                expected="every file in its class's folder",
                where=str(root),
                fix="put it into the folder of its class, or list the files in metadata.csv",
            )
    splits = [path for path in inside if path.name.lower() in NAMES]
    if not any(_folders(path) for path in splits):
        if inside and len(splits) == len(inside):
            raise DataError(
                found=f"files straight in {splits[0].name!r}",
                expected=f"a folder for each class in {splits[0].name!r}",
                where=str(root),
            )
        return [item for path in inside for item in _of_class(path, root, suffixes, None)]
    if others := [path.name for path in inside if path not in splits]:
        raise DataError(
            found=f"the folder {others[0]!r} beside {splits[0].name!r}",
            expected="either splits or classes",
            where=str(root),
            fix="move it into one of the splits",
        )
    found: list[Item] = []
    for path in splits:
        if loose := _files(path):
            raise DataError(
                found=f"{loose[0].name!r} in no class",
                expected="every file in its class's folder",
                where=str(path),
            )
        for folder in _folders(path):
            found += _of_class(folder, root, suffixes, NAMES[path.name.lower()])
    return found


def _of_class(
    folder: Path, root: Path, suffixes: frozenset[str], split: Split | None
) -> Iterator[Item]:
    if deeper := _folders(folder):
        raise DataError(
            found=f"the folder {deeper[0].name!r} in the class {folder.name!r}",
            expected="files only",
            where=str(folder),
            fix=f"put its files straight into {folder.name!r}, or list them in {METADATA}",
        )
    for path in _files(folder):
        name = _name(path, root)
        _has_known_suffix(name, suffixes, str(root))
        yield Item(path, split, folder.name, None, name)


def _from_any_folders(root: Path, suffixes: frozenset[str], data: Data) -> list[Item]:
    """Samples without answers: however deep they lie; folders mean nothing, splits aside."""
    _has_no_renamed_columns(root, data)
    inside = _folders(root)
    with_splits = bool(inside) and all(path.name.lower() in NAMES for path in inside)
    found = []
    for path in _below(root):
        name = _name(path, root)
        if path.suffix.lower() not in suffixes:
            continue
        top = PurePosixPath(name).parts[0].lower()
        if with_splits and top not in NAMES:
            raise DataError(
                found=f"{name!r} in no split",
                expected=f"every file below {' or '.join(repr(p.name) for p in inside)}",
                where=str(root),
            )
        found.append(Item(path, NAMES[top] if with_splits else None, "", None, name))
    return found


def _has_no_renamed_columns(root: Path, data: Data) -> None:
    for key in _RENAMED:
        if getattr(data, key) != Data.model_fields[key].default:
            raise DataError(
                found=f"no {METADATA}",
                expected=f"one, as data.{key} names a column",
                where=str(root),
                fix=f"write {METADATA} or take {key} out of [data]",
            )


def _below(root: Path) -> Iterator[Path]:
    """Every file, however deep, in order."""
    yield from _files(root)
    for folder in _folders(root):
        yield from _below(folder)


def _files(folder: Path) -> tuple[Path, ...]:
    return _inside(folder)[0]


def _folders(folder: Path) -> tuple[Path, ...]:
    return _inside(folder)[1]


def _inside(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Visible files and folders of a folder, in order."""
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink():
                    raise _link(Path(entry.path))
                if entry.is_dir():
                    folders.append(Path(entry.path))
                elif entry.is_file():
                    files.append(Path(entry.path))
    except OSError as error:
        raise DataError(_reason(error), where=str(folder)) from None
    return tuple(files), tuple(folders)


# --- metadata.csv ------------------------------------------------------------------------------


class _Columns(NamedTuple):
    """Where in a line of metadata.csv each part of an item stands; None: it has no such column."""

    file: int
    answers: tuple[int, ...]
    group: int | None
    id: int | None
    split: int | None


def _from_metadata(root: Path, suffixes: frozenset[str], data: Data) -> list[Item]:
    table = root / METADATA
    # What may be named: no link, nothing hidden, nothing outside, as in the fingerprint.
    files = {_name(path, root): path for path in _below(root)}
    rows = _lines(table)
    _, header = next(rows, (1, []))
    columns = _columns(header, data, str(table))
    found: list[Item] = []
    line_of: dict[tuple[str, str], int] = {}
    for line, cells in rows:
        where = f"{table}, line {line}"
        if len(cells) != len(header):
            raise DataError(
                found=f"{len(cells)} cells", expected=f"{len(header)} as in line 1", where=where
            )
        item = _item(cells, columns, files, suffixes, data, where)
        for what, value in (("file", _name(item.path, root)), ("id", item.id)):
            before = line_of.setdefault((what, value), line)
            if before != line:
                raise DataError(
                    found=f"the {what} {value!r} of line {before} again",
                    expected=f"every {what} once",
                    where=where,
                )
        found.append(item)
    return found


def _lines(table: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines that hold something, with their number, from 1."""
    try:
        # utf-8-sig: spreadsheets begin their CSV with a byte order mark.
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            try:
                for cells in reader:
                    if cells:
                        yield reader.line_num, [cell.strip() for cell in cells]
            except csv.Error as error:
                raise DataError(
                    f"not CSV ({error})", where=f"{table}, line {reader.line_num}"
                ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 ({error})", where=str(table)) from None
    except OSError as error:
        raise DataError(_reason(error), where=str(table)) from None


def _columns(header: list[str], data: Data, where: str) -> _Columns:
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise DataError(found=f"the column {twice[0]!r} twice", where=where)
    place = {name: column for column, name in enumerate(header)}
    rules = tasks.of(data.task).labels
    answers = data.target or (ANSWER,) if rules else ()
    renamed = [
        getattr(data, key)
        for key in ("group", "id")
        if getattr(data, key) != Data.model_fields[key].default
    ]
    if missing := [name for name in ("file", *answers, *renamed) if name not in place]:
        raise DataError(
            found=f"columns {header[:8]}",
            expected=f"{missing[0]!r} too",
            where=where,
            fix="add the column, or name the right one in [data]",
        )
    if rules and rules.one_column and len(answers) > 1:
        raise DataError(
            found=f"{len(answers)} columns in data.target",
            expected="one, which holds the class",
            where=where,
            fix='for several classes a sample say task = "multi-label" in [data]',
        )
    return _Columns(
        place["file"],
        tuple(place[name] for name in answers),
        place.get(data.group),
        place.get(data.id),
        place.get("split"),
    )


def _item(
    cells: list[str],
    columns: _Columns,
    files: Mapping[str, Path],
    suffixes: frozenset[str],
    data: Data,
    where: str,
) -> Item:
    name = _named(cells[columns.file], files, where)
    _has_known_suffix(name, suffixes, where)
    label, numbers = "", tuple[float, ...]()
    told = [cells[column] for column in columns.answers]
    rules = tasks.of(data.task).labels
    if rules and (rules.text == "number" or len(told) > 1):
        numbers = tuple(_number(cell, rules.values, where) for cell in told)
    elif told:
        label = told[0]
        if not label and rules and rules.text == "one name":
            raise DataError("no label", where=where, fix="fill the cell or take the line out")
    return Item(
        files[name],
        None if columns.split is None else _split(cells[columns.split], where),
        label,
        None if columns.group is None else _filled(cells[columns.group], "group", where),
        name if columns.id is None else _filled(cells[columns.id], "id", where),
        numbers,
    )


def _named(name: str, files: Mapping[str, Path], where: str) -> str:
    """The path below root of the file that a line names."""
    plain = PurePosixPath(name).as_posix()
    if plain not in files:
        raise DataError(
            found=f"the file {name!r}, which is not there",
            expected="a visible file below the folder of metadata.csv, such as 'cat/1.png'",
            where=where,
        )
    return plain


def _number(cell: str, values: Sequence[float], where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(found=repr(cell), expected="a finite number", where=where)
    if values and value not in values:
        raise DataError(found=repr(cell), expected=number_labels.listed(values), where=where)
    return value


def _split(cell: str, where: str) -> Split:
    if cell.lower() not in NAMES:
        raise DataError(found=f"split {cell!r}", expected=f"one of {list(SPLITS)}", where=where)
    return NAMES[cell.lower()]


def _filled(cell: str, what: str, where: str) -> str:
    if not cell:
        raise DataError(f"no {what}", where=where, fix="fill the cell or take the column out")
    return cell


# --- refusals ----------------------------------------------------------------------------------


def _is_folder(root: Path) -> None:
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise DataError(
            _reason(error, "no such folder"),
            where=str(root),
            fix="correct data.source in the recipe",
        ) from None
    if not is_folder:
        raise DataError(found="a file", expected="a folder", where=str(root))


def _has_the_splits_it_needs(items: Sequence[Item], root: Path) -> None:
    found = {item.split for item in items}
    if found == {None} or {"train", "test"} <= found:
        return
    raise DataError(
        found=f"splits {[split for split in SPLITS if split in found]}",
        expected="train and test",
        where=str(root),
        fix="name the split that judges the model 'test', or drop the splits to have them cut",
    )


def _has_known_suffix(name: str, suffixes: frozenset[str], where: str) -> None:
    if PurePosixPath(name).suffix.lower() not in suffixes:
        raise DataError(
            found=f"the file {name!r}",
            expected=f"one that ends in {_shown(suffixes)}",
            where=where,
            fix="take it out or convert it",
        )


def _name(path: Path, root: Path) -> str:
    """A path below root, as text that can be written down."""
    name = path.relative_to(root).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(
            found=f"the name {name!r}", expected="UTF-8", where=str(root), fix="rename it"
        ) from None
    return name


def _link(path: Path) -> DataError:
    return DataError(
        found=f"a link to {os.path.realpath(path)!r}",
        expected="a file or a folder",
        where=str(path),
        fix="put a copy in its place",
    )


def _shown(suffixes: frozenset[str]) -> str:
    return ", ".join(sorted(suffixes))


def _reason(error: Exception, absent: str = "no such file") -> str:
    if isinstance(error, FileNotFoundError):
        return absent
    return str(getattr(error, "strerror", None) or error)
