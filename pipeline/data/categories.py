"""Columns of categories in a table: which they are, and their values as codes.

>>> coded(np.array(["Oslo", "Rome", "Oslo"]), "city", "d.csv", gaps=False)
(array([0., 1., 0.]), ('Oslo', 'Rome'))
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..recipe.data import Data
from .column import Column, require

MOST = 100
"""Different values up to which a column of text is taken for categories without being named."""


def categorical(
    described: Mapping[str, Column], inputs: Collection[str], data: Data, where: str
) -> tuple[str, ...]:
    """The input columns that hold categories: those the recipe names, and those of text.

    Raises:
        DataError: a name that is no input column, or a column of numbers with a cell that is none.
    """
    for name in data.table.categorical:
        require(described, name, where, "data.table.categorical")
        if name not in inputs:
            raise DataError(
                found=f"{name!r}, which is no input column", where="data.table.categorical"
            )
    for name in inputs:
        odd = described[name].odd
        if odd is not None and name not in data.table.categorical:
            raise DataError(
                found=f"{odd}, column {name!r}",
                expected="a number, as in most of that column",
                where=where,
                fix="correct that cell, or name the column in data.table.categorical if it holds "
                "categories",
            )
    return tuple(
        name for name in inputs if name in data.table.categorical or described[name].kind == "text"
    )


def coded(
    values: NDArray[Any], name: str, where: str, *, gaps: bool, named: bool = False
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The code of each value, float64 [n], and the values in the order of their codes.

    Args:
        values: of the column, [n], text or numbers.
        name: of the column.
        where: the file, for a message.
        gaps: whether an empty value may be missing, which is NaN.
        named: whether the recipe says that the column holds categories.

    Raises:
        DataError: an empty value where none may be missing; too many different values.
    """
    known, code = np.unique(_texts(values), return_inverse=True)
    codes = code.astype(np.float64)
    if known[0] == "":
        if not gaps:
            raise DataError(
                found=f"no value in row {int(np.argmin(code))} (from 0), column {name!r}",
                expected="a value in every row",
                where=where,
                fix='fill it in, or set missing = "median" in [data.table]: a category that is '
                "missing is then one of its own",
            )
        codes, known = np.where(code == 0, np.nan, codes - 1.0), known[1:]
    if len(known) > MOST and not named:
        raise DataError(
            found=f"column {name!r} of text with {len(known):,} different values in "
            f"{len(values):,} rows, such as {str(known[0])!r}",
            expected=f"numbers, or at most {MOST} categories",
            where=where,
            fix="leave it out with data.ignore or data.table.columns, or name it in "
            "data.table.categorical",
        )
    return codes, tuple(str(value) for value in known)


def _texts(values: NDArray[Any]) -> NDArray[np.str_]:
    """Values as text: a whole number without a decimal point, a missing one empty."""
    if values.dtype.kind != "f":
        return values.astype(np.str_)
    return np.array(
        [
            "" if value != value else str(int(value)) if value.is_integer() else repr(value)
            for value in values.tolist()
        ],
        dtype=np.str_,
    )


def unified(
    codes: Mapping[str, NDArray[Any]], categories: Mapping[str, Sequence[str]]
) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Codes of several files on one common list of categories.

    Args:
        codes: by file, [n] or [n, window], NaN where missing.
        categories: of each file.

    Returns:
        The new codes by file, and all categories in sorted order.
    """
    every = tuple(sorted({value for values in categories.values() for value in values}))
    place = {value: float(i) for i, value in enumerate(every)}
    result = {}
    for file, old in codes.items():
        # A last entry for what is missing.
        new = np.array([*(place[value] for value in categories[file]), np.nan])
        is_missing = np.isnan(old)
        result[file] = new[np.where(is_missing, len(new) - 1, np.nan_to_num(old)).astype(np.int64)]
    return result, every
