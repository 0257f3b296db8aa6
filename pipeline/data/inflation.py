"""Whether what a file becomes once it is unpacked is plausible, and fits on the disk.

>>> require_plausible(packed=1 << 20, unpacked=1 << 30, where="d.npz", folder=Path("/tmp"))
Traceback (most recent call last):
edgestill.errors.DataError: d.npz: found 1.0 GiB once unpacked, 1,024 times the file …
"""

import shutil
import zipfile
from collections.abc import Collection
from pathlib import Path

from ...devices.onboard.model.inflation import require_arrays, require_ratio, size_text
from ...errors import StorageError


def require_plausible(packed: int, unpacked: int, where: str, folder: Path) -> None:
    """Refuse a file that would fill the disk.

    Args:
        packed: size of the file, in bytes.
        unpacked: bytes that its header says it becomes.
        where: the file, for a message.
        folder: to unpack to.

    Raises:
        DataError: it grows too much, as a decompression bomb does.
        StorageError: the folder's disk has no room for it.
    """
    require_ratio(packed, unpacked, where)
    free = shutil.disk_usage(folder).free
    if unpacked > free:
        raise StorageError(
            found=f"{size_text(unpacked)} once unpacked, and {free / 2**30:,.1f} GiB free in "
            f"{folder}",
            where=where,
            fix="free some space, or name a folder on another disk: --artifacts of a build, "
            "--out of quantize",
        )


def require_members(
    archive: zipfile.ZipFile, members: Collection[str], path: Path, folder: Path
) -> None:
    """Refuse an archive that is to be unpacked to a folder, by its headers.

    Args:
        archive: opened.
        members: that will be unpacked.
        path: of the archive.
        folder: to unpack to.

    Raises:
        DataError: as ``require_arrays``.
        StorageError: no room for it.
        ValueError: a member is no array.
    """
    unpacked = sum(archive.getinfo(member).file_size for member in members)
    require_plausible(path.stat().st_size, unpacked, str(path), folder)
    require_arrays(archive, members, path)
