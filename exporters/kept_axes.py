"""Reshapes that keep batch and length say so, instead of computing both in the graph.

    keep_axes(model)

With a dynamic length the exporter gives a reshape to [n, t, heads, width] its shape by Shape and
Concat. In ONNX a 0 in a shape means "as in the input"; with a constant shape the operators before
it go, and what looks for attention finds the form that it knows.
"""

import numpy as np
import onnx
from onnx import NodeProto, numpy_helper

from .interface import BATCH, LENGTH
from .unused import drop_unused


def keep_axes(model: onnx.ModelProto) -> None:
    """Give constant shapes to reshapes whose input begins with [batch, length]; in place."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    begins = {
        value.name: [dim.dim_param for dim in value.type.tensor_type.shape.dim[:2]]
        for value in (*graph.input, *graph.value_info)
    }
    changed = False
    for node in graph.node:
        if node.op_type != "Reshape":
            continue
        concat = made_by.get(node.input[1])
        keeps = all(begins.get(name) == [BATCH, LENGTH] for name in (node.input[0], node.output[0]))
        if concat is None or concat.op_type != "Concat" or not keeps or len(concat.input) < 3:
            continue
        rest = [stored.get(name) for name in concat.input[2:]]
        sizes = [int(numpy_helper.to_array(t).ravel()[0]) for t in rest if t is not None]
        if len(sizes) != len(rest) or min(sizes) < 1 or _several(concat, stored):
            continue
        name = f"{node.output[0]}_shape"
        graph.initializer.append(numpy_helper.from_array(np.array([0, 0, *sizes], np.int64), name))
        node.input[1] = name
        del node.attribute[:]  # allowzero, with which a 0 would be an extent
        changed = True
    if changed:
        drop_unused(graph)


def _several(concat: NodeProto, stored: dict[str, onnx.TensorProto]) -> bool:
    """Whether a stored part of a shape has other than one number."""
    parts = (stored[name] for name in concat.input if name in stored)
    return any(numpy_helper.to_array(part).size != 1 for part in parts)
