"""The rows of one file of a table: which columns are inputs, and their numbers as one matrix."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..recipe.data import Data
from ..records import SPLITS
from . import columns as files
from .array_names import LABELS, meanings
from .arrays import create
from .categories import categorical, coded
from .checks import chunks
from .column import Column, listed, require
from .column_roles import Roles, arrays_of_roles, gaps_of, roles_of, spread
from .split_files import SplitArrays

LAST_WHOLE_FLOAT32 = 1 << 24
"""float32 rounds whole numbers above this one."""


def arrays_of_file(
    path: Path, split: str, scratch: Path, data: Data, notes: list[str]
) -> dict[str, SplitArrays]:
    """The arrays of a file: of its one split, or of several if its keys say so (``x_train``).

    Args:
        path: of the file.
        split: of its rows, or ``""`` if the file has all rows.
        scratch: folder for the memory maps.
        data: the recipe's section.
        notes: gets sentences for the report.

    Returns:
        By split: x, columns, labels and what has a role: y, group, id, split.

    Raises:
        DataError: columns that are missing, unfit or of unequal length.
    """
    described = _by_meaning(files.describe(path), path, data)
    if split == "" and "x_train" in described:
        splits = [split for split in SPLITS if f"x_{split}" in described]
        return {s: _arrays(path, described, f"_{s}", scratch, data, notes) for s in splits}
    return {split: _arrays(path, described, "", scratch, data, notes)}


def _by_meaning(described: dict[str, Column], path: Path, data: Data) -> dict[str, Column]:
    """The arrays of an npz that holds the whole input, under the names that they mean."""
    is_matrix = any(
        name.lower().startswith("x") and column.shape != () for name, column in described.items()
    )
    if path.suffix.lower() != ".npz" or not is_matrix:
        return described
    names = meanings(described, {**LABELS, "x": ("x",)}, str(path), data=data, keep=True)
    return {key: described[name]._replace(member=name) for key, name in names.items()}


def _arrays(
    path: Path,
    described: Mapping[str, Column],
    suffix: str,
    scratch: Path,
    data: Data,
    notes: list[str],
) -> SplitArrays:
    where = str(path)
    is_npz = path.suffix.lower() == ".npz"
    roles = roles_of(described, data, where, suffix)
    matrix = f"x{suffix}"
    if is_npz and matrix in described and described[matrix].shape != ():
        inputs: tuple[str, ...] = (matrix,)
    else:
        inputs = _inputs(described, roles, data, where)
    extra = [name for name in ("labels",) if is_npz and name in described]
    gaps = inputs if data.table.missing != "refuse" else ()
    if path.suffix.lower() in (".csv", ".tsv"):
        # As they are written: the category 007 is no number.
        described = {
            name: column._replace(kind="text") if name in data.table.categorical else column
            for name, column in described.items()
        }
    wanted, may_lack = {*inputs, *roles.names, *extra}, {*gaps, *gaps_of(roles, described)}
    columns = files.read(path, scratch, wanted, described, may_lack)
    categories: dict[str, tuple[str, ...]] = {}
    if inputs == (matrix,) and matrix in columns and columns[matrix].ndim > 1:
        x = columns[matrix]
        names = _column_names(x, data, where)
    else:
        chosen = {name: columns[name] for name in inputs}
        for name in categorical(described, inputs, data, where):
            chosen[name], categories[name] = coded(
                columns[name],
                name,
                where,
                gaps=bool(gaps),
                named=name in data.table.categorical,
            )
        names = tuple(n for name in inputs for n in spread(name, chosen[name]))
        x = _matrix(chosen, len(names), scratch, where, notes)
    arrays = arrays_of_roles(columns, roles, data, len(x), where)
    if inputs != (matrix,) and not data.table.columns and "label" in {*described} - {*roles.names}:
        notes.append("column 'label' is not an input, for it probably holds targets")
    if extra:
        arrays["labels"] = tuple(str(name) for name in np.atleast_1d(columns["labels"]))
    return arrays | {"x": x, "columns": names, "categories": categories}


def _inputs(
    described: Mapping[str, Column], roles: Roles, data: Data, where: str
) -> tuple[str, ...]:
    """The input columns: those the recipe names, or all numbers without another role."""
    for name in data.ignore:
        require(described, name, where, "data.ignore")
    if data.table.columns:
        _check_named_inputs(described, roles, data, where)
        return data.table.columns
    # If another column holds the targets, a column 'label' would reveal them.
    no_inputs = {*roles.names, *data.ignore, "label", "labels"}
    free = [name for name in described if name not in no_inputs]
    unfit = [name for name in free if described[name].kind == "other"]
    if unfit:
        raise DataError(
            found=f"columns {listed(unfit)} that hold neither numbers nor text and have no role",
            where=where,
            fix="leave them out with data.ignore, or name the input columns in data.table.columns",
        )
    if not free:
        raise DataError(
            found=f"no column of numbers left for input among {listed(described)}", where=where
        )
    return tuple(free)


def _check_named_inputs(
    described: Mapping[str, Column], roles: Roles, data: Data, where: str
) -> None:
    for name in data.table.columns:
        require(described, name, where, "data.table.columns")
        if name in roles.names:
            raise DataError(
                found=f"{name!r} as an input and as target, group, id or split",
                where="data.table.columns",
                fix="remove it from one of them",
            )
        if described[name].kind == "other":
            raise DataError(
                found=f"column {name!r} of {described[name].type_name}",
                expected="numbers or text",
                where=where,
                fix="encode it as numbers or leave it out of data.table.columns",
            )


def _column_names(x: NDArray[Any], data: Data, where: str) -> tuple[str, ...]:
    """Names for the last axis of an array that is the whole input."""
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
    names = data.table.columns
    if names and len(names) != x.shape[-1]:
        raise DataError(
            found=f"{len(names)} names",
            expected=f"{x.shape[-1]}, one for each column of x",
            where="data.table.columns",
        )
    return names or tuple(str(i) for i in range(x.shape[-1]))


def _matrix(
    columns: Mapping[str, NDArray[Any]], width: int, scratch: Path, where: str, notes: list[str]
) -> NDArray[np.float32]:
    """Columns side by side, float32 [n, width], memory-mapped."""
    rows = _shared_length(columns, where)
    x = create(_unused(scratch, "rows"), np.float32, (rows, width))
    rounded: dict[str, bool] = dict.fromkeys(columns, False)
    for part in chunks(rows, width):
        start = 0
        for name, column in columns.items():
            block = np.asarray(column[part], dtype=np.float64)
            block = block.reshape(part.stop - part.start, -1)
            magnitude = np.nan_to_num(np.abs(block), posinf=np.inf)
            if magnitude.max(initial=0) > np.finfo(np.float32).max:
                row = part.start + int(np.argmax(magnitude.max(axis=1)))
                raise DataError(
                    found=f"{magnitude.max():g} in row {row} (from 0), column {name!r}",
                    expected="numbers in the range of float32",
                    where=where,
                )
            if column.dtype.kind in "iu" and magnitude.max(initial=0) > LAST_WHOLE_FLOAT32:
                rounded[name] = True
            x[part, start : start + block.shape[1]] = block
            start += block.shape[1]
    notes += [
        f"column {name!r} has whole numbers above 16,777,216, which float32 rounds"
        for name, is_rounded in rounded.items()
        if is_rounded
    ]
    return x


def _shared_length(columns: Mapping[str, NDArray[Any]], where: str) -> int:
    first, *others = columns
    rows = len(columns[first])
    for name in others:
        if len(columns[name]) != rows:
            raise DataError(
                found=f"{len(columns[name])} rows in {name!r} and {rows} in {first!r}",
                expected="the same number of rows in each column",
                where=where,
                fix="name the input columns in data.table.columns",
            )
    return rows


def _unused(folder: Path, stem: str) -> Path:
    """A file name that is not in use, so that no memory map of an earlier file is overwritten."""
    return folder / f"{stem}{sum(1 for _ in folder.glob(f'{stem}*'))}.npy"
