"""Columns of a csv, tsv, parquet or npz file, by name; memory stays flat however long they are.

>>> look(Path("sensors.csv"))["temperature"].kind
'float'
>>> read(Path("sensors.csv"), scratch, only=["temperature"])["temperature"].dtype
dtype('float64')

A csv file is UTF-8 with one header line and is read twice: once to see which columns are numbers,
once to fill memory maps.
"""

import csv
import importlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, HostError
from .arrays import create
from .checks import chunks

Kind = Literal["int", "float", "text", "other"]
BLOCK = 1024
"""Rows of a csv file held as Python strings at a time; more do not fit into a cache."""
_BATCH = 65_536
"""Rows of a parquet file held as Arrow arrays at a time."""
MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "?"})
"""What stands for no value in a column of numbers, in any case."""
_DTYPES = {"int": np.dtype(np.int64), "float": np.dtype(np.float64)}
_RANK: dict[Kind | None, int] = {None: 0, "int": 1, "float": 2, "text": 3, "other": 4}


class Column(NamedTuple):
    """What one column holds.

    Attributes:
        kind: whole numbers, numbers, text, or what cannot be used.
        says: the file's own word for it, for a message.
        rows: how many.
        shape: of one row; None for a list whose length shows only when it is read.
        longest: characters of the longest text, where it is known.
        missing: place of the first missing number.
    """

    kind: Kind
    says: str
    rows: int
    shape: tuple[int, ...] | None = ()
    longest: int = 0
    missing: str | None = None


def look(path: Path) -> dict[str, Column]:
    """What columns a file has, in its order.

    Raises:
        DataError: no such file, an unknown suffix, or a broken file.
        HostError: parquet without pyarrow.
    """
    reader = _reader(path)
    with _readable(path):
        return reader.look(path)


def read(
    path: Path,
    scratch: Path,
    only: Collection[str] | None = None,
    seen: Mapping[str, Column] | None = None,
) -> dict[str, NDArray[Any]]:
    """Columns as arrays: int64 or float64 where every value is a number, else str.

    Args:
        path: ``.csv``, ``.tsv``, ``.parquet`` or ``.npz``. An npz keeps its own dtypes.
        scratch: where the memory maps go.
        only: names to read; none: all.
        seen: what ``look`` said, to spare a pass.

    Returns:
        [n] each, or [n, …] where the file has arrays in a column, in the order of the file.

    Raises:
        DataError: as ``look``; a missing or infinite number; a name that is not there.
        HostError: parquet without pyarrow.
    """
    reader = _reader(path)
    columns = look(path) if seen is None else seen
    chosen = {name: columns[name] for name in columns if only is None or name in only}
    for name in only or ():
        require(columns, name, str(path))
    for name, column in chosen.items():
        if column.kind == "other":
            raise DataError(
                found=f"column {name!r} of {column.says}",
                expected="numbers or text",
                where=str(path),
                fix="convert it, or name the columns to use in the recipe",
            )
        if column.missing is not None and column.kind != "text":
            raise _gap(path, name, f"no value in {column.missing}")
    # A folder of its own: another file's maps, or this one's from before, must not be overwritten.
    folder = Path(tempfile.mkdtemp(dir=scratch))
    with _readable(path):
        found = reader.read(path, folder, chosen)
    for name, array in found.items():
        if array.dtype.kind == "f":
            _finite(path, name, array)
    return found


def strings(path: Path, name: str, scratch: Path) -> Iterator[list[str]]:
    """One column as text, whatever it looks like, a block at a time.

    Raises:
        DataError: as ``look``; a column that is not there or holds no text.
    """
    reader = _reader(path)
    with _readable(path):
        yield from reader.strings(path, name, Path(tempfile.mkdtemp(dir=scratch)))


def require(columns: Collection[str], name: str, where: str, key: str | None = None) -> None:
    """Refuse a name that is no column.

    Raises:
        DataError: lists the columns there are.
    """
    if name not in columns:
        raise DataError(
            found=f"no column {name!r} among {listed(columns)}",
            where=where,
            fix=f"correct {key} in the recipe" if key else None,
        )


