"""Weights in int8 or int4, everything computed in float: a smaller file, no calibration.

    >>> int8(Path("fp32.onnx"), Path("int8-weights.onnx"))     # doctest: +SKIP
    Effect(changed_nodes=7, notes=('7 of 8 layers ...', ...))

Round to nearest, symmetric: of each output channel in int8, of each block along a channel in int4
(Nagel et al. 2021, A White Paper on Neural Network Quantization, §2.2 and §2.3).

The standard form is a ``DequantizeLinear`` before a layer, but onnxruntime does not fold it: a
convolution loses its blocked layout, and a ``MatMul`` becomes a ``MatMulNBits`` that quantizes its
*activations* too. Weights are therefore unpacked by a ``Cast`` and a ``Mul``, which onnxruntime
folds when it loads the model. The file is small; memory, latency and the ``.ort`` file, which is
saved after folding, are those of fp32. ``unpack="run"`` keeps the weights packed in memory and in
``.ort``, and the model is slower.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import onnx

from ..method import Effect
from .int4_nodes import at_opset_21, is_plain_product, layer_int4, product_int4, rows_int4
from .int8_nodes import layer_int8, layer_int8_kept, rows_int8
from .packable import Weight, packable_weights
from .packed_model import PackedModel

Unpack = Literal["load", "run"]

SMALLEST_BLOCK = 16
"""The smallest block of ``MatMulNBits`` and ``GatherBlockQuantized``."""


def int8(source: Path, target: Path, *, unpack: Unpack = "load") -> Effect:
    """Write the variant with int8 weights, one scale a channel or embedding row.

    Args:
        source: the fp32 file.
        target: the file to write.
        unpack: when weights of layers become float: once at load, or in each run. Embedding rows
            always become float in the run.

    Raises:
        NoEffectError: no layer has constant float32 weights of at least `SMALLEST` values.
        ModelError: a weight is not finite.
    """
    packed = PackedModel(onnx.load(source))
    weights = packable_weights(packed.model.graph, source)
    _drop(packed.model.graph, weights)
    for weight in weights:
        if weight.embedding:
            rows_int8(packed, weight)
        elif unpack == "load":
            layer_int8(packed, weight)
        else:
            layer_int8_kept(packed, weight)
    when = "when it is loaded" if unpack == "load" else "in each run"
    return packed.save(source, target, weights, "int8", f"unpacked to float {when}")


def int4(source: Path, target: Path, *, block: int = 32) -> Effect:
    """Write the variant with int4 weights, one scale a block.

    Fully connected layers and embeddings stay packed in memory and in ``.ort`` files, as
    onnxruntime's ``MatMulNBits`` (set to compute in float) and ``GatherBlockQuantized``;
    convolutions are unpacked at load. The file has opset 21, the first with int4.

    Args:
        source: the fp32 file.
        target: the file to write.
        block: values that share a scale; a power of two, at least 16.

    Raises:
        NoEffectError: no layer has constant float32 weights of at least `SMALLEST` values.
        ModelError: a weight is not finite, or the model cannot be converted to opset 21.
        ValueError: `block` is not a power of two from 16 on.
    """
    if block < SMALLEST_BLOCK or block & (block - 1):
        raise ValueError(f"a block of {block}, expected a power of two from {SMALLEST_BLOCK} on")
    packed = PackedModel(at_opset_21(onnx.load(source), source))
    weights = packable_weights(packed.model.graph, source)
    _drop(packed.model.graph, weights)
    for weight in weights:
        if weight.embedding:
            rows_int4(packed, weight, block)
        elif all(is_plain_product(node, weight) for node in weight.nodes):
            product_int4(packed, weight, block)
        else:
            layer_int4(packed, weight, block)
    return packed.save(source, target, weights, "int4", f"a scale for each {block} values at most")


def _drop(graph: onnx.GraphProto, weights: Sequence[Weight]) -> None:
    """Remove the weights as they were."""
    gone = {weight.name for weight in weights}
    kept = [tensor for tensor in graph.initializer if tensor.name not in gone]
    del graph.initializer[:]
    graph.initializer.extend(kept)
