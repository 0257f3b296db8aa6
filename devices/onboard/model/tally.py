"""What the operators of a graph multiply and write, the graphs inside an If, Loop or Scan too.

    of_graph(Graph(fixed.graph)).macs           # {'float32': 12501632}

Of the branches of an If the one that a query takes counts, and where that depends on the query the
one with more products. The body of a Scan counts once a step,
that of a Loop as often as its constants say; where they do not, it is not counted. Each such choice
is a note. onnx is imported inside the functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .computed import TAKEN
from .graph import Graph, inner_graphs
from .macs import products
from .modelfile import printable
from .stand_ins import number, numbers

if TYPE_CHECKING:
    from onnx import NodeProto

MOVE_NOTHING = frozenset(
    {"Constant", "Flatten", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"}
)
"""Their output is their input under another shape, or known before the first inference."""


@dataclass(slots=True)
class Tally:
    """What some operators take.

    Attributes:
        macs: multiply-accumulates by numeric type.
        activation_bytes: size of the tensors that they write, where it is known.
        unsized: tensors of unknown size.
        uncounted: operators that multiply and could not be counted.
        notes: what was left out or assumed, and why.
    """

    macs: dict[str, int] = field(default_factory=dict)
    activation_bytes: int = 0
    unsized: int = 0
    uncounted: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, other: Tally, times: int = 1) -> None:
        """Add what other operators take, so many times over."""
        for name, count in other.macs.items():
            self.macs[name] = self.macs.get(name, 0) + times * count
        self.activation_bytes += times * other.activation_bytes
        self.unsized += other.unsized
        self.uncounted += other.uncounted
        self.notes += other.notes


def of_graph(graph: Graph, *, inputs: bool = True) -> Tally:
    """The sum over a graph's operators.

    Args:
        graph: with the shapes of one query.
        inputs: whether its inputs count as written.
    """
    total = Tally()
    for node in graph.nodes:
        total.add(of_node(node, graph))
    for name in _written(graph, inputs=inputs):
        shape, elem = graph.shape(name), graph.elem_type(name)
        if shape is None or not elem:
            total.unsized += 1
        else:
            total.activation_bytes += tensor_bytes(math.prod(shape), elem)
    return total


def of_node(node: NodeProto, graph: Graph) -> Tally:
    """What one operator takes; of what it writes only the tensors inside its graphs."""
    inside = [(name, Graph(one, graph)) for name, one in inner_graphs(node)]
    if not inside:
        found = products(node, graph)
        if isinstance(found, str):
            return Tally(uncounted=1, notes=[f"{shown(node)}: {found}"])
        return Tally(found)
    if node.op_type == "If":
        taken = [one.value for one in node.metadata_props if one.key == TAKEN]
        branches = [one for name, one in inside if not taken or name in taken]
        return _branches(node, [of_graph(one, inputs=False) for one in branches])
    if node.op_type in ("Loop", "Scan") and len(inside) == 1:
        return _repeated(node, graph, inside[0][1])
    return Tally(uncounted=1, notes=[f"{shown(node)}: the graphs inside it are not counted"])


def _branches(node: NodeProto, branches: list[Tally]) -> Tally:
    largest = max(branches, key=lambda one: (one.uncounted, sum(one.macs.values())))
    if len({tuple(sorted(one.macs.items())) for one in branches}) > 1 and not largest.uncounted:
        counts = " and ".join(
            f"{count:,}" for count in sorted(sum(b.macs.values()) for b in branches)
        )
        largest.notes.append(
            f"{shown(node)}: its branches take {counts} multiply-accumulates; the most are counted"
        )
    return largest


def _repeated(node: NodeProto, graph: Graph, body: Graph) -> Tally:
    once = of_graph(body, inputs=False)
    times = _scanned(node, graph) if node.op_type == "Scan" else _looped(node, graph, body)
    if times is None and once.macs:
        each = sum(once.macs.values())
        note = f"{shown(node)}: how often it repeats {each:,} multiply-accumulates is not known"
        return Tally(uncounted=1, unsized=once.unsized, notes=[*once.notes, note])
    total = Tally()
    total.add(once, 1 if times is None else times)
    if times is None:
        total.notes.append(f"{shown(node)}: what it writes is counted once")
    return total


def _scanned(node: NodeProto, graph: Graph) -> int | None:
    """The steps of a Scan: the extent of its first scanned input."""
    many = number(node, "num_scan_inputs", 0)
    if not 0 < many <= len(node.input):
        return None
    axis = next(iter(numbers(node, "scan_input_axes")), 0)
    shape = graph.shape(node.input[len(node.input) - many])
    return shape[axis] if shape and -len(shape) <= axis < len(shape) else None


def _looped(node: NodeProto, graph: Graph, body: Graph) -> int | None:
    """The steps of a Loop that only its stored count ends."""
    from onnx import numpy_helper

    limit = graph.value(node.input[0]) if node.input and node.input[0] else None
    if limit is None:
        return None
    started = len(node.input) < 2 or not node.input[1] or _is_true(node.input[1], graph)
    goes_on = body.outputs[0] if body.outputs else ""
    while (maker := body.maker.get(goes_on)) is not None and maker.op_type == "Identity":
        goes_on = maker.input[0]
    handed_on = len(body.inputs) > 1 and goes_on == body.inputs[1]
    if not (started and (handed_on or _is_true(goes_on, body))):
        return None
    return max(0, int(numpy_helper.to_array(limit).reshape(-1)[0]))


def _is_true(name: str, graph: Graph) -> bool:
    from onnx import numpy_helper

    tensor = graph.value(name)
    return tensor is not None and bool(numpy_helper.to_array(tensor).all())


def _written(graph: Graph, *, inputs: bool) -> Iterator[str]:
    if inputs:
        yield from graph.inputs
    outputs = set(graph.outputs)
    for node in graph.nodes:
        if node.op_type in MOVE_NOTHING or node.op_type == "DequantizeLinear":
            continue
        for name in node.output:
            takers = graph.takers.get(name, [])
            folded = takers and all(taker.op_type == "QuantizeLinear" for taker, _ in takers)
            read = takers or name in outputs or name == node.output[0]
            if name and read and not folded:
                yield name


def shown(node: NodeProto) -> str:
    """An operator's type and name, for a message; its first output where it has no name."""
    name = node.name or next((one for one in node.output if one), "")
    return f"{printable(node.op_type)[1:-1]} {printable(name)}"


def tensor_bytes(elements: int, elem_type: int) -> int:
    """Bytes of so many elements of a TensorProto.DataType; of texts none are known, so 0."""
    from onnx import TensorProto, helper

    if elem_type in (TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1):
        return (elements + 1) // 2
    if elem_type == TensorProto.STRING:
        return 0
    return elements * int(helper.tensor_dtype_to_np_dtype(elem_type).itemsize)