def listed(names: Collection[str]) -> str:
    """Names for a message, not more than a dozen."""
    some = ", ".join(repr(name) for name in list(names)[:12])
    return some + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _finite(path: Path, name: str, array: NDArray[Any]) -> None:
    for rows in chunks(len(array), int(np.prod(array.shape[1:]))):
        bad = ~np.isfinite(array[rows])
        if bad.any():
            place = np.argwhere(bad)[0]
            value = array[rows][tuple(place)]
            raise _gap(path, name, f"{value} in row {rows.start + int(place[0])} (from 0)")


def _gap(path: Path, name: str, found: str) -> DataError:
    return DataError(
        found=f"column {name!r} has {found}",
        expected="a finite number in every row",
        where=str(path),
        fix="fill that value in or leave the row out",
    )


def _reader(path: Path) -> "Reader":
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            found=f"suffix {path.suffix!r}",
            expected=f"one of {', '.join(READERS)}",
            where=str(path),
        )
    return reader


_BROKEN = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,  # pyarrow's ArrowInvalid too
    RuntimeError,  # an encrypted member
    NotImplementedError,  # a compression or an Arrow type that is not known
)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever a library says of a broken file, as one kind of error."""
    try:
        yield
    except FileNotFoundError:
        raise DataError("no such file", where=str(path), fix="correct data.source") from None
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None and not error.filename:
            raise  # a full disk below scratch
        detail = str(error)
        if "allow_pickle" in detail or "Python objects" in detail:
            detail = "it holds pickled objects"
        raise DataError(
            f"not readable as {path.suffix.lower()} ({detail})",
            where=str(path),
            fix="write the file again from plain numbers and text",
        ) from None


# --- csv and tsv ------------------------------------------------------------------------------


class _Block(NamedTuple):
    """Rows of a csv file by column, and the line on which each ends."""

    start: int
    lines: list[int]
    fields: list[tuple[str, ...]]


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
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
    """The first line that is not UTF-8: the decoder reads ahead, and so cannot say."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0


def _csv_header(path: Path) -> list[str]:
    rows = _csv_rows(path)
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
    if _sort(names)[0] in ("int", "float"):
        raise DataError(
            found=f"numbers ({listed(names)})",
            expected="the names of the columns",
            where=where,
            fix="put a header line first",
        )
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise DataError(
            found=f"one column named {names[0]!r}",
            where=where,
            fix="separate with commas in a .csv and with tabs in a .tsv",
        )
    return names


def _csv_blocks(path: Path, width: int) -> Iterator[_Block]:
    rows = _csv_rows(path)
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


def _sort(values: Sequence[str]) -> tuple[Kind | None, int | None]:
    """What texts are (None: nothing but missing values) and which is the first missing one."""
    if "_" in "".join(values):  # Python takes 1_000 for a number, nobody else does
        return "text", None
    try:
        whole = [int(value) for value in values]
    except ValueError:
        pass
    else:
        # Longer digits name something; as a float they would lose their end.
        fits = min(whole, default=0) >= -(2**63) and max(whole, default=0) < 2**63
        return ("int" if fits else "text"), None
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        pass
    else:
        gap = np.isnan(numbers)
        return "float", int(np.argmax(gap)) if gap.any() else None
    gaps = [i for i, value in enumerate(values) if value.strip().lower() in MISSING]
    if not gaps:
        return "text", None
    rest = [value for value in values if value.strip().lower() not in MISSING]
    return (_sort(rest)[0] if rest else None), gaps[0]


def _csv_look(path: Path) -> dict[str, Column]:
    names = _csv_header(path)
    kinds: list[Kind | None] = [None] * len(names)
    longest, missing = [0] * len(names), [""] * len(names)
    rows = 0
    for block in _csv_blocks(path, len(names)):
        rows += len(block.lines)
        for i, values in enumerate(block.fields):
            longest[i] = max(longest[i], max(map(len, values)))
            if kinds[i] == "text":
                continue
            kind, gap = _sort(values)
            kinds[i] = max(kinds[i], kind, key=_RANK.__getitem__)
            if gap is not None and not missing[i]:
                missing[i] = f"row {block.start + gap} (from 0), line {block.lines[gap]}"
    if rows == 0:
        raise DataError("a header and no rows", where=str(path))
    # A column of empty fields is text: nothing in it is a number.
    return {
        name: Column(kind or "text", kind or "text", rows, (), long, gap or None)
        for name, kind, long, gap in zip(names, kinds, longest, missing, strict=True)
    }


