"""Writing to a disk: whole or not at all, and what it says when it cannot.

with disk_errors(folder):                # a full disk is a StorageError that says what to do
    write_atomic(folder / "a.json", content)
"""

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ...devices.onboard.machine.system import WINDOWS
from ...errors import StorageError


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by relative path, in order; links are refused."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise StorageError("a link where a file is expected", where=str(path))
        if path.is_file():
            digests[path.relative_to(folder).as_posix()] = file_sha256(path)
    return digests


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: temporary name, fsync, rename, fsync of the folder."""
    # Not the pid: machines that share a folder may have equal ones.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with draft.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)


def move_whole(draft: Path, place: Path) -> None:
    """Give a finished folder its name, once all that is in it is on the disk."""
    for path in draft.rglob("*"):
        _sync(path)
    _sync(draft)
    draft.rename(place)
    _sync(place.parent)


@contextlib.contextmanager
def disk_errors(where: Path, *, opening: bool = False) -> Iterator[None]:
    """Turn a disk's errors into errors that say what to do.

    Args:
        where: the folder that is written to.
        opening: whether all that happens inside is opening that folder, so that a missing or
            forbidden path can only be it; inside a stage it would be a bug.

    Raises:
        StorageError: no space, a disk that fails, or a folder that cannot be written.
    """
    fixes = _FULL | _FORBIDDEN if opening else _FULL
    try:
        yield
    except Exception as error:
        number = getattr(error, "errno", None)
        if number not in fixes:
            # Libraries wrap a full disk in errors of their own; it is known by its words.
            number = next((one for one in _FULL if os.strerror(one) in str(error)), None)
            if number is None:
                raise
        # A copy that fails names its source first.
        names = (getattr(error, name, None) for name in ("filename2", "filename"))
        place = str(next(filter(None, names), where))
        reason = os.strerror(number).lower()
        raise StorageError(f"cannot write ({reason})", where=place, fix=fixes[number]) from error


_SPACE = "free some space or write to another disk"
_FULL = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "raise the file size limit",
    errno.EIO: "the disk reports an error; write to another one",
}
_FORBIDDEN = dict.fromkeys(
    (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.ENOENT,
        errno.EEXIST,
        errno.ENAMETOOLONG,
        errno.ELOOP,
    ),
    "choose a folder that can be written",
)


def _sync(path: Path) -> None:
    """Have a file or folder on the disk; Windows opens no folder, and syncs writers only."""
    if WINDOWS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
