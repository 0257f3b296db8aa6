"""The store: each stage's output under the hash of all that went into it.

    >>> store = Store(Path("artifacts"))                                      # doctest: +SKIP
    >>> entry, is_new = store.made(key, "data", ingredients, make)            # doctest: +SKIP
    >>> entry.path / "x_train.npy"                                            # doctest: +SKIP

An entry is a folder with its files and ``entry.json``: the stage, the ingredients of its key, the
stage's record and a digest of every file. It is built in a folder with a temporary name beside its
place, synced, and renamed: it exists as a whole or not at all. Digests are checked on every read.
An entry that fails is set aside, named in one warning, and built again. Failures are never kept.

Where machines share a store (``shared``), this one is the cache in front of it: what it lacks is
downloaded, checked and kept here; what is made here is uploaded. An entry is always read here.
"""

import contextlib
import json
import os
import secrets
import shutil
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import StorageError
from . import locks
from .disk import disk_errors as disk_errors
from .disk import file_sha256 as file_sha256
from .disk import folder_digests as folder_digests
from .disk import move_whole as move_whole
from .disk import write_atomic as write_atomic
from .entry import ENTRY, content_of, fault_of, is_of_this_machine, text_of
from .entry import digest_of as digest_of

if TYPE_CHECKING:
    from .leases import Owner
    from .shared import SharedStore

Make = Callable[[Path], Mapping[str, Any]]
"""Fills an empty folder and returns the stage's record as JSON."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished stage on disk."""

    key: str
    path: Path
    record: Mapping[str, Any]
    digests: Mapping[str, str]


DAY_S = 24 * 3600.0
FORGOTTEN_S = 30 * DAY_S
"""Age in seconds at which the work folder of a killed stage is removed."""


