"""Operators of ONNX's own that have the output shapes of those a runtime makes by fusion.

    stand_in(model)          # in place; then shapes can be inferred through all of them

onnx infers no shapes for the operators of com.microsoft, so every shape behind one would be
unknown. Each is replaced by operators of the same output shapes and types, whose values are of no
use. The specification is onnxruntime's ContribOperators.md. onnx is imported inside the
functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

DOMAINS = frozenset({"com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc"})
"""Domains of the operators that onnxruntime makes."""
_OWN = ("", "ai.onnx")
# Output 0 has the shape and type of input 0.
_SAME = frozenset({
    "BiasAdd", "BiasDropout", "BiasGelu", "BiasSoftmax", "BitmaskDropout", "BitmaskBiasDropout",
    "FastGelu", "Gelu", "GroupNorm", "Inverse", "LayerNormalization",
    "PackedMultiHeadAttention", "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax",
    "QuickGelu", "ReorderInput", "ReorderOutput", "RMSNormalization", "RotaryEmbedding",
    "SimplifiedLayerNormalization", "SkipGroupNorm", "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization", "Trilu",
})  # fmt: skip
# The same operator in ONNX's own domain, for the inputs that it takes.
_RENAMED: Mapping[str, tuple[str, int]] = {
    "AveragePool": ("AveragePool", 1),
    "Conv": ("Conv", 3),
    "DequantizeLinear": ("DequantizeLinear", 3),
    "FusedConv": ("Conv", 3),
    "FusedGemm": ("Gemm", 3),
    "GlobalAveragePool": ("GlobalAveragePool", 1),
    "GlobalMaxPool": ("GlobalMaxPool", 1),
    "MaxPool": ("MaxPool", 1),
    "QuantizeLinear": ("QuantizeLinear", 3),
}
# By position of the inputs that meet as numpy's do.
_BROADCAST: Mapping[str, tuple[int, int]] = {"QLinearAdd": (0, 3), "QLinearMul": (0, 3)}
WITHOUT_PRODUCTS = (
    _SAME
    | (_RENAMED.keys() - {"Conv", "FusedConv", "FusedGemm"})
    | _BROADCAST.keys()
    | {
        "BiasSplitGelu", "CropAndResize", "DequantizeBFP", "DynamicTimeWarping",
        "EmbedLayerNormalization", "ExpandDims", "GatherBlockQuantized", "GatherND", "GridSample",
        "MaxpoolWithMask", "NhwcMaxPool", "NGramRepeatBlock", "Pad", "QLinearAveragePool",
        "QLinearConcat", "QLinearGlobalAveragePool", "QLinearReduceMean", "QLinearWhere",
        "QuantizeBFP", "Range", "RemovePadding", "RestorePadding",
        "Tokenizer", "UnfoldTensor", "Unique", "Upsample",
    }
)  # fmt: skip
"""Operators of these domains that multiply no matrices."""
_SKIP_SUMS = {"SkipLayerNormalization", "SkipSimplifiedLayerNormalization"}


def stand_in(model: ModelProto) -> None:
    """Replace the operators that onnx knows no shapes of, where others have theirs; in place."""
    from onnx import helper

    if not any(one.domain in _OWN for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", 17))
    builder = _Builder(model)
    builder.graph(model.graph)


class _Builder:
    """One model's replacements.

    Attributes:
        stored: extents of the stored tensors, by name.
    """

    def __init__(self, model: ModelProto) -> None:
        self.stored = {one.name: tuple(one.dims) for one in model.graph.initializer}
        self._opset = next(
            (int(one.version) for one in model.opset_import if one.domain in _OWN), 17
        )
        self._main = model.graph
        self._made = 0

    def graph(self, graph: GraphProto) -> None:
        """Replace in one graph and those inside it."""
        self.stored |= {one.name: tuple(one.dims) for one in graph.initializer}
        nodes: list[NodeProto] = []
        changed = False
        for node in graph.node:
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self.stored[node.output[0]] = tuple(attribute.t.dims)
            for attribute in node.attribute:
                for inner in (
                    *([attribute.g] if attribute.HasField("g") else []),
                    *attribute.graphs,
                ):
                    self.graph(inner)
            instead = self.instead(node)
            changed = changed or instead is not None
            nodes += [node] if instead is None else instead
        if changed:
            copies = [type(node)() for node in nodes]
            for copy, node in zip(copies, nodes, strict=True):
                copy.CopyFrom(node)
            del graph.node[:]
            graph.node.extend(copies)

    def instead(self, node: NodeProto) -> list[NodeProto] | None:
        """What stands in for a node; None for the node itself."""
        from onnx import defs

        op = node.op_type
        if node.domain in _OWN:
            if op not in _SAME or defs.has(op, self._opset, ""):
                return None
        elif node.domain not in DOMAINS:
            return None
        made = self._shaped(node)
        if made is None:
            return None
        written = {name for one in made for name in one.output}
        # An output that is not told stays unknown; it must have a maker all the same.
        return made if written & set(node.output) else None

    def _shaped(self, node: NodeProto) -> list[NodeProto] | None:
        op = node.op_type
        if op in _RULES:
            found: list[NodeProto] | None = _RULES[op](node, self)
            return found
        if op in _SAME:
            made = [self.make("Identity", [node.input[0]], [node.output[0]])]
            if op in _SKIP_SUMS and len(node.output) > 3 and node.output[3]:
                made.append(self.make("Identity", [node.input[0]], [node.output[3]]))
            return made
        if op in _RENAMED:
            name, most = _RENAMED[op]
            copy = type(node)()
            copy.CopyFrom(node)
            copy.domain, copy.op_type = "", name
            del copy.input[most:]
            return self.layout(copy, node)
        if op in _BROADCAST:
            inputs = [node.input[position] for position in _BROADCAST[op]]
            return [self.make("Add", inputs, [node.output[0]])]
        return None

    def layout(self, copy: NodeProto, node: NodeProto) -> list[NodeProto] | None:
        """A pool or convolution whose channels may be the last axis."""
        if not number(node, "channels_last", 0) and not node.op_type.startswith("Nhwc"):
            return [copy]
        taps = (
            numbers(node, "kernel_shape")
            or self.stored.get(
                node.input[_WEIGHTS.get(node.op_type, 1)] if len(node.input) > 1 else "", ()
            )[2:]
        )
        rank = len(taps) + 2 if taps else 4
        there, back = [0, rank - 1, *range(1, rank - 1)], [0, *range(2, rank), 1]
        inside, outside = self.name(), self.name()
        first = self.make("Transpose", [node.input[0]], [inside], perm=there)
        copy.input[0], output = inside, copy.output[0]
        copy.output[0] = outside
        del copy.output[1:]
        return [first, copy, self.make("Transpose", [outside], [output], perm=back)]

    def make(self, op: str, inputs: Sequence[str], outputs: Sequence[str], **of: Any) -> NodeProto:
        """A node of ONNX's own."""
        from onnx import helper

        return helper.make_node(op, list(inputs), list(outputs), **of)

    def name(self) -> str:
        """A name that no tensor has."""
        self._made += 1
        return f"\0stand-in {self._made}"

    def tensor(self, shape: Sequence[int], elem_type: int = 1) -> str:
        """The name of a tensor of this shape, without values."""
        from onnx import helper

        name = self.name()
        self._main.input.append(helper.make_tensor_value_info(name, elem_type, list(shape)))
        return name

    def integers(self, values: Sequence[int]) -> str:
        """The name of a stored list of integers."""
        from onnx import TensorProto, helper

        name = self.name()
        self._main.initializer.append(
            helper.make_tensor(name, TensorProto.INT64, [len(values)], list(values))
        )
        return name

    def heads_first(self, name: str, heads: int) -> tuple[list[NodeProto], str]:
        """[batch, length, heads * size] as [batch, heads, length, size]."""
        apart, turned = self.name(), self.name()
        shape = self.integers([0, 0, heads, -1])
        return [
            self.make("Reshape", [name, shape], [apart]),
            self.make("Transpose", [apart], [turned], perm=[0, 2, 1, 3]),
        ], turned


