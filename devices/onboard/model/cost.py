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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import ModelError
from .graph import Graph, fix_shapes
from .modelfile import check_external_data, is_ort, load, printable

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# Which inputs are multiplied, by operator; both positions as the operator's specification has them.
OPERANDS: Mapping[str, tuple[int, int]] = {
    "Conv": (0, 1),
    "ConvTranspose": (0, 1),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "FusedConv": (0, 1),
    "FusedMatMul": (0, 1),
    "FusedGemm": (0, 1),
    "ConvInteger": (0, 1),
    "MatMulInteger": (0, 1),
    "MatMulIntegerToFloat": (0, 1),
    "DynamicQuantizeMatMul": (0, 1),
    "QLinearConv": (0, 3),
    "QLinearMatMul": (0, 3),
    "QGemm": (0, 3),
    "MatMulNBits": (0, 1),
}
_ALWAYS_INT8 = {
    "ConvInteger",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
    "QLinearConv",
    "QLinearMatMul",
    "QGemm",
}
# Inputs that are scales and zero points; the QLinear operators of one and of two operands alike.
_UNARY_SCALES, _BINARY_SCALES = {1, 2, 3, 4}, {1, 2, 4, 5, 6, 7}
_SCALES: Mapping[str, set[int]] = {
    "QuantizeLinear": {1, 2},
    "DequantizeLinear": {1, 2},
    "QLinearConv": _BINARY_SCALES,
    "QLinearMatMul": _BINARY_SCALES,
    "QGemm": {1, 2, 4, 5, 7, 8},
    "ConvInteger": {2, 3},
    "MatMulInteger": {2, 3},
    "MatMulIntegerToFloat": {2, 3, 4, 5},
    "DynamicQuantizeMatMul": {2, 3},
    "MatMulNBits": {2, 3},
}
# They multiply too, in ways that a shape alone does not tell.
_UNCOUNTED = {
    "Attention",
    "DeformConv",
    "Einsum",
    "GRU",
    "GroupQueryAttention",
    "If",
    "LSTM",
    "Loop",
    "MultiHeadAttention",
    "QAttention",
    "RNN",
    "Scan",
}
# Their output is their input under another shape, or known before the first inference.
_MOVE_NOTHING = {"Constant", "Flatten", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"}
ONLY_MOVE = frozenset(_MOVE_NOTHING) | {
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
# Between a stored tensor and whoever computes with it.
_STAND_BEFORE = {
    "Cast",
    "DequantizeLinear",
    "Identity",
    "QuantizeLinear",
    "Reshape",
    "Transpose",
}
_TYPE_NAMES: Mapping[str, str] = {
    "FLOAT": "float32",
    "FLOAT16": "float16",
    "BFLOAT16": "bfloat16",
    "DOUBLE": "float64",
}


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
    fixed, notes = _inferred(model, batch, shapes or {}, inline=True)
    graph = Graph(fixed.graph)
    macs: dict[str, int] = {}
    uncounted = 0
    for node in graph.nodes:
        if node.op_type in _UNCOUNTED:
            notes.append(f"{node.op_type} {printable(node.name)} is not counted")
            uncounted += 1
        if node.op_type not in OPERANDS:
            continue
        found = _macs_of(node, graph)
        if found is None:
            notes.append(f"{node.op_type} {printable(node.name)}: a shape is unknown")
            uncounted += 1
        else:
            name = _type_of(node, graph)
            macs[name] = macs.get(name, 0) + found
    parameters, weight_bytes = _weights(graph)
    activation_bytes: int | None
    activation_bytes, unknown = _activations(graph)
    if unknown:
        notes.append(f"the size of {unknown} tensors between operators is unknown")
        activation_bytes = None
    return Cost(macs, parameters, weight_bytes, activation_bytes, uncounted, tuple(notes))


def by_node(
    model: ModelProto, batch: int = 1, shapes: Mapping[str, Sequence[int]] | None = None
) -> tuple[NodeCost, ...]:
    """What each operator of a model's graph takes, without Constants, in the graph's order.

    A call of a local function is one operator, which could not be counted. Arguments as `count`.
    """
    fixed, _ = _inferred(model, batch, shapes or {}, inline=False)
    graph = Graph(fixed.graph)
    functions = {(function.domain, function.name) for function in model.functions}
    seen: set[str] = set()
    found = []
    for node in graph.nodes:
        if node.op_type == "Constant":
            continue
        macs: int | None = 0
        kind = ""
        if node.op_type in _UNCOUNTED or (node.domain, node.op_type) in functions:
            macs = None
        elif node.op_type in OPERANDS:
            macs, kind = _macs_of(node, graph), _type_of(node, graph)
        operations = None if macs is None else 2 * macs or _operations(node, graph)
        found.append(NodeCost(macs, operations, kind, _parameters(node, graph, seen)))
    return tuple(found)


def _inferred(
    model: ModelProto, batch: int, shapes: Mapping[str, Sequence[int]], *, inline: bool
) -> tuple[ModelProto, list[str]]:
    """A copy with the shapes of one query, and what kept them from being inferred."""
    import onnx
    from onnx import inliner, shape_inference

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    try:
        if inline and fixed.functions:
            fixed = inliner.inline_local_functions(fixed)
        fix_shapes(fixed.graph, batch, shapes)
        fixed = shape_inference.infer_shapes(fixed, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError) as error:
        return fixed, [f"shapes could not be inferred: {printable(str(error), 200)}"]
    return fixed, []


def _operations(node: NodeProto, graph: Graph) -> int | None:
    """Of what multiplies no matrices."""
    if node.op_type in ONLY_MOVE:
        return 0
    known = [graph.shape(name) for name in (*node.input[:1], *node.output[:1])]
    elements = [math.prod(one) for one in known if one is not None]
    if not elements:
        return None
    if node.op_type in ("MaxPool", "AveragePool", "LpPool"):
        taps = next(
            (attribute.ints for attribute in node.attribute if attribute.name == "kernel_shape"), ()
        )
        return elements[-1] * math.prod(taps)
    return max(elements)


def _parameters(node: NodeProto, graph: Graph, seen: set[str]) -> int:
    """Trained numbers behind a node's inputs, each tensor once in a graph."""
    if node.op_type in _STAND_BEFORE:
        return 0
    total = 0
    for position, name in enumerate(node.input):
        taker, at = node, position
        while name not in graph.stored:
            maker = graph.maker.get(name)
            if maker is None or maker.op_type not in _STAND_BEFORE:
                break
            taker, at, name = maker, 0, maker.input[0]
        if name not in graph.stored or name in seen or _is_scale(taker, at):
            continue
        seen.add(name)
        total += _trained(name, graph)
    return total


def _macs_of(node: NodeProto, graph: Graph) -> int | None:
    first, second = OPERANDS[node.op_type]
    if len(node.input) <= second or not node.output:
        return None
    a, b = graph.shape(node.input[first]), graph.shape(node.input[second])
    out = graph.shape(node.output[0])
    if node.op_type == "MatMulNBits":
        k, n = (_attribute(node, name, 0) for name in ("K", "N"))
        return math.prod(a[:-1]) * int(k) * int(n) if a else None
    if not a or not b:
        return None
    if node.op_type == "ConvTranspose":
        # Every input element meets its kernel: (channels out / group) * taps.
        return math.prod(a) * math.prod(b[1:])
    if "Conv" in node.op_type:
        # Every output element: (channels in / group) * taps, which is W's shape without its first.
        return None if out is None else math.prod(out) * math.prod(b[1:])
    if "Gemm" in node.op_type:
        k = a[0] if _attribute(node, "transA", 0) else a[-1]
        n = b[0] if _attribute(node, "transB", 0) else b[-1]
        return math.prod(a) // k * k * n if k else 0
    if node.op_type == "FusedMatMul":
        k = a[-2] if _attribute(node, "transA", 0) else a[-1]
        return None if out is None else math.prod(out) * k
    if out is None:
        out = _matmul_shape(a, b)
    return None if out is None else math.prod(out) * a[-1]


def _matmul_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """What onnx does not infer for the operators of com.microsoft, for plain matrices."""
    return (*a[:-1], b[-1]) if len(a) >= 2 and len(b) == 2 else None


def _type_of(node: NodeProto, graph: Graph) -> str:
    from onnx import TensorProto

    if node.op_type in _ALWAYS_INT8:
        return "int8"
    first, second = (node.input[position] for position in OPERANDS[node.op_type])
    if _dequantized(first, graph) and _dequantized(second, graph):
        return "int8"
    elem = graph.elem_type(first) or graph.elem_type(second)
    name = TensorProto.DataType.Name(elem) if elem else "FLOAT"
    return _TYPE_NAMES.get(name, name.lower())


def _dequantized(name: str, graph: Graph) -> bool:
    """Whether an operand comes from 8-bit integers; 4-bit weights are computed in float."""
    from onnx import TensorProto

    maker = graph.maker.get(name)
    if maker is not None and maker.op_type in ("Transpose", "Reshape"):
        maker = graph.maker.get(maker.input[0])
    if maker is None or maker.op_type != "DequantizeLinear":
        return False
    elem = graph.elem_type(maker.input[0])
    return elem in (0, TensorProto.INT8, TensorProto.UINT8)


def _weights(graph: Graph) -> tuple[int, int]:
    parameters, size = 0, 0
    for name, tensor in graph.stored.items():
        size += tensor_bytes(math.prod(tensor.dims), tensor.data_type)
        parameters += _trained(name, graph)
    return parameters, size


def _trained(name: str, graph: Graph) -> int:
    """How many trained numbers a stored tensor holds."""
    from onnx import TensorProto

    tensor, takers = graph.stored[name], graph.takers.get(name, [])
    packed = [node for node, at in takers if node.op_type == "MatMulNBits" and at == 1]
    if packed:
        return int(_attribute(packed[0], "K", 0)) * int(_attribute(packed[0], "N", 0))
    shapes_and_indices = (TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING)
    if tensor.data_type in shapes_and_indices or all(_is_scale(node, at) for node, at in takers):
        return 0
    return math.prod(tensor.dims)


def _is_scale(node: NodeProto, position: int) -> bool:
    """Whether this input is a scale or a zero point, by the operators' specifications."""
    kind = node.op_type
    if kind in _SCALES:
        return position in _SCALES[kind]
    if kind == "QLinearConcat":
        return position < 2 or position % 3 != 2
    if kind.startswith("QLinear"):
        return position in (_UNARY_SCALES if len(node.input) <= 5 else _BINARY_SCALES)
    return False


def _activations(graph: Graph) -> tuple[int, int]:
    """Bytes written, and how many tensors have no known size."""
    size, unknown = 0, 0
    for name in _written(graph):
        shape, elem = graph.shape(name), graph.elem_type(name)
        if shape is None or not elem:
            unknown += 1
        else:
            size += tensor_bytes(math.prod(shape), elem)
    return size, unknown


def _written(graph: Graph) -> Iterator[str]:
    yield from graph.inputs
    for node in graph.nodes:
        if node.op_type in _MOVE_NOTHING or node.op_type == "DequantizeLinear":
            continue
        for name in node.output:
            takers = graph.takers.get(name, [])
            folded = takers and all(taker.op_type == "QuantizeLinear" for taker, _ in takers)
            if name and not folded and (takers or name == node.output[0]):
                yield name


def tensor_bytes(elements: int, elem_type: int) -> int:
    """Bytes of so many elements of a TensorProto.DataType; of texts none are known, so 0."""
    from onnx import TensorProto, helper

    if elem_type in (TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1):
        return (elements + 1) // 2
    if elem_type == TensorProto.STRING:
        return 0
    return elements * int(helper.tensor_dtype_to_np_dtype(elem_type).itemsize)


def _attribute(node: NodeProto, name: str, default: int) -> Any:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)
