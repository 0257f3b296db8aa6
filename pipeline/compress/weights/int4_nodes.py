"""Nodes that unpack int4 weights, and the opset they need.

product_int4(packed, weight, block=32)       # MatMulNBits
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from ....errors import ModelError, reason
from .packable import Weight, attribute_of
from .packed_model import PackedModel
from .rounding import by_block

_INT4_OPSET = 21
_INT4 = helper.tensor_dtype_to_np_dtype(TensorProto.INT4)
CONTRIB = "com.microsoft"


def rows_int4(packed: PackedModel, weight: Weight, block: int) -> None:
    """Look up int4 rows by GatherBlockQuantized."""
    name, (n, k) = weight.name, weight.values.shape
    whole, scale = by_block(weight.values, block)
    rows = whole.reshape(n, -1)[:, :k].astype(_INT4)
    stored = packed.store(f"{name}.int4", rows), packed.store(f"{name}.scale", scale)
    import_contrib(packed.model)
    for node in weight.nodes:
        packed.replacements[node.output[0]] = [
            helper.make_node(
                "GatherBlockQuantized",
                [stored[0], node.input[1], stored[1]],
                list(node.output),
                node.name,
                domain=CONTRIB,
                gather_axis=0,
                quantize_axis=1,
                block_size=block,
            )
        ]


def is_plain_product(node: onnx.NodeProto, weight: Weight) -> bool:
    """Whether the node is x @ w, with or without a bias."""
    if node.op_type == "MatMul":
        return weight.values.ndim == 2
    factors = [attribute_of(node, name, 1.0) for name in ("alpha", "beta")]
    return node.op_type == "Gemm" and factors == [1.0, 1.0] and not attribute_of(node, "transA", 0)


def product_int4(packed: PackedModel, weight: Weight, block: int) -> None:
    """Multiply by MatMulNBits: nibbles along the input features, low nibble first, 8 is zero."""
    name = weight.name
    channels = np.moveaxis(weight.values, weight.axis, 0)
    whole, scale = by_block(channels, block)
    nibbles = (whole + 8).astype(np.uint8)
    pairs = nibbles[..., 0::2] | nibbles[..., 1::2] << 4
    stored = packed.store(f"{name}.int4", pairs), packed.store(f"{name}.scale", scale)
    import_contrib(packed.model)
    for node in weight.nodes:
        out = node.output[0]
        bias = node.input[2] if len(node.input) > 2 else ""
        product = f"{out}.product" if bias else out
        packed.replacements[out] = [
            helper.make_node(
                "MatMulNBits",
                [node.input[0], *stored],
                [product],
                node.name,
                domain=CONTRIB,
                K=channels.shape[1],
                N=channels.shape[0],
                bits=4,
                block_size=block,
                accuracy_level=1,  # fp32: the activations are not quantized
            )
        ]
        if bias:
            packed.replacements[out].append(
                helper.make_node("Add", [product, bias], [out], f"{out}.bias")
            )


def layer_int4(packed: PackedModel, weight: Weight, block: int) -> None:
    """Unpack at load; blocks are the largest part of a channel that ``block`` allows."""
    name, values = weight.name, weight.values
    front = np.moveaxis(values, weight.axis, 0)
    inner = front[0].size
    size = next(size for size in range(min(block, inner), 0, -1) if inner % size == 0)
    whole, scale = by_block(front.reshape(len(front), -1), size)
    stored = (
        packed.store(f"{name}.int4", whole.astype(_INT4)),
        packed.store(f"{name}.scale", scale[:, :, None]),
        packed.store(f"{name}.shape", np.array(front.shape, np.int64)),
    )
    unpacked = name if weight.axis == 0 else f"{name}.turned"
    packed.front += [
        helper.make_node("Cast", [stored[0]], [f"{name}.cast"], f"{name}.cast", to=1),
        helper.make_node("Mul", [f"{name}.cast", stored[1]], [f"{name}.flat"], f"{name}.mul"),
        helper.make_node("Reshape", [f"{name}.flat", stored[2]], [unpacked], f"{name}.reshape"),
    ]
    if weight.axis:
        after = weight.axis + 1
        back = [*range(1, after), 0, *range(after, values.ndim)]
        packed.front.append(
            helper.make_node("Transpose", [unpacked], [name], f"{name}.turn", perm=back)
        )


def import_contrib(model: onnx.ModelProto) -> None:
    """Declare the opset of onnxruntime's own operators."""
    if all(opset.domain != CONTRIB for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(CONTRIB, 1))


def at_opset_21(model: onnx.ModelProto, source: Path) -> onnx.ModelProto:
    """The model converted to the first opset with int4, or unchanged at a later one.

    Raises:
        ModelError: it cannot be converted.
    """
    opset = next(
        imported.version for imported in model.opset_import if imported.domain in ("", "ai.onnx")
    )
    if opset < _INT4_OPSET:
        # onnx converts it without an error, but from 21 on its scale is per channel, not per group.
        if any(node.op_type == "GroupNormalization" for node in model.graph.node):
            raise _not_converted(opset, "GroupNormalization changes its meaning", source)
        try:
            model = onnx.version_converter.convert_version(model, _INT4_OPSET)
        except (RuntimeError, onnx.version_converter.ConvertError) as error:
            raise _not_converted(opset, reason(error), source) from error
    model.ir_version = max(model.ir_version, 10)
    return model


def _not_converted(opset: int, why: str, source: Path) -> ModelError:
    return ModelError(
        f"opset {opset}, which cannot be converted ({why})",
        expected=f"opset {_INT4_OPSET}, the first with int4",
        where=str(source),
        fix=f"set export.opset = {_INT4_OPSET}",
    )
