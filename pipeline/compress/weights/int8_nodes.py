"""Nodes that unpack int8 weights.

layer_int8(packed, weight)       # Cast and Mul, folded when the model is loaded
"""

from onnx import helper

from .packable import Weight
from .packed_model import PackedModel
from .rounding import by_channel


def layer_int8(packed: PackedModel, weight: Weight) -> None:
    """Unpack a layer's weights by Cast and Mul, which onnxruntime folds at load."""
    name = weight.name
    whole, scale = by_channel(weight)
    stored = packed.store(f"{name}.int8", whole), packed.store(f"{name}.scale", scale)
    packed.front += [
        helper.make_node("Cast", [stored[0]], [f"{name}.cast"], f"{name}.cast", to=1),
        helper.make_node("Mul", [f"{name}.cast", stored[1]], [name], f"{name}.mul"),
    ]


def layer_int8_kept(packed: PackedModel, weight: Weight) -> None:
    """Unpack a layer's weights by DequantizeLinear, in each run."""
    name, axis = weight.name, weight.axis
    whole, scale = by_channel(weight)
    # After a Transpose, which it fuses into the product, onnxruntime leaves a MatMul in float.
    transpose = weight.values.ndim == 2 and any(node.op_type == "MatMul" for node in weight.nodes)
    if transpose:
        whole, axis = whole.T, 1 - axis
    stored = packed.store(f"{name}.int8", whole), packed.store(f"{name}.scale", scale.ravel())
    dequantized = f"{name}.turned" if transpose else name
    packed.front.append(
        helper.make_node("DequantizeLinear", stored, [dequantized], f"{name}.dequantize", axis=axis)
    )
    if transpose:
        packed.front.append(
            helper.make_node("Transpose", [dequantized], [name], f"{name}.turn", perm=[1, 0])
        )


def rows_int8(packed: PackedModel, weight: Weight) -> None:
    """Look up int8 rows and their scales.

    One scale a row is more accurate than the one a column of DequantizeLinear: rows differ in norm,
    because those of rare tokens change less in training.
    """
    name = weight.name
    whole, scale = by_channel(weight)
    stored = packed.store(f"{name}.int8", whole), packed.store(f"{name}.scale", scale)
    for node in weight.nodes:
        ids, out = node.input[1], node.output[0]
        packed.replacements[out] = [
            helper.make_node("Gather", [stored[0], ids], [f"{out}.int8"], f"{out}.int8", axis=0),
            helper.make_node("Gather", [stored[1], ids], [f"{out}.scale"], f"{out}.scale", axis=0),
            helper.make_node("Cast", [f"{out}.int8"], [f"{out}.cast"], f"{out}.cast", to=1),
            helper.make_node("Mul", [f"{out}.cast", f"{out}.scale"], [out], f"{out}.mul"),
        ]
