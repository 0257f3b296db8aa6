"""Which columns hold targets, groups, ids and splits, and their arrays.

>>> roles_of(describe(Path("sensors.csv")), data, "sensors.csv").target
('label',)
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .. import tasks
from ..recipe.data import Data
from ..tasks import number_labels
from .column import Column, listed, require
from .split_files import SPLIT_COLUMN, SplitArrays, split_of_rows


class Roles(NamedTuple):
    """The columns with a role, under their full names with a suffix such as ``_train``."""

    target: tuple[str, ...]
    group: str | None
    id: str | None
    split: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """All columns with a role."""
        return (*self.target, *(n for n in (self.group, self.id, self.split) if n is not None))


def roles_of(columns: Mapping[str, Column], data: Data, where: str, suffix: str = "") -> Roles:
    """The roles that the recipe gives to columns.

    Args:
        columns: of a file.
        data: the recipe's section: ``target``, ``group``, ``id`` and ``task``.
        where: the file, for a message.
        suffix: of the columns of one split, such as ``_train``.

    Raises:
        DataError: a column that the recipe names is missing or has two roles.
    """
    target = tuple(f"{name}{suffix}" for name in data.target)
    rules = tasks.of(data.task).labels
    if not target and rules:
        target = tuple(f"{n}{suffix}" for n in ("label", "y") if f"{n}{suffix}" in columns)[:1]
        if not target:
            raise DataError(
                found=f"no column 'label' or 'y' among {listed(columns)}",
                where=where,
                fix="name the target column in data.target",
            )
    for name in target:
        require(columns, name, where, "data.target")
    if rules and rules.one_column and len(target) != 1:
        raise DataError(
            found=f"{len(target)} columns ({listed(target)}) in data.target",
            expected=f"one, as the task is {data.task}",
            where="data.target",
            fix='name one column, or set task = "multi-label" in [data]',
        )
    optional: dict[str, str | None] = {}
    for key, column in (("group", data.group), ("id", data.id)):
        name = f"{column}{suffix}"
        if column not in ("", key):  # only the default name may be missing
            require(columns, name, where, f"data.{key}")
        optional[key] = name if column and name in columns else None
    split = SPLIT_COLUMN if SPLIT_COLUMN in columns and not suffix else None
    roles = Roles(target, optional["group"], optional["id"], split)
    repeated = {name for name in roles.names if roles.names.count(name) > 1}
    if repeated:
        raise DataError(
            f"column {listed(repeated)} has two roles",
            where=where,
            fix="name another column for one of them in [data]",
        )
    return roles


def gaps_of(roles: Roles, columns: Mapping[str, Column]) -> set[str]:
    """Columns of labels in which values may be missing: those rows are unlabelled."""
    of_target = {name: columns[name] for name in roles.target}
    return {n for n, column in of_target.items() if column.missing or column.kind == "float"}


def target_values(
    columns: Mapping[str, NDArray[Any]], target: Sequence[str], data: Data, where: str
) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    """The array y in the form of the task, and the names of its labels or numbers.

    Returns:
        classification: int or str [n] and no names. regression: float64 [n] or [n, k];
        multi-label: uint8 [n, k]; both with the columns' names. embedding: None. A row without a
        label is empty text, or NaN in float64.

    Raises:
        DataError: a target that is no number, or in multi-label not 0 or 1.
    """
    rules = tasks.of(data.task).labels
    if not target or rules is None:
        return None, ()
    if rules.one_column:
        y = columns[target[0]]
        if y.ndim != 1:
            raise DataError(
                found=f"{target[0]!r} of shape {list(y.shape)}",
                expected="one label per row, shape [n]",
                where=where,
            )
        return y, ()
    y, names = _number_columns(columns, target, data, where)
    if not rules.values:
        y = y.astype(np.float64)
        return (y[:, 0] if len(names) == 1 else y), names
    absent = rules.absent(y)
    bad = ~np.isin(y, rules.values) & ~absent[:, None]
    if bad.any():
        row, column_number = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            found=f"{y[row, column_number]} in row {row} (from 0), column {names[column_number]!r}",
            expected=f"{number_labels.listed(rules.values)}, as the task is {data.task}",
            where=where,
        )
    return (y.astype(np.float64) if absent.any() else y.astype(np.uint8)), names


def _number_columns(
    columns: Mapping[str, NDArray[Any]], target: Sequence[str], data: Data, where: str
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Columns of numbers side by side, [n, k], and the names of the k numbers."""
    names: list[str] = []
    numbers = []
    for name in target:
        column = columns[name]
        if column.dtype.kind not in "iufb" or column.ndim > 2:
            raise DataError(
                found=f"{name!r} of {column.dtype} and shape {list(column.shape)}",
                expected=f"numbers, as the task is {data.task}",
                where=where,
                fix="name columns of numbers in data.target",
            )
        names += spread(name, column)
        numbers.append(column.reshape(len(column), -1))
    return np.concatenate(numbers, axis=1), tuple(names)


def spread(name: str, column: NDArray[Any]) -> list[str]:
    """The name of a column, or ``name[i]`` for each number of a row that holds several."""
    width = int(np.prod(column.shape[1:]))
    return [name] if column.ndim == 1 else [f"{name}[{i}]" for i in range(width)]


def _require_no_empty_text(column: NDArray[Any], name: str, where: str) -> None:
    if column.dtype.kind == "U" and (column == "").any():
        raise DataError(
            found=f"an empty field in row {int(np.argmax(column == ''))} (from 0), column {name!r}",
            expected="a value in every row",
            where=where,
            fix="fill that value in or leave the row out",
        )


def arrays_of_roles(
    columns: Mapping[str, NDArray[Any]], roles: Roles, data: Data, rows: int, where: str
) -> SplitArrays:
    """The arrays y, group, id and split of one file, and the labels.

    Args:
        columns: of the file, at least those with a role.
        roles: as ``roles_of`` gives them.
        data: the recipe's section.
        rows: of the input x.
        where: the file, for a message.

    Raises:
        DataError: a target that does not fit the task, or a column of another length than x.
    """
    for name in roles.names:
        if len(columns[name]) != rows:
            raise DataError(
                found=f"{len(columns[name])} rows in {name!r}",
                expected=f"{rows}, as in the input",
                where=where,
            )
    y, labels = target_values(columns, roles.target, data, where)
    arrays: SplitArrays = {"labels": labels}
    if y is not None:
        arrays["y"] = y
    for key, column in (("group", roles.group), ("id", roles.id), ("split", roles.split)):
        if column is not None:
            _require_no_empty_text(columns[column], column, where)
            arrays[key] = columns[column]
    if "split" in arrays:
        arrays["split"] = split_of_rows(arrays["split"], where)
    return arrays
