"""The store: each stage's output under the hash of all that went into it.

    >>> store = Store(Path("artifacts"))                                      # doctest: +SKIP
    >>> entry = store.made(key, "data", ingredients, make)                    # doctest: +SKIP
    >>> entry.path / "x_train.npy"                                            # doctest: +SKIP

An entry is a folder with its files and ``entry.json``: the stage, the ingredients of its key, the
stage's record and a digest of every file. It is built in a folder with a temporary name beside its
place, synced, and renamed: it exists as a whole or not at all. Digests are checked on every read.
An entry that fails is set aside, named in one warning, and built again. Failures are never kept.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...devices.onboard.machine.system import WINDOWS
from ...errors import StorageError
from . import locks

FORMAT = 1
ENTRY = "entry.json"
Make = Callable[[Path], Mapping[str, Any]]
"""Fills an empty folder and returns the stage's record as JSON."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished stage on disk."""

    key: str
    path: Path
    record: Mapping[str, Any]
    digests: Mapping[str, str]


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON value in its one canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


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
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
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


_FORGOTTEN = 30 * 24 * 3600.0
"""Age in seconds at which the work folder of a killed stage is removed."""


class Store:
    """Finished stages below ``<artifacts>/store``.

    Args:
        artifacts: the folder builds write to; made where it is missing.
        warn: called with a sentence about an entry set aside or another process waited for.
        asks: whether it is only read, and nothing is written.

    Raises:
        StorageError: the folder cannot be written; found out here, before any work.
    """

    def __init__(
        self,
        artifacts: Path,
        warn: Callable[[str], None] = lambda _: None,
        *,
        asks: bool = False,
    ) -> None:
        self.root = artifacts / "store"
        self._warn = warn
        if asks:
            return
        with disk_errors(self.root, opening=True):
            self.root.mkdir(parents=True, exist_ok=True)
            # Not tempfile: a name of our own can be cleaned up after a kill -9.
            probe = self.root / f".probe.{os.getpid()}"
            probe.write_bytes(b"edgestill")
            probe.unlink()
            self._sweep()

    def _sweep(self) -> None:
        """Remove the drafts of processes that died: those whose key no process has locked."""
        for draft in self.root.glob(".draft-*"):
            key = draft.name.removeprefix(".draft-").partition(".")[0]
            with locks.if_free(self._lock_of(key)) as free:
                if free:
                    shutil.rmtree(draft, ignore_errors=True)
        for work in self.root.glob(".work-*"):
            if time.time() - work.stat().st_mtime > _FORGOTTEN:
                shutil.rmtree(work, ignore_errors=True)

    def work(self, key: str) -> Path:
        """The folder from which the stage of a key resumes after a kill."""
        path = self.root / f".work-{key}"
        path.mkdir(exist_ok=True)
        return path

    def has(self, key: str) -> bool:
        """Whether the store has an entry; its digests are not checked."""
        return (self.root / key / ENTRY).is_file()

    def peek(self, key: str) -> Mapping[str, Any] | None:
        """An entry's record, for a plan: no digest is checked; None where it cannot be read."""
        record = self._unchecked(key).get("record")
        return dict(record) if isinstance(record, Mapping) else None

    def took(self, key: str) -> tuple[str, float] | None:
        """The stage of an entry and the seconds it took; None where that is not recorded."""
        content = self._unchecked(key)
        try:
            return str(content["stage"]), float(content["seconds"])
        except (KeyError, TypeError, ValueError):
            return None

    def _unchecked(self, key: str) -> Mapping[str, Any]:
        """What an entry's file says, by its word; empty where it cannot be read."""
        try:
            content = json.loads((self.root / key / ENTRY).read_bytes())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, Mapping) else {}

    def read(self, key: str) -> Entry | None:
        """An entry with all digests checked; None where there is none, or a damaged one."""
        path = self.root / key
        if not path.exists():
            return None
        fault = self._fault(path)
        if fault is None:
            content = json.loads((path / ENTRY).read_bytes())
            return Entry(key, path, content["record"], content["files"])
        aside = self.root / f".bad-{key}.{os.getpid()}"
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        self._warn(f"{path}: {fault}; set aside as {aside.name} and built again")
        return None

    def made(
        self, key: str, stage: str, ingredients: Mapping[str, Any], make: Make
    ) -> tuple[Entry, bool]:
        """The entry of a key, made now if the store lacks it; and whether it was made now.

        One process at a time makes a key; a second one waits and then reads what the first made.
        """
        with disk_errors(self.root / key), locks.alone(self._lock_of(key), self._warn):
            if entry := self.read(key):
                return entry, False
            draft = self.root / f".draft-{key}.{os.getpid()}"
            draft.mkdir()
            # What a killed stage had done before is not in the time of the one that goes on.
            resumed, began = (self.root / f".work-{key}").exists(), time.monotonic()
            try:
                record = dict(make(draft))
                digests = folder_digests(draft)
                content = {
                    "format": FORMAT,
                    "stage": stage,
                    "ingredients": ingredients,
                    "record": record,
                    "files": digests,
                    "seconds": None if resumed else round(time.monotonic() - began, 3),
                }
                content["self"] = digest_of(content)
                (draft / ENTRY).write_bytes(json.dumps(content, indent=1).encode())
                move_whole(draft, self.root / key)
                shutil.rmtree(self.root / f".work-{key}", ignore_errors=True)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
            return Entry(key, self.root / key, record, digests), True

    def _fault(self, path: Path) -> str | None:
        try:
            content = json.loads((path / ENTRY).read_bytes())
            claimed = content.pop("self")
            if claimed != digest_of(content) or content["format"] != FORMAT:
                return f"{ENTRY} does not match its own digest"
            digests = folder_digests(path)
            del digests[ENTRY]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StorageError) as error:
            return f"unreadable ({error})"
        expected: dict[str, str] = content["files"]
        changed = sorted(
            name for name in {*digests, *expected} if digests.get(name) != expected.get(name)
        )
        return f"{', '.join(changed)} changed on disk" if changed else None

    def _lock_of(self, key: str) -> Path:
        return self.root / f".lock-{key}"


def _sync(path: Path) -> None:
    """Have a file or folder on the disk; Windows opens no folder, and syncs writers only."""
    if WINDOWS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
