"""Weights in int8 or int4, everything computed in float: a smaller file, no calibration.

    >>> int8(Path("fp32.onnx"), Path("int8-weights.onnx"))     # doctest: +SKIP
    Effect(changed_nodes=7, notes=('7 of 8 layers ...', ...))

Round to nearest, symmetric: of each output channel in int8, of each block along a channel in int4
(Nagel et al. 2021, A White Paper on Neural Network Quantization, §2.2 and §2.3).

A ``DequantizeLinear`` in front of a layer is what the standard has for this, but onnxruntime
neither folds it nor leaves it alone: a convolution loses its blocked layout, and a ``MatMul``
becomes a ``MatMulNBits`` that quantizes its *activations* too. So weights are unpacked by a
``Cast`` and a ``Mul``, which are folded when the model is loaded: the file is small, memory and
speed are fp32's, and so is a ``.ort`` file, which is saved after folding. ``unpack="run"`` keeps
them packed in memory and in ``.ort`` and pays with time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ....errors import ModelError, NoEffectError
from ..method import Effect

Unpack = Literal["load", "run"]

SMALLEST = 1024
"""Values of a weight worth the bytes of its scales and nodes."""
SMALLEST_BLOCK = 16
"""Of ``MatMulNBits`` and ``GatherBlockQuantized``; a power of two."""
_INT4_OPSET = 21
_INT4 = helper.tensor_dtype_to_np_dtype(TensorProto.INT4)
_CONTRIB = "com.microsoft"


class Weight(NamedTuple):
    """A constant that one layer or more takes as its weights.

    Attributes:
        name: of the tensor.
        values: float32, as stored.
        nodes: what takes it.
        axis: the output channels'; the rows' of an embedding.
    """

    name: str
    values: NDArray[np.float32]
    nodes: tuple[onnx.NodeProto, ...]
    axis: int

    @property
    def embedding(self) -> bool:
        """Whether rows are looked up in it."""
        return self.nodes[0].op_type == "Gather"


def int8(source: Path, target: Path, *, unpack: Unpack = "load") -> Effect:
    """Write the variant with int8 weights, one scale a channel or embedded row.

    Args:
        source: the fp32 file.
        target: the file to write.
        unpack: when weights of layers become float: once at load, or in each run. Looked-up rows
            always do in the run.

    Raises:
        NoEffectError: no layer has constant float32 weights of some size.
        ModelError: weights that are not finite.
    """
    model = onnx.load(source)
    weights = _weights(model.graph, source)
    packed = _Packed(model)
    for weight in weights:
        _drop(model.graph, weight.name)
        if weight.embedding:
            _rows_int8(packed, weight)
        elif unpack == "load":
            _layer_int8(packed, weight)
        else:
            _layer_int8_kept(packed, weight)
    when = "when it is loaded" if unpack == "load" else "in each run"
    return packed.save(source, target, weights, "int8", f"unpacked to float {when}")


def int4(source: Path, target: Path, *, block: int = 32) -> Effect:
    """Write the variant with int4 weights, one scale a block.

    Fully connected layers and embeddings stay packed in memory and in ``.ort`` files, as
    onnxruntime's own ``MatMulNBits`` (told to compute in float) and ``GatherBlockQuantized``;
    convolutions are unpacked at load. The file is of opset 21, the first with int4.

    Args:
        source: the fp32 file.
        target: the file to write.
        block: values that share a scale; a power of two, at least 16.

    Raises:
        NoEffectError: no layer has constant float32 weights of some size.
        ModelError: weights that are not finite, or a model that cannot be raised to opset 21.
        ValueError: no such block, a bug of the caller's.
    """
    if block < SMALLEST_BLOCK or block & (block - 1):
        raise ValueError(f"a block of {block}")
    model = _at_opset_21(onnx.load(source), source)
    weights = _weights(model.graph, source)
    packed = _Packed(model)
    for weight in weights:
        _drop(model.graph, weight.name)
        if weight.embedding:
            _rows_int4(packed, weight, block)
        elif all(_is_plain_product(node, weight) for node in weight.nodes):
            _product_int4(packed, weight, block)
        else:
            _layer_int4(packed, weight, block)
    return packed.save(source, target, weights, "int4", f"a scale for each {block} values at most")


# --- which weights ------------------------------------------------------------------------------


def _weights(graph: onnx.GraphProto, source: Path) -> tuple[Weight, ...]:
    """The weights worth packing whose every use is known."""
    uses: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            uses.setdefault(name, []).append((node, place))
    # An input may replace its default, and a subgraph may take a name in any way.
    taken = {one.name for one in (*graph.input, *graph.output)} | set(_inner_names(graph))
    found = []
    for tensor in graph.initializer:
        large = int(np.prod(tensor.dims, dtype=np.int64)) >= SMALLEST
        if tensor.data_type != TensorProto.FLOAT or not large or tensor.name in taken:
            continue
        axes = {_axis(node, place, len(tensor.dims)) for node, place in uses.get(tensor.name, [])}
        kinds = {node.op_type == "Gather" for node, _ in uses.get(tensor.name, [])}
        if len(axes) != 1 or len(kinds) != 1 or (axis := axes.pop()) is None:
            continue
        values = numpy_helper.to_array(tensor)
        if not np.isfinite(values).all():
            raise ModelError(
                f"weights that are not finite in {tensor.name!r}",
                expected="finite weights",
                where=str(source),
            )
        nodes = tuple(node for node, _ in uses[tensor.name])
        found.append(Weight(tensor.name, values, nodes, axis))
    return tuple(found)


def _axis(node: onnx.NodeProto, place: int, rank: int) -> int | None:
    """The axis of the output channels of a weight, None for what is no weight."""
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Gather":
        return 0 if place == 0 and rank == 2 and _attribute(node, "axis", 0) in (0, -2) else None
    if place != 1 or rank < 2:
        return None
    if node.op_type in ("Conv", "ConvTranspose"):
        return 0 if node.op_type == "Conv" else 1
    if node.op_type == "Gemm":
        return 0 if _attribute(node, "transB", 0) else 1
    return rank - 1 if node.op_type == "MatMul" else None


def _layers(graph: onnx.GraphProto) -> int:
    """How many layers have weights of their own, of whatever size."""
    ranks = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    return sum(
        any(
            name in ranks and _axis(node, place, ranks[name]) is not None
            for place, name in enumerate(node.input)
        )
        for node in graph.node
    )


def _inner_names(graph: onnx.GraphProto) -> Iterator[str]:
    """Every name that nodes of subgraphs take."""
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                for one in inner.node:
                    yield from one.input
                yield from (output.name for output in inner.output)
                yield from _inner_names(inner)


def _attribute(node: onnx.NodeProto, name: str, default: float) -> Any:
    for attribute in node.attribute:
        if attribute.name == name:
            return helper.get_attribute_value(attribute)
    return default


def _drop(graph: onnx.GraphProto, name: str) -> None:
    graph.initializer.remove(next(one for one in graph.initializer if one.name == name))


# --- numbers ------------------------------------------------------------------------------------


def _rounded(
    values: NDArray[np.float32], axis: int, bits: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers and, along ``axis`` shared, their scales with that axis kept as 1.

    The value farthest from zero gets the negative end in int4, where one level more is 7 % of
    the range; in int8 the range is symmetric.
    """
    farthest = np.take_along_axis(values, np.abs(values).argmax(axis, keepdims=True), axis)
    ideal = -farthest / 8 if bits == 4 else np.abs(farthest) / 127
    scale: NDArray[np.float32] = np.where(ideal == 0, 1.0, ideal).astype(np.float32)
    low, high = (-8, 7) if bits == 4 else (-127, 127)
    whole: NDArray[np.int8] = np.clip(np.rint(values / scale), low, high).astype(np.int8)
    return whole, scale


