"""Where the boxes of a graph without cycles stand: in rows, each box below all that it reads.

    placed = layout(4, [(0, 1), (0, 2), (1, 3), (2, 3)])
    placed.row      # (0, 1, 1, 2)
    placed.across   # (0.5, 0.0, 1.0, 0.5): in widths of a box

The steps are those of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical
system structures" (IEEE Trans. Syst. Man Cybern. 11, 1981): rows by the longest path, an edge that
passes rows takes a place in each, rows ordered by the barycentre of their neighbours. Places within
a row are the least squares towards the neighbours at a given order (isotonic regression).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 12
_PASSING = 0.25
"""Room that an edge takes in a row that it passes, in widths of a box."""

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of boxes and of the edges between them.

    Attributes:
        row: of each box, from 0.
        across: its middle, in widths of a box, from 0.
        routes: of each edge the middles at each row from its first box to its last.
        rows: how many there are.
        width: from the middle of the leftmost to that of the rightmost place.
    """

    row: tuple[int, ...]
    across: tuple[float, ...]
    routes: tuple[tuple[float, ...], ...]
    rows: int
    width: float


def layout(count: int, edges: Sequence[Edge]) -> Layout:
    """Place boxes.

    Args:
        count: of boxes, numbered from 0 in an order in which each stands behind what it reads.
        edges: from the box that is read to the one that reads it, a smaller number to a larger.
    """
    row = _rows(count, edges)
    places = list(row)
    """The row of every place; the first `count` are boxes, the others are passed by an edge."""
    chains: list[list[int]] = []
    for first, last in edges:
        passed = range(row[first] + 1, row[last])
        chains.append([first, *range(len(places), len(places) + len(passed)), last])
        places += passed
    above: list[list[int]] = [[] for _ in places]
    below: list[list[int]] = [[] for _ in places]
    for chain in chains:
        for upper, lower in pairwise(chain):
            below[upper].append(lower)
            above[lower].append(upper)
    order = _ordered(places, above, below)
    wide = [1.0 if place < count else _PASSING for place in range(len(places))]
    across = _placed(order, above, below, wide)
    least, most = min(across, default=0.0), max(across, default=0.0)
    return Layout(
        row=tuple(row),
        across=tuple(across[place] - least for place in range(count)),
        routes=tuple(tuple(across[place] - least for place in chain) for chain in chains),
        rows=len(order),
        width=most - least,
    )


def _rows(count: int, edges: Sequence[Edge]) -> list[int]:
    """By the longest path; what reads nothing stands just above what reads it first."""
    row = [0] * count
    for first, last in sorted(edges, key=lambda edge: edge[1]):
        row[last] = max(row[last], row[first] + 1)
    reads = {last for _, last in edges}
    for box in range(count):
        after = [row[last] for first, last in edges if first == box]
        if box not in reads and after:
            row[box] = min(after) - 1
    return row


def _ordered(
    places: Sequence[int], above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]
) -> list[list[int]]:
    """The places of each row from left to right, of all sweeps those with the fewest crossings."""
    order: list[list[int]] = [[] for _ in range(max(places, default=-1) + 1)]
    for place, number in enumerate(places):
        order[number].append(place)
    best, fewest = [list(row) for row in order], _crossings(order, below)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for row in order if down else reversed(order):
            at = {place: where for one in order for where, place in enumerate(one)}
            row.sort(key=lambda place: _middle(place, neighbours[place], at))
        crossed = _crossings(order, below)
        if crossed < fewest:
            best, fewest = [list(row) for row in order], crossed
        if not fewest:
            break
    return best


def _middle(place: int, neighbours: Sequence[int], at: dict[int, int]) -> float:
    """The barycentre of the neighbours; without any its own place."""
    if not neighbours:
        return float(at[place])
    return sum(at[one] for one in neighbours) / len(neighbours)


def _crossings(order: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> int:
    """How often edges between one row and the next cross."""
    crossed = 0
    for upper, lower in pairwise(order):
        at = {place: where for where, place in enumerate(lower)}
        ends = [(left, at[right]) for left, one in enumerate(upper) for right in below[one]]
        crossed += sum(
            (left < other) and (right > beyond) for left, right in ends for other, beyond in ends
        )
    return crossed


def _placed(
    order: Sequence[Sequence[int]],
    above: Sequence[Sequence[int]],
    below: Sequence[Sequence[int]],
    wide: Sequence[float],
) -> list[float]:
    """The middle of each place: near its neighbours, and as far from the next as both need."""
    across = [0.0] * len(wide)
    for row in order:
        for place, where in zip(row, _apart([0.0] * len(row), row, wide), strict=True):
            across[place] = where
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for row in order if down else list(reversed(order)):
            wanted = [
                sum(across[one] for one in neighbours[place]) / len(neighbours[place])
                if neighbours[place]
                else across[place]
                for place in row
            ]
            for place, where in zip(row, _apart(wanted, row, wide), strict=True):
                across[place] = where
    return across


def _apart(wanted: Sequence[float], row: Sequence[int], wide: Sequence[float]) -> list[float]:
    """The places nearest to those wanted, by squares, that keep order and distance.

    Less the distances that the places left of it need, each may be no smaller than the one before:
    pool adjacent violators (Ayer et al., Ann. Math. Stat. 26, 1955).
    """
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (wide[left] + wide[right]) / 2)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=False):
        mean, count = want - offset, 1
        while pools and pools[-1][0] > mean:
            before, number = pools.pop()
            mean = (mean * count + before * number) / (count + number)
            count += number
        pools.append((mean, count))
    levels = [mean for mean, count in pools for _ in range(count)]
    return [level + offset for level, offset in zip(levels, offsets, strict=False)]
