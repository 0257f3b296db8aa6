"""Numpy archives (.npz): members are unpacked once to files and memory-mapped from there."""

import errno
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    RuntimeError,  # an encrypted member
    NotImplementedError,  # a compression Python does not know
)


def unpacked(
    path: Path,
    folder: Path,
    wanted: Callable[[list[str]], Mapping[str, str]],
    fix: str,
) -> dict[str, NDArray[Any]]:
    """Members of an archive as read-only memory maps; memory use stays flat.

    Args:
        path: of the archive.
        folder: to unpack to; members are numbered there, for a name could lead out of it.
        wanted: given the members' names, which to take, each under the name it shall have.
        fix: how to write such an archive, for who brought a broken one.

    Raises:
        DataError: not an archive of plain arrays. Pickled objects are refused.
        FileNotFoundError: there is no such file.
    """
    found: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {entry.removesuffix(".npy"): entry for entry in archive.namelist()}
            for number, (key, name) in enumerate(wanted(list(members)).items()):
                target = folder / f"member{number}.npy"
                with archive.open(members[name]) as packed, target.open("wb") as plain:
                    shutil.copyfileobj(packed, plain, 1 << 20)
                found[key] = np.load(target, mmap_mode="r", allow_pickle=False)
    except _BROKEN as error:
        pickled = any(word in str(error) for word in ("allow_pickle", "Python objects"))
        detail = "it holds pickled objects; Python objects are not read" if pickled else str(error)
        raise _unreadable(path, detail, fix) from None
    except OSError as error:
        # A damaged table of contents points before the file's beginning; the rest is the machine's.
        if error.errno != errno.EINVAL:
            raise
        raise _unreadable(path, "its table of contents is damaged", fix) from None
    return found


def _unreadable(path: Path, detail: str, fix: str) -> DataError:
    return DataError(
        found=f"not a readable archive of plain arrays ({detail})", where=str(path), fix=fix
    )
