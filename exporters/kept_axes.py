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
        _drop_unused(graph)


def _several(concat: NodeProto, stored: dict[str, onnx.TensorProto]) -> bool:
    """Whether a stored part of a shape has other than one number."""
    parts = (stored[name] for name in concat.input if name in stored)
    return any(numpy_helper.to_array(part).size != 1 for part in parts)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes and constants that nothing reads any more."""
    outputs = {value.name for value in graph.output}
    while True:
        used = outputs | {name for node in graph.node for name in node.input}
        kept = [node for node in graph.node if used & set(node.output)]
        if len(kept) == len(graph.node):
            break
        del graph.node[:]
        graph.node.extend(kept)
    constants = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    written = {name for node in graph.node for name in node.output}
    typed = [value for value in graph.value_info if value.name in written]
    del graph.value_info[:]
    graph.value_info.extend(typed)
