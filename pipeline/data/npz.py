"""A numpy archive: each member is unpacked once to a file and memory-mapped from there."""

import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ..records import SPLITS
from ..store import file_sha256

KNOWN = ("x", "y", "group", "labels", *(f"{axis}_{split}" for split in SPLITS for axis in "xy"))


# RuntimeError: an encrypted member; NotImplementedError: a compression Python does not know.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
)


def fingerprint(path: str) -> str:
    """The file's own hash.

    Raises:
        DataError: there is no such file.
    """
    try:
        return file_sha256(Path(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise DataError(reason, where=path, fix="correct data.source in the recipe") from None


def read(path: str, scratch: Path) -> dict[str, Any]:
    """The archive's arrays as read-only memory maps below ``scratch``; memory use stays flat.

    Raises:
        DataError: not an archive of plain arrays. Pickled objects are refused.
    """
    arrays: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            for key in KNOWN:
                if key not in members:
                    continue
                target = scratch / f"{key}.npy"
                with archive.open(members[key]) as packed, target.open("wb") as plain:
                    shutil.copyfileobj(packed, plain, 1 << 20)
                arrays[key] = np.load(target, mmap_mode="r", allow_pickle=False)
    except _BROKEN as error:
        detail = "it holds pickled objects" if "allow_pickle" in str(error) else str(error)
        if "Python objects" in str(error):
            detail = "it holds pickled objects"
        raise DataError(
            found=f"not a readable archive of plain arrays ({detail})",
            where=path,
            fix="write it with numpy.savez(file, x=…, y=…) from numeric arrays",
        ) from None
    if not arrays:
        raise DataError(
            found=f"keys {sorted(members)[:8]}",
            expected="x and y, or x_train, y_train, x_test, y_test",
            where=path,
        )
    return arrays
