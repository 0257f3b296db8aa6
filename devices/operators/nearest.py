"""From the last of several fused operators, the nearest one before it of a kind.

nearest = NearestOfKind(wiring, kinds, written=set())
nearest.before(7, "Conv")        # the convolutions that operator 7 may have been fused into
"""

from collections.abc import Sequence, Set

from .wiring import Wiring, multiplies

_MOST = 8
"""More operators at the same distance are no evidence for one of them."""
_Found = tuple[int, frozenset[int]]
"""A distance, and the operators there; no operators where there are too many."""


class NearestOfKind:
    """The nearest operators of each kind, for all operators of one graph.

    A way ends at an operator with weights, and at a tensor that the other graph writes too: the
    operator behind it was not fused. Each kind is one pass over the graph in topological order, so
    that a chain of diamonds, which has exponentially many ways, takes no longer than a chain.

    Args:
        wiring: of the graph.
        kinds: the kind of each operator.
        written: the tensors that the other graph writes.
    """

    def __init__(self, wiring: Wiring, kinds: Sequence[str], written: Set[str]) -> None:
        self._wiring = wiring
        self._kinds = kinds
        self._present = frozenset(kinds)
        self._apart = [
            not written.isdisjoint(name for name in node.outputs if name)
            for node in wiring.graph.nodes
        ]
        self._by_kind: dict[str, list[_Found | None]] = {}

    def before(self, index: int, kind: str) -> frozenset[int]:
        """The operator itself if it is of the kind, else the nearest before it; empty for none."""
        if self._kinds[index] == kind:
            return frozenset((index,))
        if kind not in self._present:
            return frozenset()
        if kind not in self._by_kind:
            self._by_kind[kind] = self._pass(kind)
        found = self._by_kind[kind][index]
        return found[1] if found is not None else frozenset()

    def _pass(self, kind: str) -> list[_Found | None]:
        nodes = self._wiring.graph.nodes
        found: list[_Found | None] = [None] * len(nodes)
        for index in self._wiring.order:
            if self._kinds[index] == kind:
                found[index] = (0, frozenset((index,)))
            elif not multiplies(nodes[index]):
                found[index] = self._joined(index, found)
        return found

    def _joined(self, index: int, found: Sequence[_Found | None]) -> _Found | None:
        best: _Found | None = None
        for previous in self._wiring.before(index):
            one = found[previous]
            if one is None or self._apart[previous]:
                continue
            distance, nodes = one[0] + 1, one[1]
            if best is None or distance < best[0]:
                best = (distance, nodes)
            elif distance == best[0]:
                both = best[1] | nodes if best[1] and nodes else frozenset[int]()
                best = (distance, both if len(both) <= _MOST else frozenset())
        return best
