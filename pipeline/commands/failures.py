"""What any exception means to a user: an error of ours as it is, others as the nearest one.

    failure_of(MemoryError())       # HostError: out of memory, exit code 4
    failure_of(ZeroDivisionError()) # EdgestillError: a bug in edgestill, exit code 70

Only a verdict may end with 1 or 5, so whatever ends a command becomes one of these.
"""

import errno
import os
import re

from ...errors import EdgestillError, HostError, StorageError
from ..engine.extras import is_known, missing

_SPACE = "free some space, or write to another disk"
_STORAGE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "raise the file size limit",
    errno.EIO: "the disk reports an error; use another one",
    errno.EROFS: "write to a disk that can be written",
}
_HOST = {
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.EAGAIN: "raise the limit of processes (ulimit -u)",
}
_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "std::bad_alloc")
"""How libraries of C++ say in a RuntimeError that memory is exhausted."""


def failure_of(error: BaseException) -> EdgestillError:
    """The error to report for what ended a command."""
    if isinstance(error, EdgestillError):
        return error
    failure = _known(error) or EdgestillError(
        f"{type(error).__name__}: {error}",
        where="a bug in edgestill",
        fix="run again with --debug and report what it prints",
    )
    failure.__cause__ = error
    return failure


def _known(error: BaseException) -> EdgestillError | None:
    if _is_memory(error):
        return HostError("out of memory", fix="lower batch_size, or free some memory")
    if (number := _refused_by_disk(error)) is not None:
        full, place = number == errno.ENOSPC, _place(error)
        return StorageError(
            "the disk is full" if full else f"cannot write ({os.strerror(number).lower()})",
            where=None if place is None else str(place),
            fix=_STORAGE[number],
        )
    if isinstance(error, OSError) and error.errno in _HOST:
        return HostError(os.strerror(error.errno).lower(), fix=_HOST[error.errno])
    library = str(getattr(error, "name", None)).partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and is_known(library):
        return missing(library)
    if isinstance(error, ImportError) and not (error.name or "").startswith("edgestill"):
        return HostError(
            f"a library cannot be imported ({error})", fix="install edgestill again with pip"
        )
    return None


def _refused_by_disk(error: BaseException) -> int | None:
    """The number of a disk's error; libraries in Rust have it in their text alone."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (said := re.search(r"\(os error (\d+)\)", str(error))):
        number = int(said[1])
    return number if number in _STORAGE else None


def _place(error: BaseException) -> object:
    """What could not be written; a copy that fails names its source first."""
    return getattr(error, "filename2", None) or getattr(error, "filename", None)


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _MEMORY)
