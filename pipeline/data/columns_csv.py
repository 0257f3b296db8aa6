"""Columns of a csv or tsv file: UTF-8, with one header line.

>>> describe(Path("sensors.csv"))["temperature"].kind
'float'

A file is read twice: once to find out which columns hold numbers, once to fill memory maps.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .arrays import create
from .column import Column, Kind, allocate, listed, require

BLOCK = 1024
"""Rows that are in memory as Python strings at a time; more do not fit into a CPU cache."""
MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "?"})
"""What means a missing value in a column of numbers; upper or lower case."""
_RANK: dict[Kind | None, int] = {None: 0, "int": 1, "float": 2, "text": 3, "other": 4}
"""A column has the kind of its value with the highest rank."""


class _Block(NamedTuple):
    """Consecutive rows.

    Attributes:
        start: number of the first row, from 0.
        lines: the line of the file on which each row ends.
        fields: the texts of each column.
    """

    start: int
    lines: list[int]
    fields: list[tuple[str, ...]]


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields; blank lines are left out."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        try:
            for fields in reader:
                if fields:
                    yield reader.line_num, fields
        except csv.Error as error:
            raise DataError(
                str(error),
                where=f"{path}, line {reader.line_num}",
                fix="look for a quotation mark that is not closed or not doubled",
            ) from None
        except UnicodeDecodeError:
            raise DataError(
                found="bytes that are not UTF-8",
                where=f"{path}, line {_undecodable(path)}",
                fix="save the file as UTF-8",
            ) from None


def _undecodable(path: Path) -> int:
    """The first line that is not UTF-8. The csv reader cannot tell, for its decoder reads ahead."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0


def _header(path: Path) -> list[str]:
    rows = _rows(path)
    _, names = next(rows, (0, []))
    rows.close()  # type: ignore[attr-defined]
    names = [name.strip() for name in names]
    if not names:
        raise DataError("an empty file", where=str(path))
    where = f"{path}, line 1"
    for i, name in enumerate(names):
        if not name:
            raise DataError(
                found=f"no name for column {i}",
                where=where,
                fix="name every column (pandas: to_csv(…, index=False) leaves its index out)",
            )
        if name in names[:i]:
            raise DataError(f"two columns named {name!r}", where=where, fix="rename one")
    if _kind_of(names)[0] in ("int", "float"):
        raise DataError(
            found=f"numbers ({listed(names)})",
            expected="the names of the columns",
            where=where,
            fix="add a header line",
        )
    if len(names) == 1 and any(separator in names[0] for separator in ";\t|"):
        raise DataError(
            found=f"one column named {names[0]!r}",
            where=where,
            fix="separate with commas in a .csv and with tabs in a .tsv",
        )
    return names


def _blocks(path: Path, width: int) -> Iterator[_Block]:
    rows = _rows(path)
    next(rows)
    start, lines, block = 0, [], []
    for line, fields in rows:
        if len(fields) != width:
            raise DataError(
                found=f"{len(fields)} fields",
                expected=f"{width}, as many as the header has",
                where=f"{path}, line {line}",
                fix="quote a field that holds the separator",
            )
        lines.append(line)
        block.append(fields)
        if len(block) == BLOCK:
            yield _Block(start, lines, list(zip(*block, strict=True)))
            start, lines, block = start + BLOCK, [], []
    if block:
        yield _Block(start, lines, list(zip(*block, strict=True)))


def _kind_of(values: Sequence[str]) -> tuple[Kind | None, int | None]:
    """The kind of texts (None: all are missing values), and the index of the first missing one."""
    if "_" in "".join(values):  # 1_000 is a number in Python, but not in data files
        return "text", None
    try:
        whole = [int(value) for value in values]
    except ValueError:
        pass
    else:
        # Longer numbers are identifiers; as a float they would lose their last digits.
        fits = min(whole, default=0) >= -(2**63) and max(whole, default=0) < 2**63
        return ("int" if fits else "text"), None
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        pass
    else:
        is_nan = np.isnan(numbers)
        return "float", int(np.argmax(is_nan)) if is_nan.any() else None
    missing = [i for i, value in enumerate(values) if value.strip().lower() in MISSING]
    if not missing:
        return "text", None
    rest = [value for value in values if value.strip().lower() not in MISSING]
    return (_kind_of(rest)[0] if rest else None), missing[0]


def describe(path: Path) -> dict[str, Column]:
    """The columns of a file, in its order.

    Raises:
        DataError: a header without rows or names, or a line with another number of fields.
    """
    names = _header(path)
    kinds: list[Kind | None] = [None] * len(names)
    longest, missing, odd = [0] * len(names), [""] * len(names), [""] * len(names)
    rows = 0
    for block in _blocks(path, len(names)):
        rows += len(block.lines)
        for i, values in enumerate(block.fields):
            longest[i] = max(longest[i], max(map(len, values)))
            if kinds[i] == "text":
                continue
            kind, first = _kind_of(values)
            if kind == "text":
                odd[i] = _odd(block, i, kinds[i])
            kinds[i] = max(kinds[i], kind, key=_RANK.__getitem__)
            if first is not None and not missing[i]:
                missing[i] = f"row {block.start + first} (from 0), line {block.lines[first]}"
    if rows == 0:
        raise DataError("a header and no rows", where=str(path))
    # A column of missing values alone is text, for it holds no number.
    return {
        name: Column(
            kind or "text", kind or "text", rows, (), characters, place or None, odd=cell or None
        )
        for name, kind, characters, place, cell in zip(
            names, kinds, longest, missing, odd, strict=True
        )
    }


def _odd(block: _Block, column: int, before: Kind | None) -> str:
    """The first cell that is no number, where most cells so far are numbers; else empty."""
    kinds = [_kind_of([value])[0] for value in block.fields[column]]
    texts = [i for i, kind in enumerate(kinds) if kind == "text"]
    numbers = sum(kind in ("int", "float") for kind in kinds)
    numbers += block.start if before in ("int", "float") else 0
    if numbers <= len(texts):
        return ""
    cell = block.fields[column][texts[0]]
    return f"{cell!r} in row {block.start + texts[0]} (from 0), line {block.lines[texts[0]]}"


def read(path: Path, folder: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Arrays of some columns, memory-mapped below a folder; ``columns`` is from ``describe``."""
    names = _header(path)
    arrays = allocate(folder, columns)
    for i, (name, column) in enumerate(columns.items()):
        if column.kind == "text":
            dtype = f"U{max(1, column.longest)}"
            arrays[name] = create(folder / f"text{i}.npy", dtype, (column.rows,))
    index = {name: names.index(name) for name in columns}
    to_value: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "text": str}
    converters = {
        name: _number_or_nan if column.gaps and column.kind == "float" else to_value[column.kind]
        for name, column in columns.items()
    }
    for block in _blocks(path, len(names)):
        rows = slice(block.start, block.start + len(block.lines))
        for name, convert in converters.items():
            arrays[name][rows] = list(map(convert, block.fields[index[name]]))
    return {name: arrays[name] for name in columns}


def _number_or_nan(text: str) -> float:
    return math.nan if text.strip().lower() in MISSING else float(text)


def strings(path: Path, name: str, _: Path) -> Iterator[list[str]]:
    """One column as text, block by block."""
    names = _header(path)
    require(names, name, str(path))
    for block in _blocks(path, len(names)):
        yield list(block.fields[names.index(name)])
