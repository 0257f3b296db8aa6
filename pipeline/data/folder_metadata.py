"""Samples from a folder with ``metadata.csv``, which lists the files, labels and splits."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ...errors import DataError
from .. import tasks
from ..recipe.data import Data
from ..records import Split
from ..tasks import number_labels
from .folder_files import (
    METADATA,
    Item,
    all_files,
    name_below,
    reason_of,
    require_suffix,
)
from .split_names import EXPECTED, SPLIT_NAMES

TARGET = "label"
"""Column of the target, unless ``data.target`` names others."""


class _Columns(NamedTuple):
    """The index of each column of metadata.csv in a line; None: there is no such column."""

    file: int
    targets: tuple[int, ...]
    group: int | None
    id: int | None
    split: int | None


def from_metadata(root: Path, suffixes: frozenset[str], data: Data) -> list[Item]:
    """The files that ``root/metadata.csv`` lists.

    Raises:
        DataError: names the line that is wrong.
    """
    table = root / METADATA
    # The files that a line may name: no link, nothing hidden, nothing outside root. The fingerprint
    # covers the same files.
    files = {name_below(root, path): path for path in all_files(root)}
    rows = _lines(table)
    _, header = next(rows, (1, []))
    columns = _columns(header, data, str(table))
    items: list[Item] = []
    first_line: dict[tuple[str, str], int] = {}
    for line, cells in rows:
        where = f"{table}, line {line}"
        if len(cells) != len(header):
            raise DataError(
                found=f"{len(cells)} cells", expected=f"{len(header)} as in line 1", where=where
            )
        name = _file_name(cells[columns.file], files, where)
        require_suffix(name, suffixes, where)
        item = _item(name, files[name], cells, columns, data, where)
        for kind, value in (("file", name), ("id", item.id)):
            before = first_line.setdefault((kind, value), line)
            if before != line:
                raise DataError(
                    found=f"the {kind} {value!r} of line {before} again",
                    expected=f"every {kind} once",
                    where=where,
                )
        items.append(item)
    return items


def _lines(table: Path) -> Iterator[tuple[int, list[str]]]:
    """The cells of every line that is not empty, with its number, from 1."""
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
        raise DataError(reason_of(error), where=str(table)) from None


def _columns(header: list[str], data: Data, where: str) -> _Columns:
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise DataError(
            found=f"the column {repeated[0]!r} twice",
            expected="every column once",
            where=where,
            fix="rename or remove one of them",
        )
    index = {name: column for column, name in enumerate(header)}
    rules = tasks.of(data.task).labels
    targets = data.target or (TARGET,) if rules else ()
    renamed = [
        getattr(data, key)
        for key in ("group", "id")
        if getattr(data, key) not in ("", Data.model_fields[key].default)
    ]
    if missing := [name for name in ("file", *targets, *renamed) if name not in index]:
        raise DataError(
            found=f"columns {header[:8]}",
            expected=f"{missing[0]!r} too",
            where=where,
            fix="add the column, or name the right one in [data]",
        )
    if rules and rules.one_column and len(targets) > 1:
        raise DataError(
            found=f"{len(targets)} columns in data.target",
            expected="one, which holds the class",
            where=where,
            fix='for several classes per sample set task = "multi-label" in [data]',
        )
    return _Columns(
        index["file"],
        tuple(index[name] for name in targets),
        index.get(data.group),
        index.get(data.id),
        index.get("split"),
    )


def _item(
    name: str, path: Path, cells: list[str], columns: _Columns, data: Data, where: str
) -> Item:
    label, numbers = "", tuple[float, ...]()
    targets = [cells[column] for column in columns.targets]
    rules = tasks.of(data.task).labels
    if rules and (rules.text == "number" or len(targets) > 1):
        numbers = tuple(_number(cell, rules.values, where) for cell in targets)
    elif targets:
        label = targets[0]
    return Item(
        path,
        None if columns.split is None else _split(cells[columns.split], where),
        label,
        None if columns.group is None else _not_empty(cells[columns.group], "group", where),
        name if columns.id is None else _not_empty(cells[columns.id], "id", where),
        numbers,
    )


def _file_name(cell: str, files: Mapping[str, Path], where: str) -> str:
    """The path below root of the file that a line names."""
    name = PurePosixPath(cell).as_posix()
    if name not in files:
        raise DataError(
            found=f"the file {cell!r}, which does not exist",
            expected="a visible file below the folder of metadata.csv, such as 'cat/1.png'",
            where=where,
        )
    return name


def _number(cell: str, values: Sequence[float], where: str) -> float:
    """The number of a label; NaN where the cell is empty."""
    if not cell:
        return math.nan
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
    if cell.lower() not in SPLIT_NAMES:
        raise DataError(found=f"split {cell!r}", expected=EXPECTED, where=where)
    return SPLIT_NAMES[cell.lower()]


def _not_empty(cell: str, kind: str, where: str) -> str:
    if not cell:
        raise DataError(f"no {kind}", where=where, fix="fill the cell or remove the column")
    return cell
