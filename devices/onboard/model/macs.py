"""The multiply-accumulates of one operator, by the numeric type they run in.

    products(node, graph)         # {'float32': 12501632}, or {} where it multiplies no matrices

Formulas are those of the operators' specifications: ONNX's, and onnxruntime's
ContribOperators.md for what a runtime fuses. A fused operator counts what its parts counted.
onnx is imported inside the functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .graph import Graph
from .stand_ins import DOMAINS, WITHOUT_PRODUCTS, number, numbers

if TYPE_CHECKING:
    from onnx import NodeProto

Macs = dict[str, int]
"""Multiply-accumulates by numeric type."""

# Which inputs are multiplied, by operator; both positions as the operator's specification has them.
OPERANDS: Mapping[str, tuple[int, int]] = {
    "Conv": (0, 1),
    "ConvTranspose": (0, 1),
    "DeformConv": (0, 1),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "FusedConv": (0, 1),
    "FusedMatMul": (0, 1),
    "TransposeMatMul": (0, 1),
    "FusedGemm": (0, 1),
    "ConvInteger": (0, 1),
    "MatMulInteger": (0, 1),
    "MatMulIntegerToFloat": (0, 1),
    "DynamicQuantizeMatMul": (0, 1),
    "QLinearConv": (0, 3),
    "QLinearMatMul": (0, 3),
    "QGemm": (0, 3),
    "MatMulNBits": (0, 1),
    "MatMulBnb4": (0, 1),
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
# They multiply too, in ways that are not counted here.
_UNCOUNTED = {
    "": {"DFT", "STFT", "LinearAttention", "FlexAttention"},
    "ai.onnx.ml": {"SVMClassifier", "SVMRegressor"},
}
_TYPE_NAMES: Mapping[str, str] = {
    "FLOAT": "float32",
    "FLOAT16": "float16",
    "BFLOAT16": "bfloat16",
    "DOUBLE": "float64",
}
_STANDARD = ("", "ai.onnx")


class _UnknownError(Exception):
    """Why a product cannot be counted."""


def products(node: NodeProto, graph: Graph) -> Macs | str:
    """What an operator multiplies, without the graphs inside it.

    Args:
        node: of the graph.
        graph: with the shapes of one query.

    Returns:
        By numeric type, empty for what multiplies no matrices; or why that is not known.
    """
    domain = "" if node.domain in _STANDARD else node.domain
    try:
        if domain in DOMAINS and node.op_type in _FUSED:
            return _FUSED[node.op_type](node, graph)
        if domain in _OWN and node.op_type in _OWN[domain]:
            return _OWN[domain][node.op_type](node, graph)
        if node.op_type in OPERANDS and (not domain or domain in DOMAINS):
            return {_type_of(node, graph): _of_two(node, graph)}
    except _UnknownError as reason:
        return str(reason)
    if node.op_type in _UNCOUNTED.get(domain, ()):
        return "its products are not counted"
    known = domain in ("", "ai.onnx.ml") or (domain in DOMAINS and node.op_type in WITHOUT_PRODUCTS)
    return {} if known else f"an operator of {domain} that is not known here"


def main_type(macs: Mapping[str, int]) -> str:
    """The type that most products run in; empty without products."""
    return max(macs, key=lambda name: macs[name]) if macs else ""


def _shape(graph: Graph, name: str) -> tuple[int, ...]:
    found = graph.shape(name)
    if found is None:
        raise _UnknownError("a shape is unknown")
    return found


def _given(node: NodeProto, position: int) -> str:
    """The name of an input, empty where it is left out."""
    return node.input[position] if position < len(node.input) else ""


def _of_two(node: NodeProto, graph: Graph) -> int:
    first, second = OPERANDS[node.op_type]
    if len(node.input) <= second or not node.output:
        raise _UnknownError("an input is missing")
    a = _shape(graph, node.input[first])
    if node.op_type in ("MatMulNBits", "MatMulBnb4"):
        return math.prod(a[:-1]) * number(node, "K", 0) * number(node, "N", 0)
    b = _shape(graph, node.input[second])
    if node.op_type == "ConvTranspose":
        # Every input element meets its kernel: (channels out / group) * taps.
        return math.prod(a) * math.prod(b[1:])
    if "Conv" in node.op_type:
        # Every output element: (channels in / group) * taps, which is W's shape without its first.
        return math.prod(_shape(graph, node.output[0])) * math.prod(b[1:])
    if "Gemm" in node.op_type:
        k = a[0] if number(node, "transA", 0) else a[-1]
        n = b[0] if number(node, "transB", 0) else b[-1]
        return math.prod(a) // k * k * n if k else 0
    if not a or not b:
        raise _UnknownError("a matrix without an axis")
    # In a fused product of transposed matrices the common extent lies elsewhere.
    k = a[-1]
    if number(node, "transA", 0):
        k = a[0] if number(node, "transBatchA", 0) else a[-2]
    return math.prod(_shape(graph, node.output[0])) * k


def _type_of(node: NodeProto, graph: Graph) -> str:
    if node.op_type in _ALWAYS_INT8:
        return "int8"
    first, second = (node.input[position] for position in OPERANDS[node.op_type])
    if _dequantized(first, graph) and _dequantized(second, graph):
        return "int8"
    return _type_name(graph.elem_type(first) or graph.elem_type(second))


def _type_name(elem_type: int) -> str:
    from onnx import TensorProto

    name = TensorProto.DataType.Name(elem_type) if elem_type else "FLOAT"
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


def _scores(batch: int, queries: int, keys: int, width: int, value_width: int) -> int:
    """Of attention: queries with keys, and their weights with values, over all heads."""
    return batch * queries * keys * (width + value_width)


def _fused_attention(node: NodeProto, graph: Graph) -> Macs:
    """Projection and scores in one: Attention and QAttention of com.microsoft."""
    quantized = node.op_type == "QAttention"
    batch, length, depth = _of_rank(graph, node.input[0], 3)
    sizes = numbers(node, "qkv_hidden_sizes")
    width = _of_rank(graph, node.input[1], 2)[1]
    queries, values = (sizes[0], sizes[2]) if len(sizes) == 3 else (width // 3, width // 3)
    past = _given(node, 8 if quantized else 4)
    keys = length + (_of_rank(graph, past, 5)[3] if past else 0)
    projected = batch * length * depth * width
    scored = _scores(batch, length, keys, queries, values)
    if not quantized:
        return {_type_name(graph.elem_type(node.input[0])): projected + scored}
    return {"int8": projected, "float32": scored}


def _multi_head(node: NodeProto, graph: Graph) -> Macs:
    query = _shape(graph, node.input[0])
    key = _shape(graph, node.input[1]) if _given(node, 1) else ()
    if len(query) == 5:  # queries, keys and values in one
        width = values = query[2] * query[4]
        length = query[1]
    elif len(query) == 3 and len(key) == 5:  # keys and values in one
        width = values = query[2]
        length = key[1]
    elif len(query) == 3 and len(key) in (3, 4):
        width, value = query[2], _shape(graph, _given(node, 2))
        length = key[1] if len(key) == 3 else key[2]
        values = value[2] if len(value) == 3 else value[1] * value[3]
    else:
        raise _UnknownError("its inputs have another form")
    past = _given(node, 6)
    keys = length + (_of_rank(graph, past, 4)[2] if past else 0)
    scored = _scores(query[0], query[1], keys, width, values)
    return {_type_name(graph.elem_type(node.input[0])): scored}


def _grouped(node: NodeProto, graph: Graph) -> Macs:
    """GroupQueryAttention: fewer keys and values than queries, which changes no count."""
    batch, length, width = _of_rank(graph, node.input[0], 3)
    heads, stored = number(node, "num_heads", 0), number(node, "kv_num_heads", 0)
    if not _given(node, 1):
        width = width // (heads + 2 * stored) * heads
    past = _given(node, 3)
    keys = length + (_of_rank(graph, past, 4)[2] if past else 0)
    scored = _scores(batch, length, keys, width, width)
    return {_type_name(graph.elem_type(node.input[0])): scored}


def _own_attention(node: NodeProto, graph: Graph) -> Macs:
    """Attention of ONNX itself (opset 23): no projections."""
    query, key, value = (_shape(graph, node.input[position]) for position in range(3))
    past = _given(node, 4)
    earlier = _of_rank(graph, past, 4)[2] if past else 0
    if len(query) == 4:
        heads, length = query[1], query[2]
        width, values, keys = heads * query[3], heads * value[3], key[2] + earlier
    else:
        heads, stored = number(node, "q_num_heads", 1), number(node, "kv_num_heads", 1)
        length, width, keys = query[1], query[2], key[1] + earlier
        values = heads * (value[2] // max(1, stored))
    scored = _scores(query[0], length, keys, width, values)
    return {_type_name(graph.elem_type(node.input[0])): scored}


def _recurrent(node: NodeProto, graph: Graph) -> Macs:
    """LSTM, GRU and RNN: each step multiplies by the weights of the input and of the state."""
    steps = _of_rank(graph, node.input[0], 3)[:2]
    weights = sum(math.prod(_of_rank(graph, node.input[at], 3)) for at in (1, 2))
    kind = "int8" if node.op_type.startswith("DynamicQuantize") else ""
    return {kind or _type_name(graph.elem_type(node.input[0])): math.prod(steps) * weights}


def _einsum(node: NodeProto, graph: Graph) -> Macs:
    """Of two operands: one product for each value of all indices together."""
    equation = next((one.s.decode() for one in node.attribute if one.name == "equation"), "")
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    if len(terms) < 2:
        return {}
    if len(terms) > 2 or len(node.input) != 2:
        raise _UnknownError("the order of its products is not known")
    extents: dict[str, int] = {}
    for term, name in zip(terms, node.input, strict=True):
        shape = _shape(graph, name)
        before, dots, after = term.partition("...")
        rest = len(shape) - len(before) - len(after)
        if rest < 0 or (rest and not dots):
            raise _UnknownError("its equation does not fit its inputs")
        # What the dots stand for meets from the right, as numpy's axes do.
        letters = [*before, *(f"...{rest - i}" for i in range(rest)), *after]
        for letter, extent in zip(letters, shape, strict=True):
            seen = extents.get(letter, 1)
            extents[letter] = extent if seen == 1 else seen
    return {_type_name(graph.elem_type(node.input[0])): math.prod(extents.values())}


def _linear(node: NodeProto, graph: Graph) -> Macs:
    """LinearClassifier and LinearRegressor: each sample with all coefficients."""
    shape = _shape(graph, node.input[0])
    coefficients = next(
        (len(one.floats) for one in node.attribute if one.name == "coefficients"), 0
    )
    return {"float32": (shape[0] if len(shape) > 1 else 1) * coefficients}


def _of_rank(graph: Graph, name: str, rank: int) -> tuple[int, ...]:
    shape = _shape(graph, name)
    if len(shape) != rank:
        raise _UnknownError(f"an input of {len(shape)} axes")
    return shape


_Rule = Callable[[Any, Graph], Macs]
_FUSED: Mapping[str, _Rule] = {
    "Attention": _fused_attention,
    "DynamicQuantizeLSTM": _recurrent,
    "GroupQueryAttention": _grouped,
    "MultiHeadAttention": _multi_head,
    "QAttention": _fused_attention,
}
_OWN: Mapping[str, Mapping[str, _Rule]] = {
    "": {
        "Attention": _own_attention,
        "Einsum": _einsum,
        "GRU": _recurrent,
        "LSTM": _recurrent,
        "RNN": _recurrent,
    },
    "ai.onnx.ml": {"LinearClassifier": _linear, "LinearRegressor": _linear},
}
