"""What lies in a store that machines share, and how it is removed.

One listing tells it all but the stages. Times are those of the store's own clock.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from .bucket import Object, each
from .bucket_failures import DeniedError
from .inventory import KEY, Kept, Rubbish
from .shared import ENTRIES, FILES, LEASES, USED, DamagedError, SharedStore, check, manifest_path
from .store import DAY_S

_HELD_S = 3600.0
"""A lease that was written within an hour is one of a build that runs."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """The objects of a store by what they are of."""

    now: datetime
    manifests: dict[str, Object]
    files: dict[str, list[Object]]
    used: dict[str, Object]
    leases: dict[str, list[Object]]
    others: list[Object]

    def idle_s(self, one: Object) -> float:
        """Seconds since an object was written."""
        return max(0.0, (self.now - one.changed).total_seconds())

    def is_made_now(self, key: str) -> bool:
        """Whether a build holds the lease of a key."""
        return any(self.idle_s(one) < _HELD_S for one in self.leases.get(key, ()))


def entries(store: SharedStore) -> list[Kept]:
    """The entries of a shared store, the longest unused first."""
    listing = _list(store)

    def kept(key: str) -> Kept:
        content = store.content(key) or {}
        manifest, used = listing.manifests[key], listing.used.get(key)
        idle = min(listing.idle_s(one) for one in (manifest, used) if one is not None)
        size = manifest.size + sum(one.size for one in listing.files.get(key, ()))
        stage = str(content.get("stage", "unknown"))
        return Kept(key, stage, size, idle, listing.is_made_now(key))

    return sorted(each(kept, sorted(listing.manifests)), key=lambda one: -one.idle_s)


def remove(store: SharedStore, key: str) -> bool:
    """Remove an entry, unless a build makes it now; whether it is gone.

    A machine that downloads it at this moment builds it itself.
    """
    listing = _list(store, key)
    if listing.is_made_now(key):
        return False
    # First what names the files: whoever reads finds a whole entry, or none.
    store.bucket.delete([manifest_path(key)])
    rest = [*listing.files.get(key, ()), *([listing.used[key]] if key in listing.used else [])]
    store.bucket.delete([one.path for one in rest])
    return True


def rubbish(store: SharedStore) -> list[Rubbish]:
    """Uploads of killed builds, damaged entries, and what else no build looks at again."""
    listing = _list(store)
    found = []
    for key, objects in listing.files.items():
        manifest = store.look(key) if key in listing.manifests else None
        attempts = defaultdict(list)
        for one in objects:
            attempts[one.path.split("/")[2]].append(one)
        for attempt, parts in attempts.items():
            stands = manifest is not None and manifest.attempt == attempt
            fresh = any(listing.idle_s(one) < DAY_S for one in parts)
            if not stands and not fresh and not listing.is_made_now(key):
                found += [Rubbish("uploads of killed builds", one.path, one.size) for one in parts]
    for key, used in listing.used.items():
        if key not in listing.manifests and listing.idle_s(used) >= DAY_S:
            found.append(Rubbish("marks of entries that are gone", used.path, used.size))
    for objects in listing.leases.values():
        old = (one for one in objects if listing.idle_s(one) >= DAY_S)
        found += [Rubbish("leases of killed builds", one.path, one.size) for one in old]
    old = (one for one in listing.others if listing.idle_s(one) >= DAY_S)
    found += [Rubbish("damaged entries", one.path, one.size) for one in old]
    return found


def sweep(store: SharedStore, names: Iterable[str]) -> None:
    """Remove objects that ``rubbish`` names."""
    store.bucket.delete(list(names))


def faults(store: SharedStore, done: Callable[[], None] = lambda: None) -> list[tuple[Kept, str]]:
    """Download and hash every file of every entry; the entries that are damaged, and how.

    Nothing is kept on this machine.
    """
    found = []
    for one in entries(store):
        try:
            fault = _fault(store, one.key)
        except FileNotFoundError as error:
            fault = f"a file is missing ({error.args[0] if error.args else error})"
        if fault is not None and store.has(one.key):
            found.append((one, fault))
        done()
    return found


def _fault(store: SharedStore, key: str) -> str | None:
    try:
        manifest = store.manifest(key)
        if manifest is None:
            return None
        check(manifest, None)
        store.check_sizes(key, manifest)
        for name, path in manifest.objects(key).items():
            for _ in store.checked_parts(manifest, name, path):
                pass
    except DamagedError as fault:
        return str(fault)
    return None


def _list(store: SharedStore, key: str | None = None) -> _Listing:
    bucket = store.bucket
    if key is None:
        objects = bucket.list("")
    else:
        objects = [*bucket.list(f"{FILES}/{key}"), *bucket.list(f"{LEASES}/{key}")]
        objects += [one for one in bucket.list(USED) if one.path == f"{USED}/{key}"]
    try:
        now = bucket.now()
    except DeniedError:
        # Who may only read removes nothing, and is told ages by the clock of this machine.
        now = datetime.now(UTC)
    listing = _Listing(now, {}, defaultdict(list), {}, defaultdict(list), [])
    for one in objects:
        kind, _, rest = one.path.partition("/")
        of = rest.partition("/")[0].partition(".")[0]
        if not KEY.fullmatch(of):
            if kind == "clock":
                listing.others.append(one)
        elif kind == ENTRIES:
            listing.manifests[of] = one
        elif kind == FILES:
            listing.files[of].append(one)
        elif kind == USED:
            listing.used[of] = one
        elif kind == LEASES:
            listing.leases[of].append(one)
        else:
            listing.others.append(one)
    return listing
