"""What of an int8 file is still in float, for the report.

float_layers(onnx.load("int8.onnx"))
# ("weights in float: 2 LSTM (12,288 values), 1 LSTM inside a branch or loop (4,096 values)",)

Layers inside a branch or loop that a quantizer would take outside of it are named elsewhere.
"""

from collections import defaultdict

import onnx
from onnx import TensorProto

from ....devices.onboard.model.names import graphs_of
from ..inner_layers import WEIGHTED

SMALLEST = 256
"""Values; a smaller tensor is a bias, a scale or a shape."""


def float_layers(model: onnx.ModelProto) -> tuple[str, ...]:
    """One sentence on the operators that read large float weights; none if there are none."""
    graph = model.graph
    sizes = {
        tensor.name: size
        for one in graphs_of(graph)
        for tensor in one.initializer
        if tensor.data_type == TensorProto.FLOAT and (size := _size(tensor)) >= SMALLEST
    }
    counts: dict[str, int] = defaultdict(int)
    values: dict[str, set[str]] = defaultdict(set)
    for one in graphs_of(graph):
        for node in one.node:
            if one is not graph and node.op_type in WEIGHTED:
                continue
            if weights := sizes.keys() & set(node.input):
                kind = node.op_type + ("" if one is graph else " inside a branch or loop")
                counts[kind] += 1
                values[kind] |= weights
    if not counts:
        return ()
    shown = ", ".join(
        f"{count} {kind} ({sum(sizes[name] for name in values[kind]):,} values)"
        for kind, count in counts.items()
    )
    return (f"weights in float: {shown}",)


def _size(tensor: TensorProto) -> int:
    size = 1
    for extent in tensor.dims:
        size *= extent
    return size
