"""Whether a graph is a transformer.

is_transformer(onnx.load("text.onnx").graph)
"""

from collections.abc import Mapping

import onnx

_THROUGH = ("Add", "Sub", "Mul", "Div", "Where", "Cast", "Reshape")
"""Operators that may stand between a product and its softmax."""


def is_transformer(graph: onnx.GraphProto) -> bool:
    """Whether there is attention (a softmax over a product) and layer normalization."""
    kinds = {node.op_type for node in graph.node}
    normalized = "LayerNormalization" in kinds or {"ReduceMean", "Sqrt"} <= kinds
    producer_of = {name: node for node in graph.node for name in node.output}
    return normalized and any(
        _over_product(node, producer_of) for node in graph.node if node.op_type == "Softmax"
    )


def _over_product(node: onnx.NodeProto, producer_of: Mapping[str, onnx.NodeProto]) -> bool:
    """Whether a node reads a product of two computed values, directly or through `_THROUGH`."""
    waiting, seen = list(node.input), set()
    while waiting:
        name = waiting.pop()
        producer = producer_of.get(name)
        if producer is None or name in seen:
            continue
        seen.add(name)
        if producer.op_type == "MatMul" and all(factor in producer_of for factor in producer.input):
            return True
        if producer.op_type in _THROUGH:
            waiting += producer.input
    return False
