"""Entries in a store that machines share.

    entries/<key>.json                  what an entry is, and where its files lie
    files/<key>/<attempt>/<number>      its files, in the order of their names
    leases/<key>/<generation>           who makes it now (``leases``)
    used/<key>                          empty; written when a build used it
    bad/<key>.<number>.json             an entry that was found damaged

An upload is an attempt with a folder of its own. Its files are written first; then ``<key>.json``
is created, where there is none: of all who make a key at once one succeeds, and what a reader finds
is whole. Whoever was later removes its own attempt. Sizes and digests are checked when an entry is
read. The names of its files are in ``<key>.json`` alone: they are data, and are checked as such.
"""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from ...errors import reason
from ..records.record import Record
from .bucket import CHUNK, Bucket, each
from .bucket_failures import DeniedError
from .entry import ENTRY, digest_of, fault_of
from .leases import Owner, lease

T = TypeVar("T")
MANIFEST_BYTES = 64 * 1024**2
"""Most that is read of what an entry is."""
_TRIES = 3
ENTRIES, FILES, USED, BAD, LEASES = "entries", "files", "used", "bad", "leases"


class Manifest(Record):
    """What an entry is, and where its files lie.

    Attributes:
        format: of this document.
        attempt: the upload that its files are of.
        bytes: the size of each file by its name.
        entry: the content of its ``entry.json``.
    """

    format: Literal[1]
    attempt: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    bytes: dict[str, Annotated[int, Field(ge=0)]]
    entry: dict[str, Any]

    def objects(self, key: str) -> dict[str, str]:
        """The path of each file's object by its name."""
        return {
            name: object_of(key, self.attempt, number)
            for number, name in enumerate(sorted(self.bytes))
        }


class DamagedError(Exception):
    """What an entry says or holds is not what it was."""


def object_of(key: str, attempt: str, number: int) -> str:
    """The path of the object of a file."""
    return f"{FILES}/{key}/{attempt}/{number}"


def manifest_path(key: str) -> str:
    """The path of the object that says what an entry is."""
    return f"{ENTRIES}/{key}.json"


