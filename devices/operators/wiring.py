"""Kinds of operators, and which operators produce and read each tensor of a graph.

wiring = Wiring(outline)
wiring.before(3)       # nodes that produce what node 3 reads, looking through Q and DQ
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from ..onboard.model.outline import WEIGHT_AT, Node, Outline

CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
REORDERS = frozenset({"ReorderInput", "ReorderOutput"})
_MATRIX_PRODUCTS = frozenset({
    "MatMul", "Gemm", "FusedMatMul", "FusedGemm", "TransposeMatMul", "QLinearMatMul", "QGemm",
    "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "MatMulNBits",
})  # fmt: skip
_CONVOLUTIONS = frozenset({"Conv", "FusedConv", "NhwcFusedConv", "QLinearConv", "ConvInteger"})


def family(op: str) -> str:
    """The operation behind an operator type: `FusedConv` and `QLinearConv` are both `Conv`."""
    if op in _CONVOLUTIONS:
        return "Conv"
    if op in _MATRIX_PRODUCTS:
        return "MatMul"
    return op.removeprefix("QLinear")


def multiplies(node: Node) -> bool:
    """Whether the operator type takes a weight."""
    return node.op in WEIGHT_AT


def shown(node: Node) -> str:
    """A node's name, or the name of its first output if the node has none."""
    return node.name or next((name for name in node.outputs if name), "")


class Wiring:
    """Which node produces and which nodes read each tensor of one graph, by index of node.

    Attributes:
        graph: the graph.
        producer: index of the node that writes a tensor, by the tensor's name.
        readers: indices of the nodes that read a tensor, by the tensor's name.
    """

    def __init__(self, graph: Outline) -> None:
        self.graph = graph
        self.producer: dict[str, int] = {}
        self.readers: dict[str, list[int]] = defaultdict(list)
        self._through: dict[bool, dict[int, tuple[int, ...]]] = {}
        for index, node in enumerate(graph.nodes):
            for name in node.outputs:
                if name:
                    self.producer[name] = index
            for name in dict.fromkeys(node.inputs):
                if name:
                    self.readers[name].append(index)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """All nodes, each after those that it reads (Kahn 1962); without those in a cycle."""
        missing = [
            len({self.producer[name] for name in node.inputs if name in self.producer})
            for node in self.graph.nodes
        ]
        order = [index for index, count in enumerate(missing) if not count]
        for index in order:  # grows meanwhile
            for reader in dict.fromkeys(self.next(index, backward=False)):
                missing[reader] -= 1
                if not missing[reader]:
                    order.append(reader)
        return tuple(order)

    def before(self, index: int) -> list[int]:
        """The nodes that produce what this node reads, looking through Q and DQ."""
        return self._reach(index, backward=True)

    def after(self, index: int) -> list[int]:
        """The nodes that read what this node produces, looking through Q and DQ."""
        return self._reach(index, backward=False)

    def _reach(self, index: int, *, backward: bool) -> list[int]:
        if backward not in self._through:
            self._look_through(backward=backward)
        return self._beside(index, self._through[backward], backward=backward)

    def _look_through(self, *, backward: bool) -> None:
        """What lies behind each Q and DQ, each computed once from those next to it."""
        through: dict[int, tuple[int, ...]] = {}
        for index in self.order if backward else reversed(self.order):
            if self.graph.nodes[index].op in CONVERSIONS:
                through[index] = tuple(self._beside(index, through, backward=backward))
        self._through[backward] = through

    def _beside(
        self, index: int, through: Mapping[int, Sequence[int]], *, backward: bool
    ) -> list[int]:
        neighbours = list(self.next(index, backward=backward))
        reached = dict.fromkeys(
            neighbour
            for neighbour in neighbours
            if self.graph.nodes[neighbour].op not in CONVERSIONS
        )
        for neighbour in neighbours:
            reached.update(dict.fromkeys(through.get(neighbour, ())))
        reached.pop(index, None)
        return list(reached)

    def next(self, index: int, *, backward: bool) -> Iterator[int]:
        """The nodes of any kind directly before or directly after this node."""
        node = self.graph.nodes[index]
        if backward:
            yield from (self.producer[name] for name in node.inputs if name in self.producer)
        else:
            for name in node.outputs:
                yield from self.readers.get(name, ())
