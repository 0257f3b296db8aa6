"""The weights of a graph that are worth packing, and the layers that use them.

for weight in packable_weights(model.graph, path):
weight.name, weight.axis, len(weight.nodes)
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ....errors import ModelError
from ..normalize.editing import read_inside
from ..normalize.names import unmarked

SMALLEST = 1024
"""Smaller weights, in values, save less than their scales and nodes cost."""


class Weight(NamedTuple):
    """A constant that one or more layers use as weights.

    Attributes:
        name: name of the tensor.
        values: float32, in the stored shape.
        nodes: the layers.
        axis: the axis of output channels, or of rows in an embedding.
    """

    name: str
    values: NDArray[np.float32]
    nodes: tuple[onnx.NodeProto, ...]
    axis: int

    @property
    def embedding(self) -> bool:
        """Whether the layers look up rows of it."""
        return self.nodes[0].op_type == "Gather"


def packable_weights(graph: onnx.GraphProto, source: Path) -> tuple[Weight, ...]:
    """The weights worth packing whose every use is understood.

    Raises:
        ModelError: a weight is not finite.
    """
    uses: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            uses.setdefault(name, []).append((node, place))
    # A graph input may override its default; how a subgraph uses a name is unknown.
    excluded = {value.name for value in (*graph.input, *graph.output)} | read_inside(graph)
    weights = []
    for tensor in graph.initializer:
        large = int(np.prod(tensor.dims, dtype=np.int64)) >= SMALLEST
        if tensor.data_type != TensorProto.FLOAT or not large or tensor.name in excluded:
            continue
        axes = {_axis(node, place, len(tensor.dims)) for node, place in uses.get(tensor.name, [])}
        kinds = {node.op_type == "Gather" for node, _ in uses.get(tensor.name, [])}
        if len(axes) != 1 or len(kinds) != 1 or (axis := axes.pop()) is None:
            continue
        values = numpy_helper.to_array(tensor)
        if not np.isfinite(values).all():
            raise ModelError(
                f"weights that are not finite in {unmarked(tensor.name)!r}",
                expected="finite weights",
                where=str(source),
            )
        nodes = tuple(node for node, _ in uses[tensor.name])
        weights.append(Weight(tensor.name, values, nodes, axis))
    return tuple(weights)


def _axis(node: onnx.NodeProto, place: int, rank: int) -> int | None:
    """The axis of a weight's output channels; None if the input is not a weight."""
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Gather":
        return 0 if place == 0 and rank == 2 and attribute_of(node, "axis", 0) in (0, -2) else None
    if place != 1 or rank < 2:
        return None
    if node.op_type in ("Conv", "ConvTranspose"):
        return 0 if node.op_type == "Conv" else 1
    if node.op_type == "Gemm":
        return 0 if attribute_of(node, "transB", 0) else 1
    return rank - 1 if node.op_type == "MatMul" else None


def layers_with_weights(graph: onnx.GraphProto) -> int:
    """The number of layers with stored weights of any size."""
    ranks = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    return sum(
        any(
            name in ranks and _axis(node, place, ranks[name]) is not None
            for place, name in enumerate(node.input)
        )
        for node in graph.node
    )


def attribute_of(node: onnx.NodeProto, name: str, default: float) -> Any:
    """The value of a node's attribute, or the default."""
    for attribute in node.attribute:
        if attribute.name == name:
            return helper.get_attribute_value(attribute)
    return default
