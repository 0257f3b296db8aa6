"""The stored tensors of a graph: how many trained numbers, how many bytes.

    StoredTensors(Graph(model.graph)).parameters()

Scales, zero points, shapes and indices are stored, but not trained. onnx is imported inside the
functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .graph import Graph, inner_graphs
from .roots import STAND_BEFORE, Roots
from .stand_ins import number
from .tally import tensor_bytes

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

# Inputs that are scales and zero points; the QLinear operators of one and of two operands alike.
_UNARY_SCALES, _BINARY_SCALES = {1, 2, 3, 4}, {1, 2, 4, 5, 6, 7}
_SCALES: Mapping[str, set[int]] = {
    "QuantizeLinear": {1, 2},
    "DequantizeLinear": {1, 2},
    "QLinearConv": _BINARY_SCALES,
    "QLinearMatMul": _BINARY_SCALES,
    "QGemm": {1, 2, 4, 5, 7, 8},
    "ConvInteger": {2, 3},
    "MatMulInteger": {2, 3},
    "MatMulIntegerToFloat": {2, 3, 4, 5},
    "DynamicQuantizeMatMul": {2, 3},
    "MatMulNBits": {2, 3},
}


class StoredTensors:
    """The stored tensors of a graph and of those inside its nodes.

    Args:
        graph: a model's.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._inner = [Graph(one, graph) for node in graph.nodes for _, one in inner_graphs(node)]
        self._parts = [StoredTensors(one) for one in self._inner]
        self._seen: set[str] = set()
        self._roots = Roots(graph)

    def size(self) -> int:
        """Bytes of all tensors."""
        own = sum(tensor_bytes(math.prod(one.dims), one.data_type) for one in self._tensors())
        return own + sum(part.size() for part in self._parts)

    def parameters(self) -> int:
        """Trained numbers of all tensors."""
        own = sum(self._trained(name) for name in self._graph.stored)
        return own + sum(part.parameters() for part in self._parts)

    def first_read_by(self, node: NodeProto) -> int:
        """Trained numbers behind a node's inputs that no node before it was asked for."""
        return self._first_read(node, self._graph, self._roots)

    def _tensors(self) -> Iterator[TensorProto]:
        yield from self._graph.stored.values()

    def _first_read(self, node: NodeProto, graph: Graph, roots: Roots) -> int:
        total = 0
        for _, inner in inner_graphs(node):
            inside = Graph(inner, graph)
            below = Roots(inside)
            total += sum(self._first_read(one, inside, below) for one in inside.nodes)
        if node.op_type in STAND_BEFORE:
            return total
        for position, name in enumerate(node.input):
            root, passed = roots.of(name)
            taker, at = (node, position) if passed is None else (passed, 0)
            tensor = graph.value(root)
            if tensor is None or root in self._seen or _is_scale(taker, at):
                continue
            self._seen.add(root)
            total += _numbers(tensor, self._takers(root))
        return total

    def _takers(self, name: str) -> list[tuple[NodeProto, int]]:
        return self._graph.takers.get(name, [])

    def _trained(self, name: str) -> int:
        return _numbers(self._graph.stored[name], self._takers(name))


def _numbers(tensor: TensorProto, takers: list[tuple[NodeProto, int]]) -> int:
    """How many trained numbers a stored tensor holds."""
    from onnx import TensorProto

    packed = [node for node, at in takers if node.op_type == "MatMulNBits" and at == 1]
    if packed:
        return number(packed[0], "K", 0) * number(packed[0], "N", 0)
    shapes_and_indices = (TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING)
    if tensor.data_type in shapes_and_indices or all(_is_scale(node, at) for node, at in takers):
        return 0
    return math.prod(tensor.dims)


def _is_scale(node: NodeProto, position: int) -> bool:
    """Whether this input is a scale or a zero point, by the operators' specifications."""
    kind = node.op_type
    if kind in _SCALES:
        return position in _SCALES[kind]
    if kind == "QLinearConcat":
        return position < 2 or position % 3 != 2
    if kind.startswith("QLinear"):
        return position in (_UNARY_SCALES if len(node.input) <= 5 else _BINARY_SCALES)
    return False
