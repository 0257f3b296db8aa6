"""A numpy archive of arrays: each member is unpacked to a file once and memory-mapped."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..engine.store import file_sha256
from ..recipe.data import Data
from ..records import SPLITS
from .archive import unpacked

_FIX = "write it with numpy.savez(file, x=…, y=…) from numeric arrays"
KNOWN = ("x", "y", "labels", *(f"{axis}_{split}" for split in SPLITS for axis in "xy"))


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
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise DataError(reason, where=path, fix=f"correct {where} in the recipe") from None


def _wanted(data: Data, members: Collection[str], path: str) -> dict[str, str]:
    """The member for each array that is read; the recipe may rename some members.

    Raises:
        DataError: a member that the recipe names does not exist, or no member is known.
    """
    names = {key: key for key in KNOWN} | {"group": data.group, "id": data.id}
    for kind in ("group", "id"):
        names |= {f"{kind}_{split}": f"{names[kind]}_{split}" for split in SPLITS}
    if len(data.target) > 1:
        raise DataError(
            found=f"{len(data.target)} names",
            expected="one, as an archive holds all labels in one array",
            where="data.target",
        )
    if data.target:
        names["y"] = data.target[0]
        names |= {f"y_{split}": f"{data.target[0]}_{split}" for split in SPLITS}
    defaults = Data(source=data.source)
    for key in ("target", "group", "id"):
        value = getattr(data, key)
        name = value[0] if isinstance(value, tuple) and value else value
        ready = [f"{name}_{split}" for split in SPLITS]
        if value != getattr(defaults, key) and not {name, *ready} & set(members):
            raise DataError(
                found=f"no {name!r} among the keys {sorted(members)[:8]}",
                where=path,
                fix=f"correct data.{key} in the recipe",
            )
    present = {key: name for key, name in names.items() if name in members}
    if not present:
        raise DataError(
            found=f"keys {sorted(members)[:8]}",
            expected="x and y, or x_train, y_train, x_test, y_test",
            where=path,
        )
    return present


def read(path: str, scratch: Path, data: Data, _: object = None) -> dict[str, Any]:
    """The archive's arrays as read-only memory maps below ``scratch``, in constant memory.

    Raises:
        DataError: not an archive of plain arrays. Pickled objects are refused.
    """
    return unpacked(Path(path), scratch, lambda members: _wanted(data, members, path), _FIX)
