"""Count what one inference of an ONNX model computes and moves, without running it.

    >>> cost = count(Path("model.onnx"), batch=1)       # doctest: +SKIP
    >>> cost.macs_by_type, cost.parameters              # doctest: +SKIP
    ({'float32': 12501632}, 77850)

Multiply-accumulates of convolutions and matrix products, by the numeric type they run in. What
cannot be counted is named in `notes`, never guessed. onnx is imported inside the functions: only
the child that inspects a model needs it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import ModelError
from .graph import Graph
from .macs import main_type
from .modelfile import check_external_data, is_ort, load
from .shapes import inferred, inlined
from .stand_ins import numbers
from .stored import StoredTensors
from .tally import MOVE_NOTHING, of_graph, of_node

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

ONLY_MOVE = MOVE_NOTHING | {
    "Cast",
    "Concat",
    "DepthToSpace",
    "Expand",
    "Gather",
    "GatherND",
    "Pad",
    "ReorderInput",
    "ReorderOutput",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Tile",
    "Transpose",
}
"""Operators that compute nothing."""


@dataclass(frozen=True, slots=True)
class NodeCost:
    """What one operator takes.

    Attributes:
        macs: multiply-accumulates; None where it multiplies and could not be counted.
        operations: arithmetic operations: two a multiply-accumulate, one a value that a pool looks
            at, else one an element of its first input or output, whichever is larger. None where
            that is unknown.
        type: numeric type it multiplies in (float32, int8, ...); empty where it does not.
        parameters: trained numbers that it is the first to read.
    """

    macs: int | None
    operations: int | None
    type: str
    parameters: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one inference takes.

    Attributes:
        macs_by_type: multiply-accumulates by numeric type (float32, float16, int8, ...).
        parameters: trained numbers; not scales, zero points or shapes.
        weight_bytes: size of all stored tensors.
        activation_bytes: size of all tensors that are written, the model's inputs among them; what
            a quantized pair folds away is not written. None where a size is unknown.
        uncounted: operators that multiply and could not be counted.
        notes: what was not counted and why; empty when everything was.
    """

    macs_by_type: dict[str, int] = field(default_factory=dict)
    parameters: int = 0
    weight_bytes: int = 0
    activation_bytes: int | None = 0
    uncounted: int = 0
    notes: tuple[str, ...] = ()

    @property
    def macs(self) -> int | None:
        """All multiply-accumulates, None where some could not be counted."""
        return None if self.uncounted else sum(self.macs_by_type.values())


def count(path: Path, batch: int = 1, shapes: Mapping[str, Sequence[int]] | None = None) -> Cost:
    """Count an ONNX file.

    Args:
        path: a `.onnx` file.
        batch: extent of a first axis that is dynamic.
        shapes: full shape by input name, for inputs with other dynamic axes.

    Raises:
        ModelError: the file is no ONNX model, breaks the rules of `check_external_data`, or is in
            ONNX Runtime's own format, which holds no graph that onnx can read.
    """
    if is_ort(path):
        raise ModelError(
            "a file in ONNX Runtime's own format", expected="an ONNX file", where=str(path)
        )
    check_external_data(path)
    return count_model(load(path), batch, shapes)


def count_model(
    model: ModelProto, batch: int = 1, shapes: Mapping[str, Sequence[int]] | None = None
) -> Cost:
    """Count a model that is in memory; arguments and result as `count`."""
    fixed, notes = inferred(inlined(model), batch, shapes or {})
    graph = Graph(fixed.graph)
    tally, stored = of_graph(graph), StoredTensors(graph)
    notes += tally.notes
    activation_bytes: int | None = tally.activation_bytes
    if tally.unsized:
        notes.append(f"the size of {tally.unsized} tensors between operators is unknown")
        activation_bytes = None
    return Cost(
        tally.macs,
        stored.parameters(),
        stored.size(),
        activation_bytes,
        tally.uncounted,
        tuple(dict.fromkeys(notes)),
    )


def by_node(
    model: ModelProto, batch: int = 1, shapes: Mapping[str, Sequence[int]] | None = None
) -> tuple[NodeCost, ...]:
    """What each operator of a model's graph takes, without Constants, in the graph's order.

    A call of a local function is one operator, which could not be counted; `shapes.inlined` gives
    a model without any. Arguments as `count`.
    """
    fixed, _ = inferred(model, batch, shapes or {})
    graph = Graph(fixed.graph)
    stored = StoredTensors(graph)
    found = []
    for node in graph.nodes:
        if node.op_type == "Constant":
            continue
        tally = of_node(node, graph)
        macs = None if tally.uncounted else sum(tally.macs.values())
        operations = None if macs is None else 2 * macs or _operations(node, graph)
        found.append(NodeCost(macs, operations, main_type(tally.macs), stored.first_read_by(node)))
    return tuple(found)


def _operations(node: NodeProto, graph: Graph) -> int | None:
    """Of what multiplies no matrices."""
    if node.op_type in ONLY_MOVE:
        return 0
    known = [graph.shape(name) for name in (*node.input[:1], *node.output[:1])]
    elements = [math.prod(one) for one in known if one is not None]
    if not elements:
        return None
    if node.op_type in ("MaxPool", "AveragePool", "LpPool", "NhwcMaxPool"):
        return elements[-1] * math.prod(numbers(node, "kernel_shape"))
    return max(elements)
