"""Which layers of an int8 file can saturate on an x86 CPU without VNNI.

There ``vpmaddubsw`` multiplies two neighbouring pairs of an activation (u8) and a weight (s8) and
adds the two products in 16 bits, where everything beyond 32,767 is cut off (Intel 64 and IA-32
Architectures Software Developer's Manual, PMADDUBSW). ONNX Runtime's kernels lay the weights of one
output out along kernel row, kernel column, input channel, and take them two by two from the first;
a convolution with one channel a group is computed another way and does not saturate. Weights of
7 bits reach 64, and 2 · 255 · 64 = 32,640 still fits.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..records import Saturable

_HIGHEST = 2**15 - 1
_ACTIVATION = 255
"""The largest u8; activations in s8 are shifted to u8 on x86."""


def saturable(model: onnx.ModelProto) -> tuple[Saturable, ...]:
    """Every layer with a pair of weights that some activations would saturate, in graph order."""
    found = []
    for node, weights in _layers(model.graph):
        count = pairs(weights)
        if count:
            found.append(Saturable(layer=node.name, pairs=count, of=-(-weights.size // 2)))
    return tuple(found)


def pairs(weights: NDArray[Any]) -> int:
    """How many neighbouring pairs can saturate.

    Args:
        weights: int8 [outputs, inputs], inputs in the order in which the kernel takes them.
    """
    wide = weights.astype(np.int32)
    if wide.shape[1] % 2:
        wide = np.pad(wide, ((0, 0), (0, 1)))
    both = wide.reshape(len(wide), -1, 2)
    high = _ACTIVATION * np.maximum(both, 0).sum(2)
    low = _ACTIVATION * np.minimum(both, 0).sum(2)
    return int(((high > _HIGHEST) | (low < -_HIGHEST - 1)).sum())


def _layers(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, NDArray[Any]]]:
    """Layers whose weights are stored in int8, with those as ``pairs`` takes them."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    source = {
        node.output[0]: stored[node.input[0]]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in stored
    }
    for node in graph.node:
        tensor = source.get(node.input[1]) if len(node.input) > 1 else None
        if tensor is None or tensor.data_type != onnx.TensorProto.INT8:
            continue
        weights = onnx.numpy_helper.to_array(tensor)
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Conv" and (weights.shape[1] > 1 or attributes.get("group", 1) == 1):
            rows = np.moveaxis(weights, 1, -1).reshape(len(weights), -1)
        elif node.op_type == "Gemm":
            rows = weights if attributes.get("transB", 0) else weights.T
        elif node.op_type == "MatMul" and weights.ndim == 2:
            rows = weights.T
        else:
            continue
        yield node, rows
