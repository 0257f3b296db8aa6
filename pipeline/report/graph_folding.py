"""The operators of a model as few boxes: of a large graph what lies in a chain is one box.

    boxes = folded(record.operators)     # None: more than are readable, or edges are not recorded
    boxes[0].operators, boxes[0].after   # (0, 1, 2), ()

First chains of operators that take little time are folded, then chains of all, then all that one
module of the network holds, from the innermost outwards, as long as the boxes have no cycle.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..records import OperatorTime

MOST_BOXES = 60
"""As many as are read at once."""
MOST_ROWS = 40
"""As many as fill two sheets of paper."""
_FEWEST = 4
"""Modules that say where the time goes: one that holds all does not."""
_LITTLE = (-1.0, 0.0, 0.01, 0.02, 0.05, 1.0)
"""Shares of a query; chains of operators that take no more are folded, the least first."""


@dataclass(frozen=True, slots=True)
class Box:
    """Operators that are drawn as one.

    Attributes:
        operators: their positions in the record, in the order of execution.
        after: positions of the boxes whose results they read.
        module: the module that holds all of them, where they were folded for that.
    """

    operators: tuple[int, ...]
    after: tuple[int, ...]
    module: str = ""


def folded(operators: Sequence[OperatorTime]) -> tuple[Box, ...] | None:
    """Boxes in an order in which each stands behind those that it reads.

    Args:
        operators: of one record.

    Returns:
        None where the record lacks who reads whom, or there are more boxes however they are folded.
    """
    reads = [one.after for one in operators]
    known = [after for after in reads if after is not None]
    if len(known) < len(reads) or not operators:
        return None
    shares = [one.share for one in operators]
    for little in _LITTLE:
        boxes = _boxes(_chains(known, shares, little), known)
        if boxes is not None and _readable(boxes):
            return boxes
    names = [one.name for one in operators]
    for depth in range(_depth(names), 0, -1):
        groups = _modules(names, depth)
        boxes = _boxes(groups, known, names=[_module(name, depth) for name in names])
        if boxes is not None and len(boxes) >= _FEWEST and _readable(boxes):
            return boxes
    return None


def _readable(boxes: Sequence[Box]) -> bool:
    rows: list[int] = []
    for box in boxes:
        rows.append(1 + max((rows[before] for before in box.after), default=0))
    return len(boxes) <= MOST_BOXES and max(rows) <= MOST_ROWS


def _chains(reads: Sequence[tuple[int, ...]], shares: Sequence[float], little: float) -> list[int]:
    """The first operator of the chain that each belongs to.

    A chain goes on where one operator is all that reads another, which is all that it reads.
    """
    readers: Mapping[int, list[int]] = defaultdict(list)
    for at, after in enumerate(reads):
        for before in after:
            readers[before].append(at)
    group = list(range(len(reads)))
    for at in _sorted(reads):
        after = reads[at]
        if len(after) == 1 and len(readers[after[0]]) == 1:
            (before,) = after
            if shares[at] <= little and shares[before] <= little:
                group[at] = group[before]
    return group


def _modules(names: Sequence[str], depth: int) -> list[int]:
    """The first operator of the module, at a depth, that holds each."""
    first: dict[str, int] = {}
    return [first.setdefault(_module(name, depth), at) for at, name in enumerate(names)]


def _module(name: str, depth: int) -> str:
    return ".".join(_parts(name)[:depth])


def _parts(name: str) -> list[str]:
    """Of ``layers.0.conv``, and of ``/layers/0/conv``, as the older exporter of PyTorch has it."""
    return [part for part in re.split(r"[./]", name) if part]


def _depth(names: Sequence[str]) -> int:
    """Levels of modules."""
    return max(len(_parts(name)) for name in names) - 1


def _boxes(
    group: Sequence[int], reads: Sequence[tuple[int, ...]], names: Sequence[str] = ()
) -> tuple[Box, ...] | None:
    """The groups as boxes in the order of what they read; None where they have a cycle."""
    members: dict[int, list[int]] = defaultdict(list)
    for at, first in enumerate(group):
        members[first].append(at)
    place = {first: at for at, first in enumerate(members)}
    after = [
        sorted({place[group[b]] for at in own for b in reads[at]} - {place[first]})
        for first, own in members.items()
    ]
    order = _sorted(after)
    if len(order) < len(after):
        return None
    new = {old: at for at, old in enumerate(order)}
    own = list(members.values())
    return tuple(
        Box(
            tuple(own[old]),
            tuple(sorted(new[before] for before in after[old])),
            names[own[old][0]] if names and len(own[old]) > 1 else "",
        )
        for old in order
    )


def _sorted(after: Sequence[Sequence[int]]) -> list[int]:
    """All, each behind those that it reads (Kahn, 1962), else early; without those in a cycle."""
    missing = [len(before) for before in after]
    readers: Mapping[int, list[int]] = defaultdict(list)
    for at, befores in enumerate(after):
        for before in befores:
            readers[before].append(at)
    order = [at for at, count in enumerate(missing) if not count]
    for at in order:  # grows meanwhile
        for reader in readers[at]:
            missing[reader] -= 1
            if not missing[reader]:
                order.append(reader)
    return order
