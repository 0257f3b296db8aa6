"""What a store holds, what may go, and whether all of it is whole.

    side = local_side(place)
    size_of(side, place)                        # by stage, by age, what no run names
    collected(side, named, 30 * DAY_S)          # what was not used for long goes

A run holds copies of all that it is made of, so that everything in a store can be removed: what is
gone is made again when a build needs it. An entry that a run names is kept, since a build of the
same recipe reads it; one that a running build has is never removed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from ..engine import inventory
from ..engine.artifacts import Artifacts
from ..engine.inventory import Kept, Rubbish
from ..engine.store import DAY_S
from ..report import numbers
from ..runs.named_keys import named_keys
from .result import Result
from .screen import Screen

T = TypeVar("T", Kept, Rubbish)
_AGES = ((DAY_S, "1 day"), (7 * DAY_S, "7 days"), (30 * DAY_S, "30 days"))


@dataclass(frozen=True, slots=True)
class Side:
    """A store that can be looked through: that of this machine, or one that machines share.

    Attributes:
        where: it lies.
        entries: lists its entries, the longest unused first.
        rubbish: lists what no build looks at again.
        remove: removes an entry, unless a build has it; whether it is gone.
        sweep: removes rubbish by name.
        faults: hashes every entry again; those that are damaged, and how.
    """

    where: str
    entries: Callable[[], list[Kept]]
    rubbish: Callable[[], list[Rubbish]]
    remove: Callable[[str], bool]
    sweep: Callable[[Iterable[str]], None]
    faults: Callable[[], list[tuple[Kept, str]]]


def local_side(place: Artifacts) -> Side:
    """The store of this machine."""
    root = place.folder / "store"
    return Side(str(root), *(partial(one, root) for one in _of(inventory)))


def shared_side(place: Artifacts, warn: Callable[[str], None]) -> Side | None:
    """The store that machines share; None where there is none.

    Raises:
        HostError: it cannot be had.
    """
    if place.shared is None:
        return None
    from ..engine import shared_inventory
    from ..engine.shared import SharedStore

    store = SharedStore(place.shared, warn)
    return Side(place.shared, *(partial(one, store) for one in _of(shared_inventory)))


def _of(module: Any) -> tuple[Callable[..., Any], ...]:
    return (module.entries, module.rubbish, module.remove, module.sweep, module.faults)


@dataclass(frozen=True, slots=True)
class Size:
    """What one store holds.

    Attributes:
        where: it lies.
        entries: all of them.
        named: keys that runs on this machine name.
        rubbish: what no build looks at again.
    """

    where: str
    entries: tuple[Kept, ...]
    named: frozenset[str]
    rubbish: tuple[Rubbish, ...]

    @property
    def bytes(self) -> int:
        """Of all entries and of the rubbish."""
        return _bytes(self.entries) + _bytes(self.rubbish)

    @property
    def unnamed(self) -> tuple[Kept, ...]:
        """Entries that no run names."""
        return tuple(one for one in self.entries if one.key not in self.named)

    def by_stage(self) -> list[tuple[str, int, int, int]]:
        """Of each stage the entries, their bytes, and those that no run names; largest first."""
        rows = [
            (stage, len(ones), _bytes(ones), _bytes(o for o in ones if o.key not in self.named))
            for stage, ones in _by(self.entries, "stage").items()
        ]
        return sorted(rows, key=lambda row: -row[2])

    def by_age(self) -> list[tuple[str, int, int]]:
        """Entries and bytes by how long ago they were used last."""
        rows, low = [], 0.0
        for high, name in (*_AGES, (float("inf"), "")):
            ones = [one for one in self.entries if low <= one.idle_s < high]
            title = f"within {name}" if name else f"longer than {_AGES[-1][1]} ago"
            rows.append((title, len(ones), _bytes(ones)))
            low = high
        return rows

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        return {
            "where": self.where,
            "bytes": self.bytes,
            "entries": len(self.entries),
            "bytes_no_run_names": _bytes(self.unnamed),
            "stages": [
                {"stage": stage, "entries": count, "bytes": size, "bytes_no_run_names": unnamed}
                for stage, count, size, unnamed in self.by_stage()
            ],
            "last_used": [
                {"when": when, "entries": count, "bytes": size}
                for when, count, size in self.by_age()
            ],
            "rubbish": [asdict(one) for one in self.rubbish],
        }


@dataclass(frozen=True, slots=True, repr=False)
class Sizes(Result):
    """What the stores hold: that of this machine, and the shared one where there is one."""

    stores: tuple[Size, ...]

    def screen(self) -> Screen:
        """A row a stage of each store."""
        rows = tuple(
            (size.where, stage, f"{count:,}", _amount(of), _amount(unnamed))
            for size in self.stores
            for stage, count, of, unnamed in size.by_stage()
        )
        total = ", ".join(f"{size.where} {_amount(size.bytes)}" for size in self.stores)
        return Screen(total, ("store", "stage", "entries", "size", "no run names"), rows)

    def records(self) -> list[dict[str, Any]]:
        """One mapping a stage of each store."""
        return [
            {"where": size.where, "stage": stage, "entries": count, "bytes": of, "unnamed": unnamed}
            for size in self.stores
            for stage, count, of, unnamed in size.by_stage()
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it; ``edgestill store size --json`` prints it."""
        return {"stores": [size.to_dict() for size in self.stores]}