def _room(folder: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Space for columns of single numbers; one file a kind, as a file each soon are too many."""
    room: dict[str, NDArray[Any]] = {}
    for kind, dtype in _DTYPES.items():
        names = [name for name, c in columns.items() if c.kind == kind and c.shape == ()]
        if names:
            rows = columns[names[0]].rows
            room |= zip(
                names, create(folder / f"{kind}.npy", dtype, (len(names), rows)), strict=True
            )
    return room


def _csv_read(path: Path, folder: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    names = _csv_header(path)
    found = _room(folder, columns)
    for i, (name, column) in enumerate(columns.items()):
        if column.kind == "text":
            dtype = f"U{max(1, column.longest)}"
            found[name] = create(folder / f"text{i}.npy", dtype, (column.rows,))
    places = {name: names.index(name) for name in columns}
    to_value: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "text": str}
    for block in _csv_blocks(path, len(names)):
        rows = slice(block.start, block.start + len(block.lines))
        for name, column in columns.items():
            values = block.fields[places[name]]
            found[name][rows] = list(map(to_value[column.kind], values))
    return {name: found[name] for name in columns}


def _csv_strings(path: Path, name: str, _: Path) -> Iterator[list[str]]:
    names = _csv_header(path)
    require(names, name, str(path))
    for block in _csv_blocks(path, len(names)):
        yield list(block.fields[names.index(name)])


# --- parquet ----------------------------------------------------------------------------------


def _parquet(path: Path) -> tuple[Any, Any]:
    """Pyarrow and the opened file."""
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise HostError(
            "parquet files need pyarrow, which is not installed",
            where=str(path),
            fix="pip install 'edgestill[table]', or save the file as .csv",
        ) from None
    if not path.is_file():
        raise FileNotFoundError
    return arrow, parquet.ParquetFile(path)


def _parquet_kind(arrow: Any, kind: Any) -> tuple[Kind, tuple[int, ...] | None]:
    types = arrow.types
    if types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind):
        inner, shape = _parquet_kind(arrow, kind.value_type)
        return (inner if inner in _DTYPES and shape == () else "other"), None
    if types.is_integer(kind) or types.is_boolean(kind):
        return "int", ()
    if types.is_floating(kind):
        return "float", ()
    if types.is_dictionary(kind):
        return _parquet_kind(arrow, kind.value_type)
    text = types.is_string(kind) or types.is_large_string(kind)
    return ("text" if text else "other"), ()


def _parquet_look(path: Path) -> dict[str, Column]:
    arrow, file = _parquet(path)
    rows = file.metadata.num_rows
    if rows == 0:
        raise DataError("a schema and no rows", where=str(path))
    columns = {}
    for field in file.schema_arrow:
        if field.name in columns:
            raise DataError(f"two columns named {field.name!r}", where=str(path), fix="rename one")
        kind, shape = _parquet_kind(arrow, field.type)
        columns[field.name] = Column(kind, str(field.type), rows, shape)
    return columns


def _parquet_batches(path: Path, names: Sequence[str]) -> Iterator[tuple[int, list[Any]]]:
    """First row and the columns of each batch, without gaps."""
    arrow, file = _parquet(path)
    start = 0
    for batch in file.iter_batches(batch_size=_BATCH, columns=list(names)):
        found = [batch.column(batch.schema.get_field_index(name)) for name in names]
        for name, column in zip(names, found, strict=True):
            if column.null_count:
                gap = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
                raise _gap(path, name, f"no value in row {start + gap} (from 0)")
        decode = arrow.types.is_dictionary
        yield start, [c.dictionary_decode() if decode(c.type) else c for c in found]
        start += len(batch)


def _parquet_read(
    path: Path, folder: Path, columns: Mapping[str, Column]
) -> dict[str, NDArray[Any]]:
    found = _room(folder, columns)
    texts: dict[str, list[NDArray[Any]]] = {}
    for start, batch in _parquet_batches(path, list(columns)):
        for i, (name, column) in enumerate(columns.items()):
            part = batch[i]
            if column.kind == "text":
                texts.setdefault(name, []).append(np.array(part.to_pylist(), dtype=np.str_))
                continue
            values = part if column.shape == () else part.flatten()
            if values.null_count:
                raise _gap(path, name, "a list with no value in it")
            plain = values.cast(_DTYPES[column.kind].name.replace("float64", "double"))
            numbers = plain.to_numpy(zero_copy_only=False)
            if column.shape is None:
                numbers = _even(path, name, part, numbers)
                if name not in found:
                    shape = (column.rows, numbers.shape[1])
                    found[name] = create(folder / f"list{i}.npy", numbers.dtype, shape)
                if numbers.shape[1] != found[name].shape[1]:
                    raise _uneven(path, name)
            found[name][start : start + len(part)] = numbers
    return {name: np.concatenate(texts[name]) if name in texts else found[name] for name in columns}


def _even(path: Path, name: str, lists: Any, numbers: NDArray[Any]) -> NDArray[Any]:
    """Lists of one length as [rows, length]."""
    compute = importlib.import_module("pyarrow.compute")
    lengths = compute.list_value_length(lists).to_numpy(zero_copy_only=False)
    if lengths.min() != lengths.max() or lengths[0] == 0:
        raise _uneven(path, name)
    return numbers.reshape(len(lists), -1)


def _uneven(path: Path, name: str) -> DataError:
    return DataError(
        found=f"column {name!r} of lists that differ in length or are empty",
        expected="as many numbers in every row",
        where=str(path),
    )


def _parquet_strings(path: Path, name: str, _: Path) -> Iterator[list[str]]:
    columns = _parquet_look(path)
    require(columns, name, str(path))
    if columns[name].kind != "text":
        raise _no_text(path, name, columns[name])
    for _start, (part,) in _parquet_batches(path, [name]):
        yield part.to_pylist()


def _no_text(path: Path, name: str, column: Column) -> DataError:
    return DataError(
        found=f"column {name!r} of {column.says}", expected="a column of text", where=str(path)
    )


# --- npz --------------------------------------------------------------------------------------


def _npz_look(path: Path) -> dict[str, Column]:
    columns = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                continue
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                header = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    header = np.lib.format.read_array_header_2_0
                shape, _, dtype = header(stream)
            kind: Kind = {"i": "int", "u": "int", "b": "int", "f": "float"}.get(  # type: ignore[assignment]
                dtype.kind, "text" if dtype.kind in "US" else "other"
            )
            rows, inner = (shape[0], shape[1:]) if shape else (0, ())
            name = member.removesuffix(".npy")
            columns[name] = Column(kind if shape else "other", str(dtype), rows, inner)
    if not columns:
        raise DataError("no arrays in it", where=str(path))
    return columns


def _npz_read(path: Path, folder: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Each member unpacked to a file of its own, whose name is ours."""
    found: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(path) as archive:
        for i, name in enumerate(columns):
            target = folder / f"member{i}.npy"
            with archive.open(f"{name}.npy") as packed, target.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
            array = np.load(target, mmap_mode="r", allow_pickle=False)
            found[name] = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
    return found


def _npz_strings(path: Path, name: str, folder: Path) -> Iterator[list[str]]:
    columns = _npz_look(path)
    require(columns, name, str(path))
    if columns[name].kind != "text" or columns[name].shape != ():
        raise _no_text(path, name, columns[name])
    array = _npz_read(path, folder, {name: columns[name]})[name]
    for start in range(0, len(array), BLOCK):
        yield array[start : start + BLOCK].tolist()


class Reader(NamedTuple):
    """How one kind of file is read."""

    look: Callable[[Path], dict[str, Column]]
    read: Callable[[Path, Path, Mapping[str, Column]], dict[str, NDArray[Any]]]
    strings: Callable[[Path, str, Path], Iterator[list[str]]]


READERS = {
    ".csv": Reader(_csv_look, _csv_read, _csv_strings),
    ".tsv": Reader(_csv_look, _csv_read, _csv_strings),
    ".parquet": Reader(_parquet_look, _parquet_read, _parquet_strings),
    ".npz": Reader(_npz_look, _npz_read, _npz_strings),
}
