"""An object store behind one small door: what it can do, and how it fails.

    bucket = Bucket("s3://models/edgestill")
    bucket.put("entries/4a….json", content, create=True)    # False: it was there before

The library is obstore. Of all that it can do, four things are used, which every kind of store
does alike: write an object whole, write one only where there is none, list, delete.
"""

import contextlib
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import StorageError, UsageError
from .address import folder_of, is_folder
from .bucket_failures import no_bucket, told
from .extras import missing

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")

RETRIES = 10
"""Of a request, with growing pauses: about a minute in all."""
_TRIAL_RETRIES = 4
"""Of the first request: an address that is wrong is told in seconds."""
_RETRY_S = 120.0
_CONNECT_S = 5.0
_REQUEST_S = 120.0
CHUNK = 8 * 1024**2
"""Bytes of a part; each part is a request."""
_PARTS = 9_000
"""S3 takes no more than 10,000."""
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a listing.

    Attributes:
        path: below the store's own prefix.
        size: in bytes.
        changed: when it was last written, by the store's clock.
        tag: another one for another content, where the store gives one.
    """

    path: str
    size: int
    changed: datetime
    tag: str | None


class Bucket:
    """An object store at an address; the first request shows whether it can be had.

    Args:
        address: as ``address_of`` gives it.

    Raises:
        HostError: obstore is not installed.
        StorageError: no such folder.
        UsageError: the address is incomplete.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._hasty = _opened(address, _TRIAL_RETRIES)
        self._patient = _opened(address, RETRIES)
        self._tried = False

    def get(self, path: str, most: int) -> bytes | None:
        """The content of a small object; None where there is none.

        Args:
            path: of the object.
            most: bytes; of a larger one nothing is read, and the content is empty.
        """
        import obstore

        with self._asking("read from it") as store, contextlib.suppress(FileNotFoundError):
            found = obstore.get(store, path)
            return bytes(found.bytes()) if found.meta["size"] <= most else b""
        return None

    def changed(self, path: str) -> datetime | None:
        """When an object was last written, by the store's clock; None where there is none."""
        import obstore

        with self._asking("read from it") as store, contextlib.suppress(FileNotFoundError):
            return obstore.head(store, path)["last_modified"]
        return None

    def put(self, path: str, content: bytes, *, create: bool = False) -> bool:
        """Write a small object whole.

        Args:
            path: of the object.
            content: of it.
            create: whether only where there is none: of all that try, one does.

        Returns:
            Whether it was written. A write whose answer was lost is tried again, and then finds
            itself: where it was not written, look whose it is.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._asking("write to it") as store:
            try:
                obstore.put(store, path, content, mode="create" if create else "overwrite")
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def put_file(self, path: str, file: Path) -> None:
        """Write an object from a file, a large one in parts."""
        import obstore

        chunk = max(CHUNK, file.stat().st_size // _PARTS + 1)
        with self._asking("write to it") as store:
            obstore.put(store, path, file, chunk_size=chunk, max_concurrency=_AT_ONCE)

    def parts(self, path: str, size: int) -> Iterator[bytes]:
        """The content of a large object in parts, in order; several are on their way at once.

        Raises:
            FileNotFoundError: there is none, or no more.
        """
        import obstore

        def part(start: int) -> bytes:
            with self._asking("read from it") as store:
                got = obstore.get_range(store, path, start=start, end=min(size, start + CHUNK))
                return bytes(got)

        yield from _ahead(part, range(0, size, CHUNK))

    def list(self, prefix: str) -> list[Object]:
        """The objects below a folder, at any depth."""
        with self._asking("list it") as store:
            return _listed(store, prefix)

    def delete(self, paths: Sequence[str], *, patient: bool = True) -> None:
        """Remove objects; one that is gone is no failure.

        Args:
            paths: of the objects.
            patient: whether it is tried for long where the store does not answer.
        """
        import obstore

        with self._asking("delete in it") as store:
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    obstore.delete(store if patient else self._hasty, path)

    def now(self) -> datetime:
        """The time by the store's clock: that of an object which is written to see it."""
        path = f"clock/{secrets.token_hex(8)}"
        self.put(path, b"")
        written = self.changed(path)
        self.delete([path])
        if written is None:
            raise StorageError("an object is gone that was just written", where=self.address)
        return written

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator["ObjectStore"]:
        if not self._tried:
            with told(self.address, "list it"):
                # A missing bucket and a missing object have the same answer, but in a listing.
                _first(self._hasty, self.address)
            self._tried = True
        with told(self.address, what):
            yield self._patient


def each(work: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    """Do one thing with each of several, a few at once; the first failure ends it."""
    return list(_ahead(work, items))


def _ahead(work: Callable[[Any], T], items: Sequence[Any]) -> Iterator[T]:
    if len(items) < 2:
        yield from map(work, items)
        return
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= _AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


def _listed(store: "ObjectStore", prefix: str) -> list[Object]:
    import obstore

    return [
        Object(one["path"], one["size"], one["last_modified"], one["e_tag"])
        for chunk in obstore.list(store, prefix)
        for one in chunk
    ]


def _opened(address: str, retries: int) -> "ObjectStore":
    try:
        from obstore.store import LocalStore, from_url
    except ImportError:
        raise missing("obstore") from None
    if is_folder(address):
        return LocalStore(folder_of(address))
    if address.startswith("memory://"):
        return _memory(address)
    # A server of one's own is often without TLS; who writes http:// means it.
    endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS)), "")
    try:
        with told(address, "be opened"):
            return from_url(
                address,
                client_options={
                    "connect_timeout": timedelta(seconds=_CONNECT_S),
                    "timeout": timedelta(seconds=_REQUEST_S),
                    **({"allow_http": True} if endpoint.startswith("http://") else {}),
                },
                retry_config={
                    "max_retries": retries,
                    "retry_timeout": timedelta(seconds=_RETRY_S),
                },
            )
    except StorageError as error:
        raise UsageError(error.found, where=address, fix=error.fix) from None


_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")


@cache
def _memory(address: str) -> "ObjectStore":
    """One store for each address, for as long as this process lives."""
    from obstore.store import MemoryStore

    del address
    return MemoryStore()


def _first(store: "ObjectStore", address: str) -> None:
    import obstore

    try:
        next(iter(obstore.list(store, chunk_size=1)), None)
    except FileNotFoundError:
        raise no_bucket(address) from None