def size_of(side: Side, place: Artifacts) -> Size:
    """Look through a store."""
    return Size(side.where, tuple(side.entries()), named_keys(place.folder), tuple(side.rubbish()))


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed from a store, or would be.

    Attributes:
        where: it lies.
        dry_run: whether nothing was removed.
        removed: entries.
        named: of these, those that a run names.
        in_use: entries that would have gone, and that a build has.
        rubbish: what no build looks at again.
        left: entries that stay.
    """

    where: str
    dry_run: bool
    removed: tuple[Kept, ...]
    named: int
    in_use: tuple[Kept, ...]
    rubbish: tuple[Rubbish, ...]
    left: tuple[Kept, ...]

    @property
    def freed_bytes(self) -> int:
        """Of entries and rubbish."""
        return _bytes(self.removed) + _bytes(self.rubbish)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        return {
            "where": self.where,
            "dry_run": self.dry_run,
            "freed_bytes": self.freed_bytes,
            "left_bytes": _bytes(self.left),
            "removed": [_document(one) for one in self.removed],
            "removed_that_runs_name": self.named,
            "in_use": [_document(one) for one in self.in_use],
            "rubbish": [asdict(one) for one in self.rubbish],
        }


def collected(
    side: Side,
    named: frozenset[str],
    idle_s: float,
    keep_bytes: int | None = None,
    *,
    dry_run: bool = False,
) -> Collected:
    """Remove what was not used for long and no run names, and all rubbish.

    Args:
        side: the store.
        named: keys that runs name.
        idle_s: seconds without use after which an entry goes that no run names.
        keep_bytes: most that all entries may have afterwards: the longest unused go first, and
            those that a run names after all others; None: any.
        dry_run: whether it is only said what would go.
    """
    rubbish, entries = side.rubbish(), side.entries()
    doomed = [one for one in entries if one.key not in named and one.idle_s >= idle_s]
    old = {one.key for one in doomed}
    if keep_bytes is not None:
        # What is in use stays, and counts.
        size = _bytes(entries) - _bytes(one for one in doomed if not one.in_use)
        rest = [one for one in entries if one.key not in old and not one.in_use]
        for one in sorted(rest, key=lambda one: (one.key in named, -one.idle_s)):
            if size > keep_bytes:
                doomed.append(one)
                size -= one.bytes
    in_use = [one for one in doomed if one.in_use]
    removed = [one for one in doomed if not one.in_use]
    if not dry_run:
        tried, removed = removed, []
        for one in tried:
            (removed if side.remove(one.key) else in_use).append(one)
        side.sweep([one.name for one in rubbish])
    away = {one.key for one in removed}
    return Collected(
        side.where,
        dry_run,
        tuple(removed),
        sum(one.key in named for one in removed),
        tuple(in_use),
        tuple(rubbish),
        tuple(one for one in entries if one.key not in away),
    )


@dataclass(frozen=True, slots=True)
class Hashed:
    """Whether all entries of a store are what they were.

    Attributes:
        where: it lies.
        entries: that were hashed.
        bad: those that are damaged, and how.
    """

    where: str
    entries: int
    bad: tuple[tuple[Kept, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        return {
            "where": self.where,
            "entries": self.entries,
            "bad": [{**_document(one), "fault": fault} for one, fault in self.bad],
        }


def hashed(side: Side) -> Hashed:
    """Hash every file of every entry again; nothing is changed."""
    return Hashed(side.where, len(side.entries()), tuple(side.faults()))


def _document(one: Kept) -> dict[str, Any]:
    return {
        "key": one.key,
        "stage": one.stage,
        "bytes": one.bytes,
        "idle_days": round(one.idle_s / DAY_S, 3),
    }


def _bytes(ones: Iterable[Kept | Rubbish]) -> int:
    return sum(one.bytes for one in ones)


def _by(ones: Iterable[T], attribute: str) -> dict[str, list[T]]:
    """Entries or rubbish by what they are of."""
    groups: dict[str, list[T]] = defaultdict(list)
    for one in ones:
        groups[getattr(one, attribute)].append(one)
    return groups


def _counted(ones: Sequence[T], attribute: str) -> list[str]:
    """How many of each and how large, a line each."""
    groups = _by(ones, attribute)
    return [f"  {name}: {len(of):,}, {_amount(_bytes(of))}" for name, of in groups.items()]


def _amount(size: int) -> str:
    return numbers.amount(size, numbers.BYTES)


def summary(size: Size) -> str:
    """What a store holds, in a line."""
    count = numbers.how_many(len(size.entries), "entry", "entries")
    spare = _bytes(size.unnamed) + _bytes(size.rubbish)
    more = f", {_amount(spare)} of it no run names" if spare else ""
    return f"{count} in {size.where}, {_amount(size.bytes)}{more}"


def lines_of_size(size: Size) -> list[str]:
    """What a store holds, for a terminal of 80 columns."""
    lines = [summary(size)]
    if size.entries:
        lines.append(f"  {'stage':<12} {'entries':>8} {'size':>12} {'no run names':>14}")
    for stage, entries, of, unnamed in size.by_stage():
        lines.append(f"  {stage:<12} {entries:>8,} {_amount(of):>12} {_amount(unnamed):>14}")
    for when, entries, of in size.by_age():
        if entries:
            word = numbers.how_many(entries, "entry", "entries")
            lines.append(f"  used {when}: {word}, {_amount(of)}")
    return [*lines, *rubbish_lines(size.rubbish)]


def rubbish_lines(rubbish: Sequence[Rubbish]) -> list[str]:
    """What no build looks at again, a line a kind."""
    return _counted(rubbish, "what")


def lines_of_collected(done: Collected) -> list[str]:
    """What went, for a terminal."""
    word = "would be removed" if done.dry_run else "removed"
    count = numbers.how_many(len(done.removed), "entry", "entries")
    left = numbers.how_many(len(done.left), "entry", "entries")
    lines = [
        f"{done.where}: {count} {word}, {_amount(done.freed_bytes)} in all; "
        f"{left} left, {_amount(_bytes(done.left))}"
    ]
    lines += [*_counted(done.removed, "stage"), *rubbish_lines(done.rubbish)]
    if done.named:
        of = "of them is named by a run" if done.named == 1 else "of them are named by runs"
        lines.append(f"  {done.named:,} {of}; a build of the same recipe makes them again")
    if done.in_use:
        lines.append(f"  {len(done.in_use):,} kept: a build that runs now has them")
    return lines


def lines_of_hashed(done: Hashed) -> list[str]:
    """What is damaged, for a terminal."""
    count = numbers.how_many(done.entries, "entry", "entries")
    lines = [f"{done.where}: {count} hashed, {len(done.bad) or 'none'} damaged"]
    lines += [f"  {one.stage} {one.key}: {fault}" for one, fault in done.bad]
    if done.bad:
        lines.append("  a build that needs one sets it aside and makes it again")
    return lines
