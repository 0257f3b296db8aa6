"""Columns of a numpy archive: each member is one. Members are unpacked and memory-mapped."""

import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.model.inflation import header_of
from ...errors import DataError
from .column import Column, Kind, not_text, require
from .inflation import require_members

BLOCK = 1024
"""Texts that are in memory as Python strings at a time."""


def describe(path: Path) -> dict[str, Column]:
    """The columns of a file, from the headers of its members.

    Raises:
        DataError: no member is an array.
    """
    columns = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                continue
            shape, dtype, _ = header_of(archive, member)
            kind: Kind = {"i": "int", "u": "int", "b": "int", "f": "float"}.get(  # type: ignore[assignment]
                dtype.kind, "text" if dtype.kind in "US" else "other"
            )
            rows, inner = (shape[0], shape[1:]) if shape else (0, ())
            name = member.removesuffix(".npy")
            columns[name] = Column(kind if shape else "other", str(dtype), rows, inner)
    if not columns:
        raise DataError("no arrays in it", where=str(path))
    return columns


def read(path: Path, folder: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Arrays of some columns, each unpacked to a file below a folder.

    The files are numbered, for a member's name could lead out of the folder.
    """
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(path) as archive:
        members = {name: f"{column.member or name}.npy" for name, column in columns.items()}
        require_members(archive, members.values(), path, folder)
        for i, (name, member) in enumerate(members.items()):
            target = folder / f"member{i}.npy"
            with archive.open(member) as packed, target.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
            array = np.load(target, mmap_mode="r", allow_pickle=False)
            arrays[name] = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
    return arrays


def strings(path: Path, name: str, folder: Path) -> Iterator[list[str]]:
    """One column as text, block by block; it is unpacked to the folder.

    Raises:
        DataError: no such column, or one without text.
    """
    columns = describe(path)
    require(columns, name, str(path))
    if columns[name].kind != "text" or columns[name].shape != ():
        raise not_text(path, name, columns[name])
    array = read(path, folder, {name: columns[name]})[name]
    for start in range(0, len(array), BLOCK):
        yield array[start : start + BLOCK].tolist()
