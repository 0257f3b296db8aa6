"""One column of a data file: what it holds, and what the readers of every format share.

>>> Column("float", "double", rows=3).kind
'float'
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .arrays import create

Kind = Literal["int", "float", "text", "other"]
DTYPES = {"int": np.dtype(np.int64), "float": np.dtype(np.float64)}
"""The dtype of each kind of numbers."""


class Column(NamedTuple):
    """What one column holds.

    Attributes:
        kind: whole numbers, numbers, text, or values that cannot be used.
        type_name: the file's own name of the type, for a message.
        rows: number of rows.
        shape: of one row; None for a list whose length is known only after reading.
        longest: characters of the longest text, in a csv file.
        missing: place of the first missing number.
        gaps: whether missing values are read, as NaN or empty text.
        odd: the first cell that is no number in a column of mostly numbers, and its place.
        member: its name in an npz file, where that is another.
    """

    kind: Kind
    type_name: str
    rows: int
    shape: tuple[int, ...] | None = ()
    longest: int = 0
    missing: str | None = None
    member: str | None = None
    odd: str | None = None
    gaps: bool = False


def allocate(folder: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Arrays for the columns of single numbers, memory-mapped below a folder.

    Columns of one kind share a file, for a file each could exceed the limit of open files.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for kind, dtype in DTYPES.items():
        names = [name for name, c in columns.items() if c.kind == kind and c.shape == ()]
        if names:
            rows = columns[names[0]].rows
            arrays |= zip(
                names, create(folder / f"{kind}.npy", dtype, (len(names), rows)), strict=True
            )
    return arrays


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
    """Names for a message, at most twelve."""
    first = ", ".join(repr(name) for name in list(names)[:12])
    return first + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def not_finite(path: Path, name: str, value: str) -> DataError:
    """The error for a column of numbers with a value that is missing or not finite."""
    return DataError(
        found=f"column {name!r} has {value}",
        expected="a finite number in every row",
        where=str(path),
        fix='fill that value in or leave the row out, or set missing = "median" in [data.table]',
    )


def not_text(path: Path, name: str, column: Column) -> DataError:
    """The error for a column that should hold text and does not."""
    return DataError(
        found=f"column {name!r} of {column.type_name}",
        expected="a column of text",
        where=str(path),
    )