_WEIGHTS = {"QLinearConv": 3}


def number(node: NodeProto, name: str, default: int) -> int:
    """A node's whole-number attribute."""
    return next((int(one.i) for one in node.attribute if one.name == name), default)


def numbers(node: NodeProto, name: str) -> list[int]:
    """A node's list of whole numbers, empty where it has none."""
    return next(([int(i) for i in one.ints] for one in node.attribute if one.name == name), [])


def _attention(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    weights = to.stored.get(node.input[1])
    if weights is None or len(weights) != 2:
        return None
    sizes = numbers(node, "qkv_hidden_sizes")
    width = sizes[2] if len(sizes) == 3 else weights[1] // 3
    return [to.make("MatMul", [node.input[0], to.tensor((weights[0], width))], [node.output[0]])]


def _embed(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    made = [to.make("Gather", [node.input[2], node.input[0]], [node.output[0]])]
    if len(node.output) > 1 and node.output[1]:
        index = to.name()
        made += [
            to.make("ArgMax", [node.input[0]], [index], axis=1, keepdims=0),
            to.make("Cast", [index], [node.output[1]], to=6),
        ]
    if len(node.output) > 2 and node.output[2]:
        made.append(to.make("Identity", [node.output[0]], [node.output[2]]))
    return made


def _multi_head(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    if number(node, "num_heads", 0) < 1 or len(node.input) < 2 or not node.input[1]:
        return None  # packed queries, keys and values
    made = [to.make("Identity", [node.input[0]], [node.output[0]])]
    return made + _present(node, to, (1, 2), (6, 7), number(node, "num_heads", 0))


def _grouped(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    heads, stored = number(node, "num_heads", 0), number(node, "kv_num_heads", 0)
    if heads < 1 or stored < 1:
        return None
    if len(node.input) > 2 and node.input[1] and node.input[2]:
        made = [to.make("Identity", [node.input[0]], [node.output[0]])]
        return made + _present(node, to, (1, 2), (3, 4), stored)
    apart, kept = to.name(), to.name()
    packed = to.integers([0, 0, heads + 2 * stored, -1])
    cut = [to.integers([one]) for one in (0, heads, 2)]
    return [
        to.make("Reshape", [node.input[0], packed], [apart]),
        to.make("Slice", [apart, *cut], [kept]),
        to.make("Reshape", [kept, to.integers([0, 0, -1])], [node.output[0]]),
    ]


def _present(
    node: NodeProto, to: _Builder, own: tuple[int, int], past: tuple[int, int], heads: int
) -> list[NodeProto]:
    """The keys and values that a node hands on: those of the past with its own behind them."""
    made: list[NodeProto] = []
    for output, new, old in zip(node.output[1:3], own, past, strict=False):
        if not output or len(node.input) <= new or not node.input[new]:
            continue
        steps, turned = to.heads_first(node.input[new], heads)
        before = node.input[old] if len(node.input) > old else ""
        last = (
            to.make("Concat", [before, turned], [output], axis=2)
            if before
            else to.make("Identity", [turned], [output])
        )
        made += [*steps, last]
    return made


def _fused_matmul(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    terms = []
    for own, free in (("A", "i"), ("B", "k")):
        letters = (free, "j") if own == "A" else ("j", free)
        if number(node, f"trans{own}", 0):
            letters = letters[::-1]
        batch = number(node, f"transBatch{own}", 0)
        terms.append(f"{letters[0]}...{letters[1]}" if batch else f"...{letters[0]}{letters[1]}")
    if terms == ["...ij", "...jk"]:
        return [to.make("MatMul", node.input[:2], [node.output[0]])]
    equation = f"{terms[0]},{terms[1]}->...ik"
    return [to.make("Einsum", node.input[:2], [node.output[0]], equation=equation)]


def _by_k_and_n(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    shape = number(node, "K", 0), number(node, "N", 0)
    return [to.make("MatMul", [node.input[0], to.tensor(shape)], [node.output[0]])]


def _product(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    """Of integers, given back as floats."""
    raw = to.name()
    return [
        to.make("MatMul", node.input[:2], [raw]),
        to.make("Cast", [raw], [node.output[0]], to=1),
    ]


def _quantized_gemm(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    raw = to.name()
    switches = {name: number(node, name, 0) for name in ("transA", "transB")}
    made = to.make("Gemm", [node.input[0], node.input[3]], [raw], **switches)
    scaled = len(node.input) > 7 and bool(node.input[7])
    last = to.make("Identity", [raw], [node.output[0]])
    return [made, last if scaled else to.make("Cast", [raw], [node.output[0]], to=1)]


def _quantized_convolution(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    copy = type(node)()
    copy.CopyFrom(node)
    copy.domain, copy.op_type = "", "Conv"
    copy.input[:] = [node.input[0], node.input[3]]
    return to.layout(copy, node)


def _quantized_pool(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    copy = type(node)()
    copy.CopyFrom(node)
    copy.domain = ""
    copy.op_type = node.op_type.removeprefix("QLinear").removeprefix("Nhwc")
    del copy.input[1:]
    return to.layout(copy, node)


def _quantized_concat(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    axis = number(node, "axis", 0)
    return [to.make("Concat", node.input[2::3], [node.output[0]], axis=axis)]


def _quantized_where(node: NodeProto, to: _Builder) -> list[NodeProto] | None:
    inputs = [node.input[position] for position in (0, 1, 4)]
    return [to.make("Where", inputs, [node.output[0]])]


_RULES: Mapping[str, Callable[[Any, _Builder], Any]] = {
    "Attention": _attention,
    "DynamicQuantizeMatMul": _product,
    "EmbedLayerNormalization": _embed,
    "FusedMatMul": _fused_matmul,
    "GroupQueryAttention": _grouped,
    "MatMulBnb4": _by_k_and_n,
    "MatMulIntegerToFloat": _product,
    "MatMulNBits": _by_k_and_n,
    "MultiHeadAttention": _multi_head,
    "NhwcMaxPool": _quantized_pool,
    "QAttention": _attention,
    "QGemm": _quantized_gemm,
    "QLinearAveragePool": _quantized_pool,
    "QLinearConcat": _quantized_concat,
    "QLinearConv": _quantized_convolution,
    "QLinearGlobalAveragePool": _quantized_pool,
    "QLinearWhere": _quantized_where,
    "TransposeMatMul": _fused_matmul,
}
"""What stands in for an operator, by its type; None where its shape cannot be told."""