class Store:
    """Finished stages below ``<artifacts>/store``.

    Args:
        artifacts: the folder builds write to; made where it is missing.
        warn: called with a sentence about an entry set aside or another process waited for.
        asks: whether it is only read, and nothing is written.
        shared: the address of a store that machines share (``address.address_of``); None: there is
            none. It is asked when an entry is needed that is not here, and not before.

    Attributes:
        root: the folder of the entries.

    Raises:
        StorageError: the folder cannot be written; found out here, before any work.
    """

    def __init__(
        self,
        artifacts: Path,
        warn: Callable[[str], None] = lambda _: None,
        *,
        asks: bool = False,
        shared: str | None = None,
    ) -> None:
        self.root = artifacts / "store"
        self._warn, self._asks = warn, asks
        self._address = shared
        self._shared: SharedStore | None = None
        self._is_used = False
        if asks:
            return
        with disk_errors(self.root, opening=True):
            self.root.mkdir(parents=True, exist_ok=True)
            # Not tempfile: a name of our own can be cleaned up after a kill -9.
            probe = self.root / f".probe.{secrets.token_hex(8)}"
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
            if time.time() - work.stat().st_mtime > FORGOTTEN_S:
                shutil.rmtree(work, ignore_errors=True)

    @property
    def address(self) -> str | None:
        """Of the store that machines share; None: there is none."""
        return self._address

    @property
    def shared(self) -> "SharedStore | None":
        """The store that machines share, opened when it is first needed.

        Raises:
            HostError: obstore is not installed, or the store cannot be had.
        """
        if self._shared is None and self._address is not None:
            from .shared import SharedStore

            self._shared = SharedStore(self._address, self._warn)
        return self._shared

    def work(self, key: str) -> Path:
        """The folder from which the stage of a key resumes after a kill; of this machine alone."""
        path = self.root / f".work-{key}"
        path.mkdir(exist_ok=True)
        return path

    def has(self, key: str) -> bool:
        """Whether there is an entry, here or in the shared store; its digests are not checked."""
        if (self.root / key / ENTRY).is_file():
            return True
        return self.shared is not None and self.shared.has(key)

    def peek(self, key: str) -> Mapping[str, Any] | None:
        """An entry's record, for a plan: no digest is checked; None where it cannot be read."""
        record = self._unchecked(key).get("record")
        if record is None and self.shared is not None:
            content = self.shared.content(key)
            record = content["record"] if content and fault_of(content) is None else None
        return dict(record) if isinstance(record, Mapping) else None

    def took(self, key: str) -> tuple[str, float] | None:
        """The stage of an entry here and the seconds it took; None where that is not recorded."""
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
        """An entry with all digests checked; None where there is none, or a damaged one.

        One that only the shared store has is downloaded, also a measurement of another machine
        that was sent there; who only asks gets what is here.
        """
        if (entry := self._here(key)) is not None or self._asks or self.shared is None:
            return entry
        with disk_errors(self.root / key), locks.alone(self._lock_of(key), self._warn):
            return self._here(key) or self._fetched(self.shared, key)

    def made(
        self, key: str, stage: str, ingredients: Mapping[str, Any], make: Make
    ) -> tuple[Entry, bool]:
        """The entry of a key, made now if the store lacks it; and whether it was made now.

        One process at a time makes a key; a second one waits and then reads what the first made.
        With a shared store that holds for all its machines, and the entry lies there afterwards;
        an entry that only holds for one machine (``ingredients`` with ``machine``) stays on it.

        Raises:
            StorageError: a full disk, or a shared store that does not answer; what was made is
                kept here, and the next build uploads it.
        """
        with disk_errors(self.root / key), locks.alone(self._lock_of(key), self._warn):
            entry, stays = self._here(key), is_of_this_machine(ingredients)
            if entry and (stays or self._was_sent(key)):
                return entry, False
            shared = None if stays else self.shared
            if entry:
                return (entry if shared is None else self._send(shared, entry)), False
            if shared is None:
                return self._make(key, stage, ingredients, make), True

            def ready() -> Entry | None:
                return self._fetched(shared, key, ingredients)

            if found := ready():
                return found, False
            with shared.claim(key, self._owner(), ready) as found:
                if found:
                    return found, False
                entry = self._make(key, stage, ingredients, make)
                return self._send(shared, entry), True

    def send(self, keys: Iterable[str], *, measured: bool = False) -> None:
        """Have the shared store hold entries that are here; without one nothing is done.

        What was seen there within a day is not asked for again.

        Args:
            keys: of the entries.
            measured: whether also those that only hold for this machine. No ``made`` of another
                one takes them for its own; ``read`` gives them to who knows their key.

        Raises:
            StorageError: the shared store does not answer.
        """
        for key in keys:
            if self._address is None or self._was_sent(key):
                continue
            if measured or not is_of_this_machine(self._unchecked(key).get("ingredients")):
                with disk_errors(self.root / key), locks.alone(self._lock_of(key), self._warn):
                    if (entry := self._here(key)) and (shared := self.shared) is not None:
                        self._send(shared, entry)

    def share(self, keys: Iterable[str]) -> None:
        """As ``send``, after a build that has ended well: a store that fails is a warning."""
        try:
            self.send(keys)
        except StorageError as error:
            self._warn(error.line())

    def _here(self, key: str) -> Entry | None:
        """An entry of this machine, checked; a damaged one is set aside."""
        path = self.root / key
        if not path.exists():
            return None
        self._use()
        fault = self.fault(key)
        if fault is None:
            content = json.loads((path / ENTRY).read_bytes())
            if not self._asks:
                with contextlib.suppress(OSError):
                    os.utime(path / ENTRY)  # when it was last used, for ``store gc``
            return Entry(key, path, content["record"], content["files"])
        self._mark_of(key).unlink(missing_ok=True)
        aside = self.root / f".bad-{key}.{os.getpid()}"
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        self._warn(f"{path}: {fault}; set aside as {aside.name} and built again")
        return None

    @contextlib.contextmanager
    def _draft(self, key: str) -> Iterator[Path]:
        """A new folder that is gone afterwards, unless it was moved to its place."""
        draft = self.root / f".draft-{key}.{secrets.token_hex(8)}"
        draft.mkdir()
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _make(self, key: str, stage: str, ingredients: Mapping[str, Any], make: Make) -> Entry:
        self._use()
        with self._draft(key) as draft:
            # What a killed stage had done before is not in the time of the one that goes on.
            resumed, began = (self.root / f".work-{key}").exists(), time.monotonic()
            record = dict(make(draft))
            digests = folder_digests(draft)
            seconds = None if resumed else round(time.monotonic() - began, 3)
            content = content_of(stage, ingredients, record, digests, seconds)
            (draft / ENTRY).write_bytes(text_of(content))
            move_whole(draft, self.root / key)
        shutil.rmtree(self.root / f".work-{key}", ignore_errors=True)
        return Entry(key, self.root / key, record, digests)

    def _fetched(
        self, shared: "SharedStore", key: str, ingredients: Mapping[str, Any] | None = None
    ) -> Entry | None:
        """An entry of the shared store, now here; None where it has none that is whole."""
        self._use()
        with self._draft(key) as draft:
            content = _downloaded(shared, key, draft, ingredients)
            if content is None:
                return None
            move_whole(draft, self.root / key)
        # Another machine has made it: what this one began is of no more use.
        shutil.rmtree(self.root / f".work-{key}", ignore_errors=True)
        self._note_sent(shared, key)
        return Entry(key, self.root / key, content["record"], content["files"])

    def _send(self, shared: "SharedStore", entry: Entry) -> Entry:
        """Have the shared store hold an entry; what it holds is what is here afterwards."""
        key = entry.key
        if self._was_sent(key):
            return entry
        with _kept(entry):
            stands = shared.look(key) or shared.send(key, entry.path, self._unchecked(key))
        if stands is None:
            return entry
        theirs = (stands.entry.get("files"), stands.entry.get("record"))
        if theirs != (entry.digests, entry.record):
            # Somebody made another one first: one key has one entry, for all.
            with self._draft(key) as draft:
                content = _downloaded(shared, key, draft)
                if content is None:
                    return entry
                with self._draft(key) as old:
                    entry.path.rename(old / "old")
                    move_whole(draft, entry.path)
            entry = Entry(key, entry.path, content["record"], content["files"])
        self._note_sent(shared, key)
        return entry

    def fault(self, key: str) -> str | None:
        """What is wrong with an entry that is here; None where every digest holds."""
        path = self.root / key
        try:
            content = json.loads((path / ENTRY).read_bytes())
            if (fault := fault_of(content)) is not None:
                return fault
            digests = folder_digests(path)
            del digests[ENTRY]
        except (OSError, ValueError, KeyError, StorageError) as error:
            return f"unreadable ({error})"
        expected: dict[str, str] = content["files"]
        changed = sorted(
            name for name in {*digests, *expected} if digests.get(name) != expected.get(name)
        )
        return f"{', '.join(changed)} changed on disk" if changed else None

    def _use(self) -> None:
        """Say that entries are in use from now on, for as long as this process has this store."""
        if not self._is_used and not self._asks:
            self._is_used = True
            mark = self.root / f".build-{secrets.token_hex(8)}"
            weakref.finalize(self, locks.hold(mark))

    def _owner(self) -> "Owner":
        from .leases import Owner

        name = self.root / ".id"
        with contextlib.suppress(FileExistsError), name.open("x", encoding="ascii") as stream:
            stream.write(secrets.token_hex(16))
        return Owner.here(name.read_text(encoding="ascii"))

    def _was_sent(self, key: str) -> bool:
        """Whether the shared store had an entry within a day."""
        mark = self._mark_of(key)
        try:
            age = abs(time.time() - mark.stat().st_mtime)
            return age < DAY_S and mark.read_text(encoding="utf-8") == self._address
        except OSError:
            return False

    def _note_sent(self, shared: "SharedStore", key: str) -> None:
        shared.used(key)
        self._mark_of(key).write_text(shared.address, encoding="utf-8")

    def _mark_of(self, key: str) -> Path:
        return self.root / f".sent-{key}"

    def _lock_of(self, key: str) -> Path:
        return self.root / f".lock-{key}"


def _downloaded(
    shared: "SharedStore",
    key: str,
    draft: Path,
    ingredients: Mapping[str, Any] | None = None,
) -> Mapping[str, Any] | None:
    """Download an entry into a draft, with its ``entry.json``, whose content is returned."""
    content = shared.fetch(key, draft, ingredients)
    if content is not None:
        (draft / ENTRY).write_bytes(text_of(content))
    return content


@contextlib.contextmanager
def _kept(entry: Entry) -> Iterator[None]:
    """Say of an upload that failed that nothing is lost."""
    try:
        yield
    except StorageError as error:
        fix = f"what was made is kept in {entry.path}, and the next build uploads it"
        raise StorageError(
            error.found, where=error.where, fix=f"{error.fix}; {fix}" if error.fix else fix
        ) from None
