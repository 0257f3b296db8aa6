"""The shapes of one query, through every operator that has them.

    fixed, notes = inferred(model, batch=1, shapes={"ids": (1, 128)})
    Graph(fixed.graph).shape("logits")          # (1, 10)

onnx is imported inside the functions: only the child that inspects a model needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .computed import TAKEN, compute
from .graph import clear_negative, fix_shapes, inner_graphs
from .modelfile import printable
from .stand_ins import stand_in

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

_LEAST_IR = 8
"""Below version 4 onnx reads the shapes of initializers only from the graph's inputs."""


def inlined(model: ModelProto) -> ModelProto:
    """The model with the operators of its local functions in their place, as a runtime runs it.

    The model itself where it has no functions, or where onnx cannot inline them.
    """
    from onnx import inliner

    if not model.functions:
        return model
    try:
        found: ModelProto = inliner.inline_local_functions(model)
    except (RuntimeError, ValueError):
        return model
    return found


def inferred(
    model: ModelProto, batch: int, shapes: Mapping[str, Sequence[int]]
) -> tuple[ModelProto, list[str]]:
    """A copy with the shapes of one query, and what kept them from being inferred.

    Args:
        model: is left as it is.
        batch: extent of a first axis that is dynamic.
        shapes: full shape by input name, for inputs with other dynamic axes.
    """
    import onnx
    from onnx import shape_inference

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    fixed.ir_version = max(fixed.ir_version, _LEAST_IR)
    clear_negative(fixed.graph)
    fix_shapes(fixed.graph, batch, shapes)
    try:
        known = onnx.ModelProto()
        known.CopyFrom(fixed)
        stand_in(known)
        known = shape_inference.infer_shapes(known, data_prop=True)
        compute(known)
    except (shape_inference.InferenceError, RuntimeError, ValueError) as error:
        return fixed, [f"shapes could not be inferred: {printable(str(error), 200)}"]
    _take_over(known.graph, fixed.graph)
    return fixed, []


def _take_over(known: GraphProto, into: GraphProto) -> None:
    """Copy the shapes of one graph to another of the same tensors, and of those inside it."""
    for field in ("output", "value_info"):
        values = list(getattr(known, field))
        del getattr(into, field)[:]
        getattr(into, field).extend(values)
    # What stands in for a node has no graph inside it, so the others are in the same order.
    with_graphs = [[node for node in one.node if any(inner_graphs(node))] for one in (known, into)]
    for node, other in zip(*with_graphs, strict=True):
        other.metadata_props.extend(one for one in node.metadata_props if one.key == TAKEN)
    inner_known = [graph for node in known.node for _, graph in inner_graphs(node)]
    inner_into = [graph for node in into.node for _, graph in inner_graphs(node)]
    for one, other in zip(inner_known, inner_into, strict=True):
        _take_over(one, other)
