"""Where the bytes of an ONNX file go.

>>> where_bytes_go(Path("int8.onnx")).graph         # doctest: +SKIP
12408
"""

from pathlib import Path

import onnx

from ..records import Bytes

_QUANTIZED = ("QuantizeLinear", "DequantizeLinear")
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "MatMulNBits", "MatMulInteger")
_SMALL = 16
"""Bytes: what is shorter is a shape or a single number, no weights."""


def where_bytes_go(path: Path) -> Bytes:
    """Split a file's size by what its stored numbers are for."""
    graph = onnx.load(path).graph
    scales = {name for n in graph.node if n.op_type in _QUANTIZED for name in n.input[1:3]}
    sources = _sources(graph)
    layers = {
        source
        for node in graph.node
        if node.op_type in _LAYERS
        for name in node.input
        for source in sources.get(name, ())
    }
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


def _sources(graph: onnx.GraphProto) -> dict[str, set[str]]:
    """By tensor that needs no input: the stored ones it is made of, such as packed weights."""
    found = {tensor.name: {tensor.name} for tensor in graph.initializer}
    for node in graph.node:
        given = [name for name in node.input if name]
        if given and all(name in found for name in given):
            made_of = set().union(*(found[name] for name in given))
            found |= dict.fromkeys(node.output, made_of)
    return found
