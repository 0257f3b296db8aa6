"""The files of a data set's folder: which there are, and what must not be among them.

Files and folders whose name begins with a dot are ignored. Links are refused, for the content they
point to could change while the fingerprint stays the same.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ...errors import DataError, no_file
from ..records import Split

METADATA = "metadata.csv"


class Item(NamedTuple):
    """One file of a data set.

    Attributes:
        path: of the file.
        split: None if the source has no ready splits.
        label: class name; of a multi-label task, names with ``|`` between them; else empty.
        group: None if the source has no groups.
        id: identifies the sample; its path below root unless ``metadata.csv`` has ids.
        numbers: the targets as numbers, one per column of ``data.target``: of a regression, or of a
            multi-label task with several columns.
    """

    path: Path
    split: Split | None
    label: str
    group: str | None
    id: str
    numbers: tuple[float, ...] = ()


def all_files(root: Path) -> Iterator[Path]:
    """Every file below a folder, at any depth, in order.

    Raises:
        DataError: a link, or a folder that cannot be read.
    """
    yield from files_in(root)
    for folder in folders_in(root):
        yield from all_files(folder)


def files_in(folder: Path) -> tuple[Path, ...]:
    """The visible files directly in a folder, in order."""
    return _entries(folder)[0]


def folders_in(folder: Path) -> tuple[Path, ...]:
    """The visible folders directly in a folder, in order."""
    return _entries(folder)[1]


def _entries(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink():
                    raise _is_a_link(Path(entry.path))
                if entry.is_dir():
                    folders.append(Path(entry.path))
                elif entry.is_file():
                    files.append(Path(entry.path))
    except OSError as error:
        raise DataError(reason_of(error), where=str(folder)) from None
    return tuple(files), tuple(folders)


def name_below(root: Path, path: Path) -> str:
    """A path relative to root, with slashes.

    Raises:
        DataError: the name is not UTF-8, so it cannot be written to a file.
    """
    name = path.relative_to(root).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(
            found=f"the name {name!r}", expected="UTF-8", where=str(root), fix="rename it"
        ) from None
    return name


def require_folder(root: Path) -> None:
    """Refuse what is no folder.

    Raises:
        DataError: there is nothing at that path, or a file.
    """
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, FileNotFoundError):
            raise no_file(root, DataError, "correct data.source in the recipe", "folder") from None
        raise DataError(
            reason_of(error), where=str(root), fix="correct data.source in the recipe"
        ) from None
    if not is_folder:
        raise DataError(
            found="a file",
            expected="a folder",
            where=str(root),
            fix="correct data.source in the recipe",
        )


def require_suffix(name: str, suffixes: frozenset[str], where: str) -> None:
    """Refuse a file of another kind.

    Raises:
        DataError: lists the suffixes that are read.
    """
    if PurePosixPath(name).suffix.lower() not in suffixes:
        raise DataError(
            found=f"the file {name!r}",
            expected=f"one that ends in {listed_suffixes(suffixes)}",
            where=where,
            fix="remove or convert it",
        )


def listed_suffixes(suffixes: frozenset[str]) -> str:
    """Suffixes for a message, in order."""
    return ", ".join(sorted(suffixes))


def reason_of(error: Exception, absent: str = "no such file") -> str:
    """The reason of an error of the file system, without the path."""
    if isinstance(error, FileNotFoundError):
        return absent
    return str(getattr(error, "strerror", None) or error)


def _is_a_link(path: Path) -> DataError:
    return DataError(
        found=f"a link to {os.path.realpath(path)!r}",
        expected="a file or a folder",
        where=str(path),
        fix="replace it with a copy",
    )
