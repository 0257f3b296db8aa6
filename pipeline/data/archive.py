"""Numpy archives (.npz): members are unpacked to files once and memory-mapped."""

import errno
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, no_file
from .inflation import require_members

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    RuntimeError,  # an encrypted member
    NotImplementedError,  # an unknown compression
)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for files that are mapped, removed at the end as far as the system lets.

    Windows removes none that is still mapped, as while an error travels; `TemporaryDirectory` of
    Python 3.11 then tries again without an end.
    """
    folder = Path(tempfile.mkdtemp(prefix="edgestill-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unpacked(
    path: Path,
    folder: Path,
    wanted: Callable[[list[str]], Mapping[str, str]],
    fix: str,
    *,
    absent: str = "correct data.source in the recipe",
) -> dict[str, NDArray[Any]]:
    """Members of an archive as read-only memory maps, in constant memory.

    Args:
        path: of the archive.
        folder: to unpack to. The files are numbered, for a member's name could lead out of it.
        wanted: returns, for the names of all members, the member for each key of the result.
        fix: how to write such an archive, for the error message.
        absent: what to do where there is no such file.

    Raises:
        DataError: no such file, or not an archive of plain arrays. Pickled objects are refused, as
            is what grows beyond measure.
        StorageError: the folder's disk has no room for it.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {entry.removesuffix(".npy"): entry for entry in archive.namelist()}
            chosen = wanted(list(members))
            require_members(archive, [members[name] for name in chosen.values()], path, folder)
            for number, (key, name) in enumerate(chosen.items()):
                target = folder / f"member{number}.npy"
                with archive.open(members[name]) as packed, target.open("wb") as plain:
                    shutil.copyfileobj(packed, plain, 1 << 20)
                arrays[key] = np.load(target, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise no_file(path, DataError, absent) from None
    except _BROKEN as error:
        raise _unreadable(path, str(error), fix) from None
    except OSError as error:
        # A damaged table of contents gives a negative offset; other errors are not the archive's.
        if error.errno != errno.EINVAL:
            raise
        raise _unreadable(path, "its table of contents is damaged", fix) from None
    return arrays


def _unreadable(path: Path, detail: str, fix: str) -> DataError:
    return DataError(
        found=f"not a readable archive of plain arrays ({detail})", where=str(path), fix=fix
    )
