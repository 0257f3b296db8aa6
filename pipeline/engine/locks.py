"""One process at a time: a lock that the system frees when its process ends, however it ends.

    with alone(folder / ".lock-key", print):    # waiting for pid 4711 on build-3 (…/.lock-key)
        ...

The lock itself is filelock's: `flock` on Linux and macOS, `LockFile` on Windows.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import StorageError

if TYPE_CHECKING:
    from filelock import FileLock


@contextlib.contextmanager
def alone(path: Path, warn: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a file; where another process holds it, say whom it waits for, and wait.

    Args:
        path: of the lock; it stays when the lock is freed.
        warn: called with a sentence before it waits.

    Raises:
        StorageError: the file system has no locks.
    """
    from filelock import Timeout

    lock, owner = _lock(path), _owner_of(path)
    try:
        with _locks_there(path):
            lock.acquire(blocking=False)
    except Timeout:
        warn(f"waiting for {_owner_in(owner)} ({path})")
        lock.acquire()
    try:
        owner.write_text(f"pid {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Hold the lock of a file where nobody else does; whether it is held now."""
    from filelock import Timeout

    lock = _lock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def hold(path: Path) -> Callable[[], None]:
    """Hold the lock of a new file until this process ends, or until what is returned is called.

    The file is removed then; after a kill it stays, and its lock is free.
    """
    lock = _lock(path)
    with _locks_there(path):
        lock.acquire(blocking=False)

    def release() -> None:
        lock.release()
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)

    return release


@contextlib.contextmanager
def _locks_there(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        raise StorageError(
            "the file system has no locks",
            where=str(path.parent),
            fix="give --artifacts a folder on a disk of this machine; machines share with --store",
        ) from None


_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
"""What network file systems without locks answer."""


def _lock(path: Path) -> "FileLock":
    # Imported here: it takes as long to load as all the rest of the store.
    from filelock import FileLock

    return FileLock(path)


def _owner_of(path: Path) -> Path:
    """The file that says who holds a lock: on Windows nobody else can read one that is locked."""
    return path.with_name(f"{path.name}.owner")


def _owner_in(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "another process"
    except OSError:
        return "another process"
