"""Operators matched by where they stand, when neither names nor weights are left to match them by.

by_place(optimized, source, matched)      # more matches, by index in both

A runtime that changes the layout of tensors gives them new names, and what it fuses there gets a
new name and type. Such an operator still reads what matched operators write. Its source is where
all ways from those come together again: `x * sigmoid(x)` behind a convolution is one operator in
the one graph and ends at the product in the other.
"""

from collections.abc import Iterable, Mapping, Sequence

from ..onboard.model.outline import Outline
from .wiring import CONVERSIONS, REORDERS, Wiring, family, multiplies

_MOST = 32
"""Operators that one was fused from, at most: the search beyond them ends."""


def by_place(ours: Outline, theirs: Outline, matched: Mapping[int, int]) -> dict[int, int]:
    """Matches for the operators that have none, between the graphs of one file.

    Args:
        ours: the graph that a runtime made.
        theirs: the graph of the file.
        matched: index in `theirs` by index in `ours`, by better evidence.

    Returns:
        `matched` and what was added to it. An operator without weights alone is added, and only
        where every tensor that it reads comes from a matched one.
    """
    found = dict(matched)
    places = _Places(theirs, found.values())
    feeds = _feeds(ours, found)
    for index in Wiring(ours).order:
        node = ours.nodes[index]
        if index in found or _passes(index, ours, found) or multiplies(node):
            continue
        sources = [found[producer] for producer in feeds[index] if producer in found]
        if not sources or len(sources) < len(feeds[index]):
            continue
        place = places.behind(sources, family(node.op), fused=bool(node.domain))
        if place is not None:
            found[index] = place
            places.taken.add(place)
    return found


def _feeds(graph: Outline, matched: Mapping[int, int]) -> list[tuple[int, ...]]:
    """The operators whose results each one reads, through conversions and changes of layout."""
    wiring = Wiring(graph)
    feeds: list[tuple[int, ...]] = [()] * len(graph.nodes)
    for index in wiring.order:
        read: dict[int, None] = {}
        for producer in wiring.next(index, backward=True):
            through = _passes(producer, graph, matched)
            read.update(dict.fromkeys(feeds[producer] if through else (producer,)))
        feeds[index] = tuple(read)
    return feeds


def _passes(index: int, graph: Outline, matched: Mapping[int, int]) -> bool:
    op = graph.nodes[index].op
    return op in CONVERSIONS or op in REORDERS or (op == "Transpose" and index not in matched)


class _Places:
    """The operators of a file that are not matched yet.

    Attributes:
        taken: those that are.
    """

    def __init__(self, graph: Outline, taken: Iterable[int]) -> None:
        self._nodes = graph.nodes
        self._wiring = Wiring(graph)
        self.taken: set[int] = set(taken)

    def behind(self, sources: Sequence[int], kind: str, *, fused: bool) -> int | None:
        """The operator that stands behind these: of the kind, or where fused ones end."""
        begun = set(sources)
        direct = {
            reader
            for source in begun
            for reader in self._wiring.after(source)
            if reader not in self.taken
        }
        same = [
            reader
            for reader in sorted(direct)
            if family(self._nodes[reader].op) == kind and set(self._wiring.before(reader)) == begun
        ]
        if same:
            return same[0] if len(same) == 1 else None
        return self._meeting(begun, direct) if fused else None

    def _meeting(self, begun: set[int], direct: set[int]) -> int | None:
        """The first operator at which all ways from `begun` are together again."""
        inside: set[int] = set()
        waiting = sorted(direct)
        while waiting and len(inside) < _MOST:
            ready = [at for at in waiting if set(self._wiring.before(at)) <= begun | inside]
            if not ready or multiplies(self._nodes[ready[0]]):
                return None
            at = ready[0]
            waiting.remove(at)
            inside.add(at)
            if not waiting:
                return at
            readers = self._wiring.after(at)
            if any(reader in self.taken for reader in readers):
                return None  # a part of what was fused is read elsewhere, so it was not fused
            waiting += [reader for reader in readers if reader not in waiting]
        return None
