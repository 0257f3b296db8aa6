"""Samples from a folder without ``metadata.csv``: one folder per class, with or without splits."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ...errors import DataError
from .. import tasks
from ..recipe.data import Data
from ..records import Split
from .folder_files import (
    METADATA,
    Item,
    all_files,
    files_in,
    folders_in,
    name_below,
    require_suffix,
)
from .split_names import SPLIT_NAMES

UNLABELLED = frozenset({"unlabelled", "unlabeled"})
"""Folders of samples that belong to no class yet."""
_RENAMED = ("group", "id", "target")
"""Keys of [data] that name a column, which only ``metadata.csv`` has."""


def from_class_folders(root: Path, suffixes: frozenset[str], data: Data) -> list[Item]:
    """The files of ``root/CLASS`` or ``root/SPLIT/CLASS``.

    Raises:
        DataError: another task than classification, a file outside a class, or a folder in one.
    """
    rules = tasks.of(data.task).labels
    if rules is None or rules.text != "one name":
        raise DataError(
            found=f"no {METADATA}",
            expected=f"one with the targets of a {data.task} task",
            where=str(root),
            fix=f"write {METADATA} with the columns file and "
            + ("label" if rules and rules.text == "names" else "those of data.target"),
        )
    _has_no_renamed_columns(root, data)
    for path in files_in(root):
        if path.suffix.lower() in suffixes:
            raise DataError(
                found=f"{path.name!r} in no class",
                expected="every file in its class's folder",
                where=str(root),
                fix="move it into the folder of its class, or list the files in metadata.csv",
            )
    folders = folders_in(root)
    splits = [path for path in folders if path.name.lower() in SPLIT_NAMES]
    if any(folders_in(path) for path in splits):
        return _from_split_folders(root, suffixes, folders, splits)
    if folders and len(splits) == len(folders):
        raise DataError(
            found=f"files directly in {splits[0].name!r}",
            expected=f"a folder for each class in {splits[0].name!r}",
            where=str(root),
        )
    return [item for path in folders for item in _of_class(path, root, suffixes, None)]


def _from_split_folders(
    root: Path, suffixes: frozenset[str], folders: tuple[Path, ...], splits: list[Path]
) -> list[Item]:
    if others := [path.name for path in folders if path not in splits]:
        raise DataError(
            found=f"the folder {others[0]!r} beside {splits[0].name!r}",
            expected="either splits or classes",
            where=str(root),
            fix="move it into one of the splits",
        )
    items: list[Item] = []
    for split in splits:
        if unsorted := files_in(split):
            raise DataError(
                found=f"{unsorted[0].name!r} in no class",
                expected="every file in its class's folder",
                where=str(split),
            )
        for folder in folders_in(split):
            items += _of_class(folder, root, suffixes, SPLIT_NAMES[split.name.lower()])
    return items


def _of_class(
    folder: Path, root: Path, suffixes: frozenset[str], split: Split | None
) -> Iterator[Item]:
    if deeper := folders_in(folder):
        raise DataError(
            found=f"the folder {deeper[0].name!r} in the class {folder.name!r}",
            expected="files only",
            where=str(folder),
            fix=f"move its files into {folder.name!r} itself, or list them in {METADATA}",
        )
    for path in files_in(folder):
        name = name_below(root, path)
        require_suffix(name, suffixes, str(root))
        label = "" if folder.name.lower() in UNLABELLED else folder.name
        yield Item(path, split, label, None, name)


def from_any_folders(root: Path, suffixes: frozenset[str], data: Data) -> list[Item]:
    """Samples without targets: all files at any depth. Only folders of splits have a meaning.

    Raises:
        DataError: a file outside the splits, if all folders are splits.
    """
    _has_no_renamed_columns(root, data)
    folders = folders_in(root)
    has_splits = bool(folders) and all(path.name.lower() in SPLIT_NAMES for path in folders)
    items = []
    for path in all_files(root):
        name = name_below(root, path)
        if path.suffix.lower() not in suffixes:
            continue
        top = PurePosixPath(name).parts[0].lower()
        if has_splits and top not in SPLIT_NAMES:
            raise DataError(
                found=f"{name!r} in no split",
                expected=f"every file below {' or '.join(repr(path.name) for path in folders)}",
                where=str(root),
            )
        items.append(Item(path, SPLIT_NAMES[top] if has_splits else None, "", None, name))
    return items


def _has_no_renamed_columns(root: Path, data: Data) -> None:
    for key in _RENAMED:
        if getattr(data, key) != Data.model_fields[key].default:
            raise DataError(
                found=f"no {METADATA}",
                expected=f"one, as data.{key} names a column",
                where=str(root),
                fix=f"write {METADATA} or remove {key} from [data]",
            )
