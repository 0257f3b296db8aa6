"""Layers in the branches of an If or the body of a Loop or Scan, which no int8 method takes.

inner_layers(model)
# ("1 layer inside a branch or loop stays in float (1,024 weights): MatMul 'm' in Loop 'refine'",)

The quantizers write pairs into the main graph alone, and calibration sees its tensors alone. A file
whose work is done in a loop is then in float for the most part, and its user has to know.
"""

from collections.abc import Iterator
from math import prod

import onnx
from onnx import NodeProto

from ...devices.onboard.model.graph import inner_graphs
from ...devices.onboard.model.modelfile import printable
from ...devices.onboard.model.names import graphs_of

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""The operators that are layers where their second input is stored."""
_SHOWN = 5


def inner_layers(model: onnx.ModelProto) -> tuple[str, ...]:
    """One sentence that counts these layers and names the first; none where there are none."""
    sizes = _sizes(model.graph)
    found = [
        (node, around)
        for node, around in _inner_nodes(model.graph)
        if node.op_type in WEIGHTED and sizes.keys() & set(node.input[1:2])
    ]
    if not found:
        return ()
    values = sum(sizes[name] for name in {node.input[1] for node, _ in found})
    shown = [f"{_named(node)} in {_named(around)}" for node, around in found[:_SHOWN]]
    if len(found) > _SHOWN:
        shown.append(f"{len(found) - _SHOWN} more")
    stay = "layer inside a branch or loop stays" if len(found) == 1 else (
        "layers inside branches or loops stay"
    )  # fmt: skip
    return (f"{len(found)} {stay} in float ({values:,} weights): {', '.join(shown)}",)


def _inner_nodes(graph: onnx.GraphProto) -> Iterator[tuple[NodeProto, NodeProto]]:
    """Every operator of a graph inside another, with the operator of the main graph around it."""
    for node in graph.node:
        for _, inner in inner_graphs(node):
            for one in graphs_of(inner):
                yield from ((within, node) for within in one.node)


def _sizes(graph: onnx.GraphProto) -> dict[str, int]:
    """The number of values of every stored tensor, those of graphs inside included."""
    stored: dict[str, onnx.TensorProto] = {}
    for one in graphs_of(graph):
        stored |= {tensor.name: tensor for tensor in one.initializer}
        stored |= {
            node.output[0]: attribute.t
            for node in one.node
            if node.op_type == "Constant"
            for attribute in node.attribute
            if attribute.name == "value"
        }
    return {name: prod(tensor.dims) for name, tensor in stored.items()}


def _named(node: NodeProto) -> str:
    return f"{node.op_type} {printable(node.name or node.output[0])}"
