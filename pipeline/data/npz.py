"""A numpy archive of arrays: each member is unpacked to a file once and memory-mapped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError, no_read
from ..engine.store import file_sha256
from ..recipe.data import Data
from .archive import unpacked
from .array_names import NUMBERS, meanings, require_named

_FIX = "write it with numpy.savez(file, x=…, y=…) from numeric arrays"


def fingerprint(path: str, where: str = "data.source") -> str:
    """The hash of the file.

    Args:
        path: of the file.
        where: the key of the recipe that names it, for a message.

    Raises:
        DataError: there is no such file.
    """
    try:
        return file_sha256(Path(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise no_read(Path(path), error, DataError, f"correct {where} in the recipe") from None


def _wanted(data: Data, members: Sequence[str], path: str) -> dict[str, str]:
    """The member for each array that is read; the recipe may rename some members.

    Raises:
        DataError: a member has no meaning, or the recipe names one that does not exist.
    """
    if len(data.target) > 1:
        raise DataError(
            found=f"{len(data.target)} names",
            expected="one, as an archive holds all labels in one array",
            where="data.target",
        )
    names = meanings(members, NUMBERS, path, data=data)
    require_named(names, data, path, members)
    if not any(key == "x" or key.startswith("x_") for key in names):
        raise DataError(
            found=f"keys {sorted(members)[:8]}",
            expected="x and y, or x_train, y_train, x_test, y_test",
            where=path,
        )
    return names


def read(path: str, scratch: Path, data: Data, _: object = None) -> dict[str, Any]:
    """The archive's arrays as read-only memory maps below ``scratch``, in constant memory.

    Raises:
        DataError: not an archive of plain arrays. Pickled objects are refused.
    """
    return unpacked(Path(path), scratch, lambda members: _wanted(data, members, path), _FIX)
