"""What lies in a store of this machine, and how it is removed.

    for one in entries(Path("artifacts/store")):
        print(one.key, one.stage, one.bytes)

An entry is in use while a build runs that has read it: a build marks the store, and reading an
entry writes its time. What is in use, or made now, is never removed.
"""

import contextlib
import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import locks
from .entry import ENTRY
from .store import DAY_S, FORGOTTEN_S, Store

KEY = re.compile(r"[0-9a-z]{64}")


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry of a store.

    Attributes:
        key: of the entry.
        stage: whose output it is; ``unknown`` where that cannot be read.
        bytes: of all its files.
        idle_s: seconds since it was made or last read, by the clock of the store.
        in_use: whether a build has it now.
    """

    key: str
    stage: str
    bytes: int
    idle_s: float
    in_use: bool


@dataclass(frozen=True, slots=True)
class Rubbish:
    """What no build looks at again: of killed builds, damaged, or left over.

    Attributes:
        what: it is.
        name: of the file or folder.
        bytes: in it.
    """

    what: str
    name: str
    bytes: int


def entries(root: Path) -> list[Kept]:
    """The entries of a store of this machine, the longest unused first."""
    since = _oldest_build(root)
    found = []
    for path in _listed(root):
        if not KEY.fullmatch(path.name) or not path.is_dir():
            continue
        try:
            read = (path / ENTRY).stat().st_mtime
        except OSError:
            read = 0.0
        idle = max(0.0, time.time() - read)
        found.append(Kept(path.name, _stage(path), size_of(path), idle, read >= since))
    return sorted(found, key=lambda one: -one.idle_s)


def remove(root: Path, key: str) -> bool:
    """Remove an entry, unless a build has it; whether it is gone."""
    path = root / key
    with locks.if_free(root / f".lock-{key}") as free:
        if not free:
            return False
        try:
            if (path / ENTRY).stat().st_mtime >= _oldest_build(root):
                return False
            # Away as a whole first: a reader finds all of it, or nothing.
            gone = root / f".draft-{key}.{secrets.token_hex(8)}"
            path.rename(gone)
        except FileNotFoundError:
            return not path.exists()
        shutil.rmtree(gone, ignore_errors=True)
        (root / f".sent-{key}").unlink(missing_ok=True)
    return True


def rubbish(root: Path) -> list[Rubbish]:
    """What no build looks at again."""
    return [Rubbish(what, path.name, size_of(path)) for what, path in _rubbish(root)]


def sweep(root: Path, names: Iterable[str]) -> None:
    """Remove files and folders that ``rubbish`` names."""
    still = {path.name for _, path in _rubbish(root)}
    for name in names:
        if name in still:
            path = root / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def faults(root: Path, done: Callable[[], None] = lambda: None) -> list[tuple[Kept, str]]:
    """Hash every file of every entry again; the entries that are damaged, and how.

    Args:
        root: of the store.
        done: called after each entry.
    """
    store, found = Store(root.parent, asks=True), []
    for one in entries(root):
        if (fault := store.fault(one.key)) is not None and (root / one.key).exists():
            found.append((one, fault))
        done()
    return found


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    total = 0
    for one in (path, *path.rglob("*")) if path.is_dir() else (path,):
        with contextlib.suppress(OSError):
            total += 0 if one.is_dir() else one.lstat().st_size
    return total


def _rubbish(root: Path) -> Iterator[tuple[str, Path]]:
    for path in _listed(root):
        kind, _, rest = path.name.removeprefix(".").partition("-")
        key = rest.partition(".")[0]
        with contextlib.suppress(OSError):
            age = time.time() - path.stat().st_mtime
            if kind == "draft":
                with locks.if_free(root / f".lock-{key}") as free:
                    if free:
                        yield "drafts of killed builds", path
            elif kind == "bad":
                yield "damaged entries", path
            elif kind == "work" and age > FORGOTTEN_S:
                yield "work of stages that nobody resumed", path
            elif kind == "build" and not _is_held(path):
                yield "marks of killed builds", path
            elif kind == "sent" and not (root / key).exists():
                yield "marks of entries that are gone", path
            elif path.name.startswith(".probe.") and age > DAY_S:
                yield "files of killed builds", path


def _listed(root: Path) -> list[Path]:
    return sorted(root.iterdir()) if root.is_dir() else []


def _stage(path: Path) -> str:
    try:
        return str(json.loads((path / ENTRY).read_bytes())["stage"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"


def _is_held(mark: Path) -> bool:
    with locks.if_free(mark) as free:
        return not free


def _oldest_build(root: Path) -> float:
    """When the oldest build began that runs now; infinite where none runs."""
    began = float("inf")
    for mark in root.glob(".build-*"):
        with contextlib.suppress(OSError):
            changed = mark.stat().st_mtime
            if _is_held(mark):
                began = min(began, changed)
    return began
