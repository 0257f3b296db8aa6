"""An fp32 model with normalizations folded into the layers before them, as quantizers fold them.

folded(model)                    # a copy; the names of tensors and operators are kept
Source(folded(model), outline).node_of[3]
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from ...devices.onboard.model.graph import Graph
from ...devices.onboard.model.outline import Outline, of_model
from ...devices.operators.layer_matching import match

_CHANNEL_AXIS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1}
"""The axis of a weight along which its outputs lie; of Gemm with transB it is 0."""
_EPSILON = 1e-5
"""The default of BatchNormalization."""


class Source:
    """One fp32 model, and the node behind each node of a quantized one.

    Attributes:
        graph: of the fp32 model.
        node_of: its node, by index of node of the quantized model.
    """

    def __init__(self, model: onnx.ModelProto, quantized: Outline) -> None:
        self.graph = Graph(model.graph)
        nodes = [node for node in self.graph.nodes if node.op_type != "Constant"]
        matched = match(quantized, of_model(model, 1, {}), by_values=True)
        self.node_of = {at: nodes[index] for at, index in matched.items()}


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which a BatchNormalization, or a product or sum with a constant, is folded.

    Only what follows a layer with stored weights as the only reader of its output is folded:
    the weight and bias take the factor and offset of each output channel
    (Jacob et al., CVPR 2018, section 3.2).
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = Graph(copy.graph)
    outputs = {port.name for port in copy.graph.output}
    gone: set[int] = set()
    for node in graph.nodes:
        while node.op_type in _CHANNEL_AXIS and node.output[0] not in outputs:
            readers = graph.takers.get(node.output[0], [])
            if len(readers) != 1 or id(readers[0][0]) in gone:
                break
            after = readers[0][0]
            if not _fold(node, after, graph, copy.graph):
                break
            gone.add(id(after))
            node.output[0] = after.output[0]
    kept = [onnx.NodeProto() for node in graph.nodes if id(node) not in gone]
    for one, node in zip(kept, (n for n in graph.nodes if id(n) not in gone), strict=True):
        one.CopyFrom(node)
    del copy.graph.node[:]
    copy.graph.node.extend(kept)
    return copy


def _fold(node: NodeProto, after: NodeProto, graph: Graph, into: onnx.GraphProto) -> bool:
    """Scale a layer by what follows it; False where that is no scaling of its channels."""
    weight = _values(node.input[1] if len(node.input) > 1 else "", graph)
    if weight is None or (node.op_type != "Gemm" and weight.ndim < 3):
        return False
    axis = _CHANNEL_AXIS[node.op_type]
    if node.op_type == "Gemm":
        axis = 0 if _integer(node, "transB", 0) else 1
        if any(one.name == "beta" and one.f != 1.0 for one in node.attribute):
            return False
    if node.op_type == "ConvTranspose" and _integer(node, "group", 1) != 1:
        return False
    channels = weight.shape[axis]
    affine = _affine(node, after, graph, channels, weight.ndim)
    bias = np.zeros(channels)
    if len(node.input) > 2 and node.input[2]:
        stored = _values(node.input[2], graph)
        if stored is None or stored.size not in (1, channels):
            return False
        bias = bias + stored.reshape(-1)
    if affine is None:
        return False
    factor, offset = affine
    extents = [1] * weight.ndim
    extents[axis] = channels
    names = list(node.input[:2])
    for position, values in ((1, weight * factor.reshape(extents)), (2, bias * factor + offset)):
        name = f"{node.output[0]}_folded_{after.output[0]}_{position}"
        tensor = numpy_helper.from_array(values.astype(np.float32), name)
        into.initializer.append(tensor)
        graph.stored[name] = tensor
        names[position:] = [name]
    node.input[:] = names
    return True


def _affine(
    node: NodeProto, after: NodeProto, graph: Graph, channels: int, rank: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The factor and the offset of each channel, float64 [channels]; None where it has others."""
    if after.op_type == "BatchNormalization" and not _integer(after, "training_mode", 0):
        found = [_values(name, graph) for name in after.input[1:5]]
        if len(found) < 4 or any(one is None or one.size != channels for one in found):
            return None
        scale, shift, mean, variance = (one.reshape(-1) for one in found if one is not None)
        epsilon = next((a.f for a in after.attribute if a.name == "epsilon"), _EPSILON)
        factor = scale / np.sqrt(variance + epsilon)
        return factor, shift - mean * factor
    if after.op_type not in ("Mul", "Add"):
        return None
    other = next((name for name in after.input if name != node.output[0]), "")
    values = _values(other, graph)
    if values is None or not _by_channel(values.shape, channels, rank):
        return None
    each = np.broadcast_to(values.reshape(-1), (channels,))
    if after.op_type == "Mul":
        return each, np.zeros(channels)
    return np.ones(channels), each


def _by_channel(shape: tuple[int, ...], channels: int, rank: int) -> bool:
    """Whether a constant has one number, or one one a channel of [n, channels, ...]."""
    if all(extent == 1 for extent in shape):
        return len(shape) <= rank
    full = (1,) * (rank - len(shape)) + tuple(shape)
    return len(full) == rank and full == (1, channels, *[1] * (rank - 2))


def _values(name: str, graph: Graph) -> NDArray[np.float64] | None:
    tensor = graph.stored.get(name)
    if tensor is None:
        return None
    values: NDArray[Any] = numpy_helper.to_array(tensor)
    return values.astype(np.float64) if np.issubdtype(values.dtype, np.floating) else None


def _integer(node: NodeProto, name: str, default: int) -> int:
    return next((int(one.i) for one in node.attribute if one.name == name), default)