class SharedStore:
    """Entries in a folder or bucket that machines share.

    Args:
        address: as ``address_of`` gives it.
        warn: called with a sentence.

    Attributes:
        bucket: the objects.
        read_only: whether writing was refused; then only reading is tried.
    """

    def __init__(self, address: str, warn: Callable[[str], None] = lambda _: None) -> None:
        self.bucket = Bucket(address)
        self.read_only = False
        self._warn = warn

    @property
    def address(self) -> str:
        """Where it lies."""
        return self.bucket.address

    def has(self, key: str) -> bool:
        """Whether there is an entry."""
        return self.bucket.changed(manifest_path(key)) is not None

    def look(self, key: str) -> Manifest | None:
        """What an entry is; None where there is none, or one that cannot be read."""
        with contextlib.suppress(DamagedError):
            return self.manifest(key)
        return None

    def fetch(
        self, key: str, draft: Path, ingredients: Mapping[str, Any] | None
    ) -> dict[str, Any] | None:
        """Download an entry into an empty folder, without its ``entry.json``.

        A damaged one is set aside and named in one warning.

        Args:
            key: of the entry.
            draft: the folder.
            ingredients: that it has to be made of; None: any.

        Returns:
            The content of its ``entry.json``; None where there is none that is whole.
        """
        try:
            if (manifest := self.manifest(key)) is None:
                return None
            check(manifest, ingredients)
            self._download(key, manifest, draft)
        except DamagedError as fault:
            self._set_aside(key, str(fault))
        except FileNotFoundError as error:
            # Somebody swept the store, or the entry lost one of its files.
            if self.has(key):
                self._set_aside(key, f"a file is missing ({reason(error)})")
        else:
            return manifest.entry
        return None

    def content(self, key: str) -> dict[str, Any] | None:
        """The content of an entry's ``entry.json``; None where there is none."""
        manifest = self.look(key)
        return None if manifest is None else manifest.entry

    def send(self, key: str, folder: Path, entry: Mapping[str, Any]) -> Manifest | None:
        """Upload an entry, unless another one is there before.

        Args:
            key: of the entry.
            folder: with its files.
            entry: the content of its ``entry.json``.

        Returns:
            What stands under the key now: this upload, or an earlier one; None where nothing can
            be written there.
        """
        if self.read_only:
            return None
        attempt = secrets.token_hex(16)
        names = sorted(entry["files"])
        manifest = Manifest(
            format=1,
            attempt=attempt,
            bytes={name: (folder / name).stat().st_size for name in names},
            entry=dict(entry),
        )
        content = json.dumps(manifest.model_dump(mode="json"), indent=1).encode()
        objects = manifest.objects(key)
        with self._unless_denied():
            # Parts of a large file go up at once; several such files would not fit into memory.
            small = [name for name in names if manifest.bytes[name] <= CHUNK]
            each(lambda name: self.bucket.put_file(objects[name], folder / name), small)
            for name in names:
                if manifest.bytes[name] > CHUNK:
                    self.bucket.put_file(objects[name], folder / name)
            for _ in range(_TRIES):
                if self.bucket.put(manifest_path(key), content, create=True):
                    return manifest
                try:
                    there = self.manifest(key)
                except DamagedError as fault:
                    self._set_aside(key, str(fault))
                    continue
                # An answer that was lost on its way makes our own manifest look like another's.
                if there is not None and there.attempt == attempt:
                    return manifest
                if there is not None:
                    self.bucket.delete(list(objects.values()))
                    return there
        return None

    def used(self, key: str) -> None:
        """Note that a build used an entry, for ``store gc``."""
        if not self.read_only:
            with self._unless_denied():
                self.bucket.put(f"{USED}/{key}", b"")

    @contextlib.contextmanager
    def claim(self, key: str, owner: Owner, ready: Callable[[], T | None]) -> Iterator[T | None]:
        """Hold the lease of a key, or wait for who holds it; see ``leases.lease``.

        Without the right to write nothing is held, and each machine makes what is missing.
        """
        with contextlib.ExitStack() as held:
            found = None
            with self._unless_denied():
                where = f"{LEASES}/{key}"
                if not self.read_only:
                    found = held.enter_context(lease(self.bucket, where, owner, self._warn, ready))
            yield found

    def manifest(self, key: str) -> Manifest | None:
        """What an entry is; None where there is none.

        Raises:
            DamagedError: it cannot be read.
        """
        content = self.bucket.get(manifest_path(key), MANIFEST_BYTES)
        if content is None:
            return None
        try:
            return Manifest.model_validate_json(content)
        except ValidationError as error:
            raise DamagedError(f"unreadable ({error.errors()[0]['msg'].lower()})") from None

    def _download(self, key: str, manifest: Manifest, draft: Path) -> None:
        self.check_sizes(key, manifest)
        for name, path in manifest.objects(key).items():
            file = draft / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as stream:
                stream.writelines(self.checked_parts(manifest, name, path))

    def checked_parts(self, manifest: Manifest, name: str, path: str) -> Iterator[bytes]:
        """Download a file of an entry in parts, and check its digest at its end.

        Args:
            manifest: of the entry.
            name: of the file.
            path: of its object.

        Raises:
            DamagedError: it has another digest.
            FileNotFoundError: it is missing.
        """
        digest = hashlib.sha256()
        for part in self.bucket.parts(path, manifest.bytes[name]):
            digest.update(part)
            yield part
        if digest.hexdigest() != manifest.entry["files"][name]:
            raise DamagedError(f"{name} has changed")

    def check_sizes(self, key: str, manifest: Manifest) -> None:
        """Compare the objects of an entry's files with what it says of them.

        Raises:
            DamagedError: one has another size.
            FileNotFoundError: one is missing.
        """
        attempt = f"{FILES}/{key}/{manifest.attempt}"
        sizes = {one.path: one.size for one in self.bucket.list(attempt)}
        for name, path in manifest.objects(key).items():
            if path not in sizes:
                raise FileNotFoundError(name)
            if sizes[path] != manifest.bytes[name]:
                raise DamagedError(f"{name} has {sizes[path]} bytes, not {manifest.bytes[name]}")

    def _set_aside(self, key: str, fault: str) -> None:
        where = f"{self.address}: {manifest_path(key)}: {fault}"
        aside = f"{BAD}/{key}.{secrets.token_hex(4)}.json"
        try:
            content = self.bucket.get(manifest_path(key), MANIFEST_BYTES)
            self.bucket.put(aside, content or b"")
            self.bucket.delete([manifest_path(key)])
        except DeniedError:
            self._warn(f"{where}; it is left out and built again")
        else:
            self._warn(f"{where}; set aside as {aside} and built again")

    @contextlib.contextmanager
    def _unless_denied(self) -> Iterator[None]:
        try:
            yield
        except DeniedError as error:
            self.read_only = True
            self._warn(f"{error.line()}; entries are read from there, and none is written")


def check(manifest: Manifest, ingredients: Mapping[str, Any] | None) -> None:
    """Refuse what an entry says of itself, before any of its files is downloaded.

    Raises:
        DamagedError: it is not what it was, or not what is looked for.
    """
    if (fault := fault_of(manifest.entry)) is not None:
        raise DamagedError(fault)
    made_of = manifest.entry.get("ingredients")
    if ingredients is not None and digest_of(made_of) != digest_of(ingredients):
        raise DamagedError("it is made of something else")
    names = manifest.entry["files"].keys()
    if names != manifest.bytes.keys():
        raise DamagedError("its files are not those of its sizes")
    for name in names:
        if not _is_below(name) or name == ENTRY:
            raise DamagedError(f"a file that cannot lie in an entry ({name!r})")


def _is_below(name: str) -> bool:
    """Whether the name of a file is a plain one below a folder, on every system."""
    path = PurePosixPath(name)
    plain = str(path) == name and not path.is_absolute() and ".." not in path.parts
    windows = PureWindowsPath(name)
    return plain and "\\" not in name and not windows.drive and "\0" not in name and name != "."
