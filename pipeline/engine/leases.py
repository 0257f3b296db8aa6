"""One machine at a time: a lease on a key of a store that machines share.

    with lease(bucket, "leases/4a…", owner, print, ready) as found:
        ...                 # found: what another machine made meanwhile; None: it is ours to make

A lease is an object ``<path>/<generation>`` that only its owner writes. It is created where there
is none, so that of all who try one succeeds. The owner writes it again every ``BEAT_S`` seconds.
Whoever waits takes over by creating the next generation, once the store has shown the same object
unchanged for ``STALE_S`` seconds. That is measured by how long the waiting one has waited: no two
clocks are compared, and a clock that is wrong takes over nothing.

A lease saves work that would be done twice. Nothing depends on it: where two machines hold one, of
two entries the first stands.
"""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ...errors import StorageError
from .bucket import Bucket, Object

T = TypeVar("T")
BEAT_S = 15.0
STALE_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
_JOIN_S = 5.0
_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Owner:
    """Who makes an entry.

    Attributes:
        store: names the local store, whose lock of the key its process holds while it makes it.
        pid: of the process.
        host: the name of the machine.
        token: another one for each lease.
    """

    store: str
    pid: int
    host: str
    token: str

    @classmethod
    def here(cls, store: str) -> "Owner":
        """This process."""
        return cls(store, os.getpid(), socket.gethostname(), secrets.token_hex(8))


@contextlib.contextmanager
def lease(
    bucket: Bucket,
    path: str,
    owner: Owner,
    warn: Callable[[str], None],
    ready: Callable[[], T | None],
) -> Iterator[T | None]:
    """Hold a lease, or wait until another owner has made what it is about.

    Args:
        bucket: where it lies.
        path: of the lease.
        owner: this process, which holds the local lock of the key.
        warn: called with a sentence before it waits.
        ready: looks for what another owner made; asked between two looks at the lease, too.

    Yields:
        What ``ready`` gave; None: the lease is held until the context ends.

    Raises:
        StorageError: the store does not answer.
    """
    watch, warned, pause = _Watch(bucket), False, _FIRST_PAUSE_S
    while True:
        newest = _newest(bucket, path)
        if newest is None or watch.is_dead(newest) or watch.is_own(owner):
            generation = 0 if newest is None else _generation(newest) + 1
            mine = f"{path}/{generation:08d}"
            if _create(bucket, mine, owner):
                break
            continue
        if not warned:
            warn(f"waiting for {watch.owner()} ({bucket.address})")
            warned = True
        time.sleep(pause)
        pause = min(2.0 * pause, _LONGEST_PAUSE_S)
        if (found := ready()) is not None:
            yield found
            return
    with _beating(bucket, mine, owner):
        # It may have been made between the last look and the lease.
        yield ready()


class _Watch:
    """What is known of the lease that another owner holds."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._seen: tuple[object, ...] = ("",)
        self._since = 0.0
        self._content: dict[str, object] = {}

    def is_dead(self, newest: Object) -> bool:
        """Whether it has stood unchanged for long, by how long this process has looked at it."""
        seen = (newest.path, newest.tag, newest.changed)
        if newest.path != self._seen[0]:
            self._content = _content(self._bucket, newest.path)
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since >= STALE_S

    def is_own(self, owner: Owner) -> bool:
        """Whether a process held it that held the local lock which we hold now: it has ended."""
        told = (self._content.get("store"), self._content.get("host"))
        return told == (owner.store, owner.host)

    def owner(self) -> str:
        """Who holds it."""
        if not {"pid", "host"} <= self._content.keys():
            return "another machine"
        return f"pid {self._content['pid']} on {self._content['host']}"


def _newest(bucket: Bucket, path: str) -> Object | None:
    found = [one for one in bucket.list(path) if one.path.rpartition("/")[2].isdecimal()]
    return max(found, key=_generation, default=None)


def _generation(one: Object) -> int:
    return int(one.path.rpartition("/")[2])


def _create(bucket: Bucket, path: str, owner: Owner) -> bool:
    made = bucket.put(path, _text(owner, 0), create=True)
    # Where the answer to a write was lost, the second try finds our own object.
    return made or _content(bucket, path).get("token") == owner.token


def _text(owner: Owner, beat: int) -> bytes:
    return json.dumps(
        {
            "store": owner.store,
            "pid": owner.pid,
            "host": owner.host,
            "token": owner.token,
            "beat": beat,
        }
    ).encode()


def _content(bucket: Bucket, path: str) -> dict[str, object]:
    try:
        content = json.loads(bucket.get(path, _BYTES) or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


@contextlib.contextmanager
def _beating(bucket: Bucket, path: str, owner: Owner) -> Iterator[None]:
    ended = threading.Event()

    def beat() -> None:
        count = 0
        while not ended.wait(BEAT_S):
            count += 1
            # A beat that is lost costs nothing; after some, another machine makes the same.
            with contextlib.suppress(StorageError):
                bucket.put(path, _text(owner, count))

    thread = threading.Thread(target=beat, name=f"lease {path}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_JOIN_S)
        # One that stays behind goes stale.
        with contextlib.suppress(StorageError):
            bucket.delete([path, *_older(bucket, path)], patient=False)


def _older(bucket: Bucket, path: str) -> list[str]:
    folder, _, generation = path.rpartition("/")
    return [one.path for one in bucket.list(folder) if one.path.rpartition("/")[2] < generation]
