"""A numpy archive: each member is unpacked once to a file and memory-mapped from there."""

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


def _wanted(data: Data, held: Collection[str], path: str) -> dict[str, str]:
    """What is read, and the member that holds it; the recipe may call some by other names.

    Raises:
        DataError: a name that the recipe chose is not there, or nothing that is known.
    """
    names = {key: key for key in KNOWN} | {"group": data.group, "id": data.id}
    for kind in ("group", "id"):
        names |= {f"{kind}_{split}": f"{names[kind]}_{split}" for split in SPLITS}
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
    taken = {key: name for key, name in names.items() if name in held}
    if not taken:
        raise DataError(
            found=f"keys {sorted(held)[:8]}",
            expected="x and y, or x_train, y_train, x_test, y_test",
            where=path,
        )
    return taken


def read(path: str, scratch: Path, data: Data, _: object = None) -> dict[str, Any]:
    """The archive's arrays as read-only memory maps below ``scratch``; memory use stays flat.

    Raises:
        DataError: not an archive of plain arrays. Pickled objects are refused.
    """
    return unpacked(Path(path), scratch, lambda members: _wanted(data, members, path), _FIX)
