"""The bytes of an ONNX file by their use.

>>> where_bytes_go(Path("int8.onnx")).graph         # doctest: +SKIP
12408
"""

from pathlib import Path

import onnx

from ..records import Bytes

_QUANTIZED = ("QuantizeLinear", "DequantizeLinear")
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "MatMulNBits", "MatMulInteger")
_SMALL = 16
"""Bytes: a shorter tensor is a shape or a single number rather than weights."""


def where_bytes_go(path: Path) -> Bytes:
    """Split a file's size by the use of its stored tensors."""
    graph = onnx.load(path).graph
    scales = {name for n in graph.node if n.op_type in _QUANTIZED for name in n.input[1:3]}
    layers = _behind_layers(graph)
    weights: dict[str, int] = {}
    counts = {"scales": 0, "constants": 0}
    for tensor in graph.initializer:
        size = len(tensor.raw_data) or tensor.ByteSize()
        if tensor.name in scales:
            counts["scales"] += size
        elif tensor.name in layers and size > _SMALL:
            kind = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
            weights[kind] = weights.get(kind, 0) + size
        else:
            counts["constants"] += size
    stored = sum(weights.values()) + sum(counts.values())
    return Bytes(weights=weights, graph=path.stat().st_size - stored, **counts)


def _behind_layers(graph: onnx.GraphProto) -> set[str]:
    """The tensors without an input of the model behind them that layers read, in steps or at once.

    The stored ones among them are the layers' weights, such as packed ones.
    """
    maker = {name: node for node in graph.node for name in node.output}
    constant = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        inputs = [name for name in node.input if name]
        if inputs and constant.issuperset(inputs):
            constant.update(node.output)
    waiting = [name for node in graph.node if node.op_type in _LAYERS for name in node.input]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in constant and name not in found:
            found.add(name)
            waiting += maker[name].input if name in maker else ()
    return found
