"""What an archive becomes once it is unpacked, judged by its own headers before it is.

>>> require_ratio(packed=1 << 20, unpacked=1 << 30, where="d.npz")
Traceback (most recent call last):
edgestill.errors.DataError: d.npz: found 1.0 GiB once unpacked, 1,024 times the file …
"""

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ....errors import DataError

MOST = 200
"""Largest ratio of unpacked to packed bytes. Deflate packs zeros a thousandfold; one-hot rows of a
thousand numbers a hundredfold."""
LEAST_BYTES = 16 << 20
"""A file that unpacks to less harms nobody, whatever its ratio."""


def require_ratio(packed: int, unpacked: int, where: str) -> None:
    """Refuse a file that would fill the memory or the disk.

    Args:
        packed: size of the file, in bytes.
        unpacked: bytes that its header says it becomes.
        where: the file, for a message.

    Raises:
        DataError: it grows more than ``MOST`` times, as a decompression bomb does.
    """
    if unpacked > LEAST_BYTES and unpacked > MOST * max(packed, 1):
        raise DataError(
            found=f"{size_text(unpacked)} once unpacked, {unpacked / max(packed, 1):,.0f} times "
            "the file",
            expected=f"at most {MOST} times, as a file that grows so may be made to fill the "
            "memory or the disk",
            where=where,
            fix="write it without compression (numpy.savez) if it really holds so little",
        )


def size_text(count: int) -> str:
    """A number of bytes in MiB or GiB."""
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.0f} MiB"


class Header(NamedTuple):
    """What the header of an array in an archive says.

    Attributes:
        shape: of the array.
        dtype: of its numbers or texts.
        bytes: of the header itself.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    bytes: int


def header_of(archive: zipfile.ZipFile, member: str) -> Header:
    """The header of one ``.npy`` member.

    Raises:
        ValueError: it has none.
    """
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        return Header(shape, dtype, stream.tell())


def require_arrays(archive: zipfile.ZipFile, members: Collection[str], path: Path) -> None:
    """Refuse an archive by its table of contents and the headers of its members.

    Args:
        archive: opened.
        members: that will be unpacked.
        path: of the archive.

    Raises:
        DataError: it grows too much; a member holds Python objects, or other numbers than its
            header says.
        ValueError: a member is no array.
    """
    unpacked = sum(archive.getinfo(member).file_size for member in members)
    require_ratio(path.stat().st_size, unpacked, str(path))
    for member in members:
        header, name = header_of(archive, member), member.removesuffix(".npy")
        if header.dtype.hasobject:
            raise DataError(
                found=f"{name!r} of Python objects, which are pickled and not read",
                expected="numbers or text",
                where=str(path),
                fix=f"convert it before it is written: {name}.astype(str) for text, "
                f"{name}.astype(float) for numbers",
            )
        # Whole numbers of Python: a shape of a lying header may exceed 64 bits.
        wanted = header.dtype.itemsize
        for extent in header.shape:
            wanted *= int(extent)
        held = archive.getinfo(member).file_size - header.bytes
        if not 0 <= wanted <= held or any(extent < 0 for extent in header.shape):
            raise DataError(
                found=f"{name!r} of shape {list(header.shape)}, {wanted:,} bytes of "
                f"{header.dtype}, in {held:,} bytes",
                expected="as many as its header says",
                where=str(path),
                fix="the file is damaged; write it again",
            )