def _by_channel(weight: Weight) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 of the weight's own shape, and scales that broadcast to it."""
    axis = weight.axis
    front = np.moveaxis(weight.values, axis, 0)
    whole, scale = _rounded(front.reshape(len(front), -1), 1, 8)
    shape = [1] * weight.values.ndim
    shape[axis] = -1
    return np.moveaxis(whole.reshape(front.shape), 0, axis), scale.reshape(shape)


def _by_block(
    rows: NDArray[np.float32], block: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int4 of [n, k] in blocks along k: [n, blocks, block], padded with zeros, and [n, blocks]."""
    n, k = rows.shape
    padded = np.pad(rows, ((0, 0), (0, -k % block)))
    whole, scale = _rounded(padded.reshape(n, -1, block), 2, 4)
    return whole, scale[:, :, 0]


# --- nodes --------------------------------------------------------------------------------------


class _Packed:
    """A model that packed weights and the nodes that unpack them are written into."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.front: list[onnx.NodeProto] = []
        self.instead: dict[str, list[onnx.NodeProto]] = {}
        """New nodes by the first output of the node they replace."""

    def store(self, name: str, array: NDArray[Any]) -> str:
        self.model.graph.initializer.append(
            numpy_helper.from_array(np.ascontiguousarray(array), name)
        )
        return name

    def save(
        self, source: Path, target: Path, weights: tuple[Weight, ...], kind: str, how: str
    ) -> Effect:
        """Write the file and say what was done.

        Raises:
            NoEffectError: nothing was.
        """
        graph = self.model.graph
        layers = _layers(onnx.load(source).graph)
        changed = sum(len(weight.nodes) for weight in weights)
        if not changed:
            raise NoEffectError(
                found=f"{kind}-weights changed none of {len(graph.node)} nodes",
                expected=f"a layer with {SMALLEST} constant float32 weights or more",
                where="compress.variants",
                fix=f"leave '{kind}-weights' out of compress.variants",
            )
        nodes = [*self.front]
        for node in graph.node:
            nodes += self.instead.get(node.output[0], [node])
        del graph.node[:]
        graph.node.extend(nodes)
        target.write_bytes(self.model.SerializeToString(deterministic=True))
        before, after = source.stat().st_size, target.stat().st_size
        return Effect(
            changed,
            (
                f"weights of {changed} of {layers} layers in {kind}, computed in float",
                f"{how}; the file takes {after} bytes instead of {before}",
            ),
        )


def _layer_int8(packed: _Packed, weight: Weight) -> None:
    name = weight.name
    whole, scale = _by_channel(weight)
    stored = packed.store(f"{name}.int8", whole), packed.store(f"{name}.scale", scale)
    packed.front += [
        helper.make_node("Cast", [stored[0]], [f"{name}.cast"], f"{name}.cast", to=1),
        helper.make_node("Mul", [f"{name}.cast", stored[1]], [name], f"{name}.mul"),
    ]


def _layer_int8_kept(packed: _Packed, weight: Weight) -> None:
    name, axis = weight.name, weight.axis
    whole, scale = _by_channel(weight)
    # Behind a Transpose, which is fused into the product, onnxruntime leaves a MatMul in float.
    turn = weight.values.ndim == 2 and any(node.op_type == "MatMul" for node in weight.nodes)
    if turn:
        whole, axis = whole.T, 1 - axis
    stored = packed.store(f"{name}.int8", whole), packed.store(f"{name}.scale", scale.ravel())
    given = f"{name}.turned" if turn else name
    packed.front.append(
        helper.make_node("DequantizeLinear", stored, [given], f"{name}.dequantize", axis=axis)
    )
    if turn:
        packed.front.append(
            helper.make_node("Transpose", [given], [name], f"{name}.turn", perm=[1, 0])
        )


def _rows_int8(packed: _Packed, weight: Weight) -> None:
    """Look up int8 rows and their scales; a scale a row is finer than DequantizeLinear's a column.

    Rows differ in length, as rare tokens' move less in training.
    """
    name = weight.name
    whole, scale = _by_channel(weight)
    stored = packed.store(f"{name}.int8", whole), packed.store(f"{name}.scale", scale)
    for node in weight.nodes:
        ids, out = node.input[1], node.output[0]
        packed.instead[out] = [
            helper.make_node("Gather", [stored[0], ids], [f"{out}.int8"], f"{out}.int8", axis=0),
            helper.make_node("Gather", [stored[1], ids], [f"{out}.scale"], f"{out}.scale", axis=0),
            helper.make_node("Cast", [f"{out}.int8"], [f"{out}.cast"], f"{out}.cast", to=1),
            helper.make_node("Mul", [f"{out}.cast", f"{out}.scale"], [out], f"{out}.mul"),
        ]


def _rows_int4(packed: _Packed, weight: Weight, block: int) -> None:
    name, (n, k) = weight.name, weight.values.shape
    whole, scale = _by_block(weight.values, block)
    rows = whole.reshape(n, -1)[:, :k].astype(_INT4)
    stored = packed.store(f"{name}.int4", rows), packed.store(f"{name}.scale", scale)
    _import_contrib(packed.model)
    for node in weight.nodes:
        packed.instead[node.output[0]] = [
            helper.make_node(
                "GatherBlockQuantized",
                [stored[0], node.input[1], stored[1]],
                list(node.output),
                node.name,
                domain=_CONTRIB,
                gather_axis=0,
                quantize_axis=1,
                block_size=block,
            )
        ]


def _is_plain_product(node: onnx.NodeProto, weight: Weight) -> bool:
    """Whether the node is x @ w, or that and a bias."""
    if node.op_type == "MatMul":
        return weight.values.ndim == 2
    factors = [_attribute(node, name, 1.0) for name in ("alpha", "beta")]
    return node.op_type == "Gemm" and factors == [1.0, 1.0] and not _attribute(node, "transA", 0)


def _product_int4(packed: _Packed, weight: Weight, block: int) -> None:
    """MatMulNBits: values in nibbles along the input features, the lower first, 8 for zero."""
    name = weight.name
    channels = np.moveaxis(weight.values, weight.axis, 0)
    whole, scale = _by_block(channels, block)
    nibbles = (whole + 8).astype(np.uint8)
    pairs = nibbles[..., 0::2] | nibbles[..., 1::2] << 4
    stored = packed.store(f"{name}.int4", pairs), packed.store(f"{name}.scale", scale)
    _import_contrib(packed.model)
    for node in weight.nodes:
        out = node.output[0]
        bias = node.input[2] if len(node.input) > 2 else ""
        product = f"{out}.product" if bias else out
        packed.instead[out] = [
            helper.make_node(
                "MatMulNBits",
                [node.input[0], *stored],
                [product],
                node.name,
                domain=_CONTRIB,
                K=channels.shape[1],
                N=channels.shape[0],
                bits=4,
                block_size=block,
                accuracy_level=1,  # fp32: the activations are not quantized
            )
        ]
        if bias:
            packed.instead[out].append(
                helper.make_node("Add", [product, bias], [out], f"{out}.bias")
            )


def _layer_int4(packed: _Packed, weight: Weight, block: int) -> None:
    """Blocks within a channel, of the size below ``block`` that divides it."""
    name, values = weight.name, weight.values
    front = np.moveaxis(values, weight.axis, 0)
    inner = front[0].size
    size = next(size for size in range(min(block, inner), 0, -1) if inner % size == 0)
    whole, scale = _by_block(front.reshape(len(front), -1), size)
    stored = (
        packed.store(f"{name}.int4", whole.astype(_INT4)),
        packed.store(f"{name}.scale", scale[:, :, None]),
        packed.store(f"{name}.shape", np.array(front.shape, np.int64)),
    )
    turned = name if weight.axis == 0 else f"{name}.turned"
    packed.front += [
        helper.make_node("Cast", [stored[0]], [f"{name}.cast"], f"{name}.cast", to=1),
        helper.make_node("Mul", [f"{name}.cast", stored[1]], [f"{name}.flat"], f"{name}.mul"),
        helper.make_node("Reshape", [f"{name}.flat", stored[2]], [turned], f"{name}.reshape"),
    ]
    if weight.axis:
        after = weight.axis + 1
        back = [*range(1, after), 0, *range(after, values.ndim)]
        packed.front.append(
            helper.make_node("Transpose", [turned], [name], f"{name}.turn", perm=back)
        )


def _import_contrib(model: onnx.ModelProto) -> None:
    if all(one.domain != _CONTRIB for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_CONTRIB, 1))


def _at_opset_21(model: onnx.ModelProto, source: Path) -> onnx.ModelProto:
    """The model with operators as of the first opset that has int4, or a later one."""
    opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    if opset < _INT4_OPSET:
        # onnx raises it without a word, but from 21 on it takes a scale a channel, not a group.
        if any(node.op_type == "GroupNormalization" for node in model.graph.node):
            raise _not_raised(opset, "GroupNormalization has another meaning there", source)
        try:
            model = onnx.version_converter.convert_version(model, _INT4_OPSET)
        except (RuntimeError, onnx.version_converter.ConvertError) as error:
            raise _not_raised(opset, str(error).splitlines()[0], source) from error
    model.ir_version = max(model.ir_version, 10)
    return model


def _not_raised(opset: int, why: str, source: Path) -> ModelError:
    return ModelError(
        f"opset {opset}, which cannot be raised ({why})",
        expected=f"opset {_INT4_OPSET}, the first with int4",
        where=str(source),
        fix=f"set export.opset = {_INT4_OPSET}",
    )
