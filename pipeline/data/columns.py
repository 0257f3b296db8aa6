"""Columns of a csv, tsv, parquet or npz file, by name, in constant memory.

>>> describe(Path("sensors.csv"))["temperature"].kind
'float'
>>> read(Path("sensors.csv"), scratch, only=["temperature"])["temperature"].dtype
dtype('float64')

``READERS`` has a reader for each suffix.
"""

import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, no_file
from . import columns_csv, columns_npz, columns_parquet
from .checks import chunks
from .column import Column, Kind, not_finite, require


def describe(path: Path) -> dict[str, Column]:
    """The columns of a file, in the file's order.

    Raises:
        DataError: no such file, an unknown suffix, or a broken file.
        HostError: parquet without pyarrow.
    """
    reader = _reader(path)
    with _readable(path):
        return reader.describe(path)


def read(
    path: Path,
    scratch: Path,
    only: Collection[str] | None = None,
    described: Mapping[str, Column] | None = None,
    gaps: Collection[str] = (),
) -> dict[str, NDArray[Any]]:
    """Columns as arrays: int64 or float64 where every value is a number, else str.

    Args:
        path: ``.csv``, ``.tsv``, ``.parquet`` or ``.npz``. An npz keeps its own dtypes.
        scratch: folder for the memory maps.
        only: names to read; None: all.
        described: the result of ``describe``, which saves a pass over the file.
        gaps: columns whose missing values are NaN, or empty text, instead of an error. Of csv and
            parquet they become float64.

    Returns:
        An array [n] for each column, or [n, …] where a row holds several numbers, in the file's
        order.

    Raises:
        DataError: as ``describe``; a missing or infinite number; a name that is no column.
        HostError: parquet without pyarrow.
    """
    reader = _reader(path)
    columns = describe(path) if described is None else described
    chosen = {name: columns[name] for name in columns if only is None or name in only}
    for name in only or ():
        require(columns, name, str(path))
    for name, column in chosen.items():
        if column.kind == "other":
            raise DataError(
                found=f"column {name!r} of {column.type_name}",
                expected="numbers or text",
                where=str(path),
                fix="convert it, or name the columns to use in the recipe",
            )
        if name in gaps:
            kind: Kind = "float" if column.kind == "int" else column.kind
            chosen[name] = column._replace(kind=kind, gaps=True)
        elif column.missing is not None and column.kind != "text":
            raise not_finite(path, name, f"no value in {column.missing}")
    # A new folder, so that no memory map of another file or an earlier read is overwritten.
    folder = Path(tempfile.mkdtemp(dir=scratch))
    with _readable(path):
        arrays = reader.read(path, folder, chosen)
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            _require_finite(path, name, array, gaps=name in gaps)
    return arrays


def strings(path: Path, name: str, scratch: Path) -> Iterator[list[str]]:
    """One column as text, block by block; numbers in a csv file are text, too.

    Raises:
        DataError: as ``describe``; a name that is no column, or a column without text.
    """
    reader = _reader(path)
    with _readable(path):
        yield from reader.strings(path, name, Path(tempfile.mkdtemp(dir=scratch)))


def _require_finite(path: Path, name: str, array: NDArray[Any], *, gaps: bool) -> None:
    for rows in chunks(len(array), int(np.prod(array.shape[1:]))):
        bad = np.isinf(array[rows]) if gaps else ~np.isfinite(array[rows])
        if bad.any():
            index = np.argwhere(bad)[0]
            value = array[rows][tuple(index)]
            raise not_finite(path, name, f"{value} in row {rows.start + int(index[0])} (from 0)")


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
    ValueError,  # also pyarrow's ArrowInvalid
    RuntimeError,  # an encrypted member of an archive
    NotImplementedError,  # an unknown compression or Arrow type
)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn the libraries' errors about a broken file into a ``DataError``."""
    try:
        yield
    except FileNotFoundError:
        raise no_file(path, DataError, "correct data.source in the recipe") from None
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None and not error.filename:
            raise  # the disk of the scratch folder is full
        detail = str(error)
        if "allow_pickle" in detail or "Python objects" in detail:
            detail = "it holds pickled objects"
        raise DataError(
            f"not readable as {path.suffix.lower()} ({detail})",
            where=str(path),
            fix="write the file again from plain numbers and text",
        ) from None


class Reader(NamedTuple):
    """How files of one format are read.

    Attributes:
        describe: the columns of a file.
        read: arrays of some columns; may write memory maps to the folder.
        strings: one column as text, block by block; may unpack to the folder.
    """

    describe: Callable[[Path], dict[str, Column]]
    read: Callable[[Path, Path, Mapping[str, Column]], dict[str, NDArray[Any]]]
    strings: Callable[[Path, str, Path], Iterator[list[str]]]


READERS = {
    ".csv": Reader(columns_csv.describe, columns_csv.read, columns_csv.strings),
    ".tsv": Reader(columns_csv.describe, columns_csv.read, columns_csv.strings),
    ".parquet": Reader(columns_parquet.describe, columns_parquet.read, columns_parquet.strings),
    ".npz": Reader(columns_npz.describe, columns_npz.read, columns_npz.strings),
}
"""Readers by the suffix of a file."""
