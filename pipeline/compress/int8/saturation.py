"""Which layers of an int8 file can saturate on an x86 CPU without VNNI.

There ``vpmaddubsw`` multiplies two neighbouring pairs of an activation (u8) and a weight (s8) and
adds the two products in 16 bits, with saturation at 32,767 (Intel 64 and IA-32 Architectures
Software Developer's Manual, PMADDUBSW). ONNX Runtime's kernels order the weights of one output by
kernel row, kernel column and input channel, and pair them from the first on; a convolution with one
channel a group uses another kernel, which does not saturate. Weights of 7 bits reach 64, and
2 · 255 · 64 = 32,640 fits.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...records import Saturable

_HIGHEST = 2**15 - 1
_ACTIVATION = 255
"""The largest u8; s8 activations are shifted to u8 on x86."""


def saturable(model: onnx.ModelProto) -> tuple[Saturable, ...]:
    """The layers with a pair of weights that some activations would saturate, in graph order."""
    layers = []
    for node, weights in _layers(model.graph):
        count = pairs(weights)
        if count:
            layers.append(Saturable(layer=node.name, pairs=count, of=-(-weights.size // 2)))
    return tuple(layers)


def pairs(weights: NDArray[Any]) -> int:
    """The number of neighbouring pairs that can saturate.

    Args:
        weights: int8 [outputs, inputs], inputs in the kernel's order.
    """
    paired = _paired(weights.astype(np.int32))
    high = _ACTIVATION * np.maximum(paired, 0).sum(2)
    low = _ACTIVATION * np.minimum(paired, 0).sum(2)
    return int(((high > _HIGHEST) | (low < -_HIGHEST - 1)).sum())


def fitting_scales(model: onnx.ModelProto) -> dict[str, tuple[int, NDArray[np.float32]]]:
    """Scales of 8-bit weights with which no pair can saturate.

    Seven bits for all weights would lose half of the levels for the sake of the few pairs that
    need it. A channel whose large weights have small neighbours keeps nearly all eight bits.

    Args:
        model: a model in float.

    Returns:
        By name of a paired weight: the axis of its output channels, and a scale for each channel.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    scales = {}
    for node in model.graph.node:
        tensor = stored.get(node.input[1]) if len(node.input) > 1 else None
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        weights = onnx.numpy_helper.to_array(tensor)
        rows = _rows(node, weights)
        if rows is None:
            continue
        scale = fitting(rows) / 127
        axis = 0 if node.op_type == "Conv" or _stores_outputs_first(node) else 1
        scales[tensor.name] = (axis, np.where(scale > 0, scale, 1.0).astype(np.float32))
    return scales


def fitting(rows: NDArray[Any]) -> NDArray[np.float64]:
    """The weight that 127 must represent, so that no pair of an output can saturate.

    Rounding adds at most a half to each weight of a pair, and a sum of 127 + 1 still fits.

    Args:
        rows: float weights [outputs, inputs], inputs in the kernel's order.

    Returns:
        For each output, the larger of its largest weight and its largest sum of two neighbours of
        one sign.
    """
    paired = _paired(rows.astype(np.float64))
    sums = np.maximum(np.maximum(paired, 0).sum(2), -np.minimum(paired, 0).sum(2)).max(1)
    largest: NDArray[np.float64] = np.maximum(np.abs(rows).max(1), sums)
    return largest


def in_kernel_order(weights: NDArray[Any]) -> NDArray[Any]:
    """Weights [outputs, inputs, *kernel] as [outputs, inputs], in the kernel's order."""
    return np.moveaxis(weights, 1, -1).reshape(len(weights), -1)


def _paired(rows: NDArray[Any]) -> NDArray[Any]:
    """Pairs of neighbours [outputs, pairs, 2]; an odd last weight is paired with zero."""
    if rows.shape[1] % 2:
        rows = np.pad(rows, ((0, 0), (0, 1)))
    return rows.reshape(len(rows), -1, 2)


def _rows(node: onnx.NodeProto, weights: NDArray[Any]) -> NDArray[Any] | None:
    """Weights [outputs, inputs] in the kernel's order; None if the kernel does not pair them."""
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    if node.op_type == "Conv" and (weights.shape[1] > 1 or groups == 1):
        return in_kernel_order(weights)
    if node.op_type == "Gemm":
        return weights if _stores_outputs_first(node) else weights.T
    if node.op_type == "MatMul" and weights.ndim == 2:
        return weights.T
    return None


def _stores_outputs_first(node: onnx.NodeProto) -> bool:
    """Whether a layer stores its weights [outputs, inputs]."""
    return any(a.name == "transB" and a.i for a in node.attribute)


def _layers(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, NDArray[Any]]]:
    """Layers with weights stored in int8, and those weights in the form that ``pairs`` takes."""
    stored = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8
    }
    weights: dict[str, NDArray[Any]] = {}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            weights[node.output[0]] = stored[node.input[0]]
        elif node.op_type == "Transpose" and node.input[0] in weights:
            order = next((a.ints for a in node.attribute if a.name == "perm"), None)
            weights[node.output[0]] = weights[node.input[0]].transpose(order)
        elif len(node.input) > 1 and node.input[1] in weights:
            rows = _rows(node, weights[node.input[1]])
            if rows is not None:
                yield node, rows
