"""What a graph is made of, as plain data that a child can hand to its parent.

>>> found = outline(Path("model.onnx"))             # doctest: +SKIP
>>> found.nodes[0].op, found.nodes[0].weight.name   # doctest: +SKIP
('Conv', 'conv1.weight')

A weight travels as two marks. Its fingerprint is the same in every order of its values, so a layout
that a runtime prefers keeps it; its sample is of the real numbers it stands for, so that an int8
weight can be held against the fp32 one it was made from. onnx is imported inside the functions.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .graph import Graph
from .macs import OPERANDS
from .modelfile import load_whole
from .roots import Roots
from .shapes import inferred

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

WEIGHT_AT: Mapping[str, int] = {
    **{op: second for op, (_, second) in OPERANDS.items()},
    "Attention": 1,
    "QAttention": 1,
    "NhwcFusedConv": 1,
}
"""Which input of a layer holds its weight, by operator."""
_SAMPLED = 256
_SCOPES = "pkg.torch.onnx.name_scopes"
# Where a layer that takes its weight as integers has the scale and zero point of it.
_SCALES_AT: Mapping[str, tuple[int | None, int]] = {
    "DequantizeLinear": (1, 2),
    "QLinearConv": (4, 5),
    "QLinearMatMul": (4, 5),
    "QGemm": (4, 5),
    "ConvInteger": (None, 3),
    "MatMulInteger": (None, 3),
}
_OUTPUT_CHANNELS: Mapping[str, int] = {"QLinearConv": 0, "ConvInteger": 0}


@dataclass(frozen=True, slots=True)
class Weight:
    """A layer's stored weight.

    Attributes:
        name: of the stored tensor; data, not to be trusted in a page.
        fingerprint: SHA-256 of the sorted values that are not zero, empty where there are none.
        shape: of the stored tensor.
        sample: at most 256 of the real numbers, evenly spaced in the order of the file.
        transposed: the same of the transposed matrix; empty unless it has two axes.
    """

    name: str
    fingerprint: str
    shape: tuple[int, ...]
    sample: tuple[float, ...]
    transposed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One operator of a graph.

    Attributes:
        op: operator type.
        domain: operator domain, empty for ONNX's own.
        name: as the file has it, often empty.
        inputs: tensor names, empty where one is left out.
        outputs: tensor names.
        weight: of a layer that multiplies by a stored tensor.
        scope: path of the module that it was exported from, where the file says so; data.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weight: Weight | None = None
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """One graph.

    Attributes:
        nodes: in the file's order, which is topological.
        inputs: those without a stored value.
        outputs: of the graph.
        stored: TensorProto.DataType by name of stored tensor.
        shapes: by tensor name, where every extent is known.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    stored: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]


def outline(
    path: Path, batch: int = 1, shapes: Mapping[str, Sequence[int]] | None = None
) -> Outline:
    """The outline of an ONNX file.

    Args:
        path: a `.onnx` file.
        batch: extent of a first axis that is dynamic.
        shapes: full shape by input name, for inputs with other dynamic axes.

    Raises:
        ModelError: the file is no ONNX model or breaks the rules of `check_external_data`.
    """
    return of_model(load_whole(path), batch, shapes or {})


def of_model(model: ModelProto, batch: int, shapes: Mapping[str, Sequence[int]]) -> Outline:
    """The outline of a model in memory; arguments as `outline`."""
    graph = Graph(model.graph)
    weights = _Weights(graph)
    nodes = tuple(
        Node(
            node.op_type,
            node.domain,
            node.name,
            tuple(node.input),
            tuple(node.output),
            weights.of(node),
            _scope(node),
        )
        for node in graph.nodes
        if node.op_type != "Constant"
    )
    return Outline(
        nodes=nodes,
        inputs=tuple(graph.inputs),
        outputs=tuple(port.name for port in model.graph.output),
        stored={name: one.data_type for name, one in graph.stored.items()},
        shapes=_shapes(model, batch, shapes),
    )


def to_json(found: Outline) -> dict[str, Any]:
    """The outline as JSON-ready values."""
    return dataclasses.asdict(found)


def from_json(document: Mapping[str, Any]) -> Outline:
    """The outline out of its JSON-ready values."""
    return Outline(
        nodes=tuple(_node(one) for one in document["nodes"]),
        inputs=tuple(document["inputs"]),
        outputs=tuple(document["outputs"]),
        stored=dict(document["stored"]),
        shapes={name: tuple(shape) for name, shape in document["shapes"].items()},
    )


def _node(document: Mapping[str, Any]) -> Node:
    weight = document["weight"]
    return Node(
        op=document["op"],
        domain=document["domain"],
        name=document["name"],
        inputs=tuple(document["inputs"]),
        outputs=tuple(document["outputs"]),
        weight=None
        if weight is None
        else Weight(
            name=weight["name"],
            fingerprint=weight["fingerprint"],
            shape=tuple(weight["shape"]),
            sample=tuple(weight["sample"]),
            transposed=tuple(weight["transposed"]),
        ),
        scope=document["scope"],
    )


