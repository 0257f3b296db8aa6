"""A numpy archive: each member is unpacked once to a file and memory-mapped from there."""

import errno
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ..recipe import Data
from ..records import SPLITS
from ..store import file_sha256

KNOWN = ("x", "y", "labels", *(f"{axis}_{split}" for split in SPLITS for axis in "xy"))


# RuntimeError: an encrypted member; NotImplementedError: a compression Python does not know.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
)


def fingerprint(path: str, where: str = "data.source") -> str:
    """The file's own hash.

    Args:
        path: of the file.
        where: the key of the recipe that names it.

    Raises:
        DataError: there is no such file.
    """
    try:
        return file_sha256(Path(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise DataError(reason, where=path, fix=f"correct {where} in the recipe") from None


def _wanted(data: Data, held: Mapping[str, str], path: str) -> dict[str, str]:
    """What is read, and the member that holds it; the recipe may call some by other names.

    Raises:
        DataError: a name that the recipe chose is not there.
    """
    names = {key: key for key in KNOWN} | {"group": data.group, "id": data.id}
    names |= {f"id_{split}": f"{data.id}_{split}" for split in SPLITS}
    if len(data.target) > 1:
        raise DataError(
            found=f"{len(data.target)} names",
            expected="one, as an archive holds the answers of all samples in one array",
            where="data.target",
        )
    if data.target:
        names["y"] = data.target[0]
        names |= {f"y_{split}": f"{data.target[0]}_{split}" for split in SPLITS}
    own = Data(source=data.source)
    for key in ("target", "group", "id"):
        told = getattr(data, key)
        chosen = told[0] if isinstance(told, tuple) and told else told
        ready = [f"{chosen}_{split}" for split in SPLITS]
        if told != getattr(own, key) and not {chosen, *ready} & set(held):
            raise DataError(
                found=f"no {chosen!r} among the keys {sorted(held)[:8]}",
                where=path,
                fix=f"correct data.{key} in the recipe",
            )
    return {key: name for key, name in names.items() if name in held}


def read(path: str, scratch: Path, data: Data, _: object = None) -> dict[str, Any]:
    """The archive's arrays as read-only memory maps below ``scratch``; memory use stays flat.

    Raises:
        DataError: not an archive of plain arrays. Pickled objects are refused.
    """
    arrays: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            for key, name in _wanted(data, members, path).items():
                target = scratch / f"{key}.npy"
                with archive.open(members[name]) as packed, target.open("wb") as plain:
                    shutil.copyfileobj(packed, plain, 1 << 20)
                arrays[key] = np.load(target, mmap_mode="r", allow_pickle=False)
    except _BROKEN as error:
        pickled = any(word in str(error) for word in ("allow_pickle", "Python objects"))
        raise _unreadable(path, "it holds pickled objects" if pickled else str(error)) from None
    except OSError as error:
        # A damaged table of contents points before the file's beginning; the rest is the machine's.
        if error.errno != errno.EINVAL:
            raise
        raise _unreadable(path, "its table of contents is damaged") from None
    if not arrays:
        raise DataError(
            found=f"keys {sorted(members)[:8]}",
            expected="x and y, or x_train, y_train, x_test, y_test",
            where=path,
        )
    return arrays


def _unreadable(path: str, detail: str) -> DataError:
    return DataError(
        found=f"not a readable archive of plain arrays ({detail})",
        where=path,
        fix="write it with numpy.savez(file, x=…, y=…) from numeric arrays",
    )
