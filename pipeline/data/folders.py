"""A folder of files as a data set: the split, class and group of each file.

    root/CLASS/file                                        one folder per class
    root/{train,validation,calibration,test}/CLASS/file    with ready splits
    root/metadata.csv                                      replaces both, if it exists

``metadata.csv`` is UTF-8, comma-separated, with the columns ``file`` (relative to root) and
``label``, and optionally ``group``, ``id`` and ``split``; the recipe's ``data.target``,
``data.group`` and ``data.id`` rename all but ``file`` and ``split``.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .. import tasks
from ..engine.store import file_sha256
from ..recipe.data import Data
from ..records import SPLITS
from .folder_classes import from_any_folders, from_class_folders
from .folder_files import (
    METADATA,
    Item,
    all_files,
    listed_suffixes,
    name_below,
    reason_of,
    require_folder,
)
from .folder_metadata import TARGET, from_metadata

LABEL_SEPARATOR = "|"
"""Separates the labels of one sample of a multi-label task."""


def listing(root: Path, suffixes: frozenset[str], data: Data) -> list[Item]:
    """The files of a data set, ordered by split, then by path.

    Args:
        root: the data set's folder.
        suffixes: of the files that are samples, in lower case, with the dot.
        data: the recipe's section: task, and names of columns.

    Raises:
        DataError: no such folder, no files, a file of another kind, a link, a single class, or a
            wrong line of ``metadata.csv``.
    """
    require_folder(root)
    if (root / METADATA).exists():
        items = from_metadata(root, suffixes, data)
    elif tasks.of(data.task).labels is None:
        items = from_any_folders(root, suffixes, data)
    else:
        items = from_class_folders(root, suffixes, data)
    if not items:
        raise DataError(
            found="no files",
            expected=f"some that end in {listed_suffixes(suffixes)}",
            where=str(root),
            fix="correct data.source in the recipe",
        )
    items.sort(key=lambda item: (item.split is not None and SPLITS.index(item.split), item.path))
    _require_train_and_test(items, root)
    rules = tasks.of(data.task).labels
    one_class = rules is not None and rules.text == "one name"
    if one_class and len(classes := {item.label for item in items if item.label}) < 2:
        raise DataError(
            found=f"one class, {classes.pop()!r}" if classes else "no class",
            expected="at least two",
            where=str(root),
            fix="put the files of each class into a folder of its own",
        )
    return items


def fingerprint(root: Path, suffixes: frozenset[str]) -> str:
    """The hash of the names and contents of all samples, and of ``metadata.csv``.

    Raises:
        DataError: no such folder, or one that holds a link or cannot be read.
    """
    require_folder(root)
    digest = hashlib.sha256()
    for path in all_files(root):
        if path.suffix.lower() in suffixes or path == root / METADATA:
            try:
                content = file_sha256(path)
            except OSError as error:
                raise DataError(reason_of(error), where=str(path)) from None
            digest.update(f"{name_below(root, path)}\0{content}\0".encode())
    return digest.hexdigest()


def arrays(items: Sequence[Item], x: NDArray[Any], data: Data) -> dict[str, Any]:
    """What a source of files returns.

    Args:
        items: as ``listing`` gives them.
        x: their samples [n, ...] in that order; only sliced, so that a memory map stays one.
        data: the recipe's section: task and class names.

    Returns:
        x, y, id and group of ready splits or of one array. y is text [n] (classification), uint8
        [n, classes] (multi-label), float64 [n, numbers] (regression) or absent (embedding). A
        sample without a label has an empty text, or NaN in float64.

    Raises:
        DataError: a label that is not among ``data.labels``.
    """
    y, labels = _targets(items, data)
    columns: dict[str, NDArray[Any]] = {"x": x, "id": np.array([item.id for item in items])}
    if y is not None:
        columns["y"] = y
    if items[0].group is not None:
        columns["group"] = np.array([item.group for item in items])
    result: dict[str, Any] = {"labels": labels} if labels else {}
    if items[0].split is None:
        return result | columns
    splits = np.array([item.split for item in items])
    for split in SPLITS:
        rows = np.flatnonzero(splits == split)
        if not len(rows):
            continue
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        result |= {f"{key}_{split}": values[part] for key, values in columns.items()}
    return result


def labels_of(item: Item) -> list[str]:
    """The labels of one sample of a multi-label task, which may have none."""
    return [name for part in item.label.split(LABEL_SEPARATOR) if (name := part.strip())]


def _targets(items: Sequence[Item], data: Data) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    """The array y, and the names of its classes or numbers."""
    rules = tasks.of(data.task).labels
    if rules is None:
        return None, ()
    if items[0].numbers:
        names = data.labels or data.target or (TARGET,)
        numbers = np.array([item.numbers for item in items], np.float64)
        whole = rules.values and not np.isnan(numbers).any()
        return (numbers.astype(np.uint8) if whole else numbers), names
    if rules.text == "one name":
        y = np.array([item.label for item in items])
        return y, data.labels or _in_order({item.label for item in items if item.label})
    names = data.labels or _in_order({name for item in items for name in labels_of(item)})
    column_of = {name: column for column, name in enumerate(names)}
    y = np.zeros((len(items), len(names)), np.uint8)
    for row, item in enumerate(items):
        for name in labels_of(item):
            if name not in column_of:
                raise DataError(
                    found=f"label {name!r}",
                    expected=f"one of {list(names[:8])}",
                    where=str(item.path),
                    fix="correct data.labels in the recipe or the label in metadata.csv",
                )
            y[row, column_of[name]] = 1
    return y, names


def _in_order(names: set[str]) -> tuple[str, ...]:
    """Class names sorted; whole numbers by value, so that '10' comes after '9'."""
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _require_train_and_test(items: Sequence[Item], root: Path) -> None:
    """Refuse ready splits without train or test."""
    splits = {item.split for item in items}
    if splits == {None} or {"train", "test"} <= splits:
        return
    raise DataError(
        found=f"splits {[split for split in SPLITS if split in splits]}",
        expected="train and test",
        where=str(root),
        fix="name the split for the final test 'test', or remove the splits to have them drawn",
    )