def _scope(node: NodeProto) -> str:
    """The innermost module of those that torch's exporter puts down, a list in Python's notation.

    The first is the model, which has no name, and the last is the operation.
    """
    told = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), "")
    try:
        scopes = ast.literal_eval(told)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    if not isinstance(scopes, list) or len(scopes) < 2:
        return ""
    return scopes[-2] if isinstance(scopes[-2], str) else ""


def _shapes(
    model: ModelProto, batch: int, given: Mapping[str, Sequence[int]]
) -> dict[str, tuple[int, ...]]:
    fixed, _ = inferred(model, batch, given)  # an outline without shapes still has its nodes
    graph = Graph(fixed.graph)
    names = [*graph.inputs, *(name for node in graph.nodes for name in node.output if name)]
    return {name: shape for name in names if (shape := graph.shape(name)) is not None}


class _Weights:
    """The weights of a graph's layers; one that several layers share is read once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._roots = Roots(graph)
        self._read: dict[tuple[str, ...], Weight | None] = {}

    def of(self, node: NodeProto) -> Weight | None:
        at = WEIGHT_AT.get(node.op_type)
        if at is None or len(node.input) <= at:
            return None
        name, passed = self._roots.of(node.input[at])
        if name not in self._graph.stored:
            return None
        taker = passed or node
        # Other scales make other numbers of the same integers.
        scaled = tuple(taker.input) if taker.op_type in _SCALES_AT else ()
        key = (name, taker.op_type if scaled else "", str(_axis(taker)), *scaled)
        if key not in self._read:
            self._read[key] = _weight(name, taker, self._graph)
        return self._read[key]


def _weight(name: str, taker: NodeProto, graph: Graph) -> Weight | None:
    values = _array(graph.stored[name])
    if values is None:
        return None
    real = _real(values, taker, graph)
    return Weight(
        name=name,
        fingerprint=_fingerprint(values),
        shape=tuple(values.shape),
        sample=_sample(real),
        transposed=_sample(real.T) if real.ndim == 2 else (),
    )


def _array(tensor: TensorProto) -> NDArray[Any] | None:
    from onnx import numpy_helper

    try:
        values: NDArray[Any] = numpy_helper.to_array(tensor)
    except (TypeError, ValueError):  # fewer bytes than its shape asks for
        return None
    return values if np.issubdtype(values.dtype, np.number) else values.astype(np.float32)


def _fingerprint(values: NDArray[Any]) -> str:
    kept = values[values != 0]
    return hashlib.sha256(np.sort(kept, axis=None).tobytes()).hexdigest() if kept.size else ""


def _real(values: NDArray[Any], taker: NodeProto, graph: Graph) -> NDArray[np.float64]:
    """What stored integers stand for: (q - zero point) * scale; without a scale, in steps."""
    real = values.astype(np.float64)
    at = _SCALES_AT.get(taker.op_type)
    if at is None or np.issubdtype(values.dtype, np.floating):
        return real
    axis = _axis(taker)
    for position, apply in ((at[1], np.subtract), (at[0], np.multiply)):
        if position is None or len(taker.input) <= position:
            continue
        tensor = graph.stored.get(taker.input[position])
        parameter = _array(tensor) if tensor is not None else None
        if parameter is None:
            continue
        fitted = _along(parameter.astype(np.float64), real.shape, axis)
        if fitted is not None:
            real = apply(real, fitted)
    return real


def _axis(taker: NodeProto) -> int:
    """The axis that each scale of a weight belongs to."""
    own = next((attribute.i for attribute in taker.attribute if attribute.name == "axis"), None)
    return _OUTPUT_CHANNELS.get(taker.op_type, 1) if own is None else int(own)


def _along(
    parameter: NDArray[np.float64], shape: tuple[int, ...], axis: int
) -> NDArray[np.float64] | None:
    """A scale or zero point in a shape that broadcasts; None for blocks, which do not."""
    if parameter.size == 1:
        return parameter.reshape(())
    if not shape or parameter.ndim != 1 or parameter.size != shape[axis % len(shape)]:
        return None
    extents = [1] * len(shape)
    extents[axis % len(shape)] = parameter.size
    return parameter.reshape(extents)


def _sample(values: NDArray[np.float64]) -> tuple[float, ...]:
    flat = values.reshape(-1)
    at = np.linspace(0, flat.size - 1, min(flat.size, _SAMPLED)).astype(np.int64)
    picked = flat[at]
    return tuple(float(one) for one in picked) if np.isfinite(picked).all() else ()
