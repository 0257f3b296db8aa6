"""Add Q/DQ pairs around the layers of an ONNX graph, except where they would do harm.

    prepared = prepare(Path("fp32.onnx"), folder / "prepared.onnx")
    quantize(prepared, Path("int8.onnx"), ranges, plan, in_float(onnx.load(prepared)))

Accepts any graph of opset 11 to 23, with weights as initializers or as Constant nodes.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationMethod,
    QDQQuantizer,
    QuantType,
    TensorsData,
    quant_pre_process,
)
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

from ....devices.onboard.model.graph import Graph
from ....errors import ModelError, reason
from ...records import Plan
from ..method import quiet
from .calibration import Range
from .saturation import fitting_scales

OPSETS = range(11, 24)
PER_CHANNEL = 13
"""The first opset whose DequantizeLinear has an axis."""
OPERATORS = sorted({*QDQRegistry, *QLinearOpsRegistry})
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_PREPARES = ("Cast", "Mul", "Add", "Sub", "Div", "Unsqueeze", "Transpose")
"""Operators of a normalization before the first layer."""
_UNITS = ("Mul", "Add")
"""Operators after the last layer that convert to the user's units."""
_TYPES = {"u8": QuantType.QUInt8, "s8": QuantType.QInt8}


def prepare(source: Path, target: Path) -> Path:
    """Write the graph in the form that the quantizer needs: shapes, stored constants, node names.

    Args:
        source: the fp32 file.
        target: the file to write.

    Returns:
        The file written.

    Raises:
        ModelError: the opset is too old or too new, or shape inference fails.
    """
    model = onnx.load(source)
    opset = next(
        (imported.version for imported in model.opset_import if imported.domain in ("", "ai.onnx")),
        0,
    )
    if opset not in OPSETS:
        raise ModelError(
            f"opset {opset}",
            expected=f"opset {OPSETS.start} to {OPSETS.stop - 1}",
            where=str(source),
            fix="export it at another opset, or convert it with onnx.version_converter",
        )
    try:
        if opset < PER_CHANNEL:
            model = onnx.version_converter.convert_version(model, PER_CHANNEL)
        for i, node in enumerate(model.graph.node):
            node.name = node.name or f"{node.op_type}_{i}"
        # Given a model instead of a file, onnxruntime moves its weights to external data.
        onnx.save(model, target)
        with quiet():
            quant_pre_process(target, target, skip_symbolic_shape=_shapes_are_plain(model))
    except Exception as error:
        raise ModelError(
            f"a graph that cannot be prepared ({reason(error)})",
            where=str(source),
        ) from error
    return target


def activations(model: onnx.ModelProto) -> list[str]:
    """Float tensors that operators which can be quantized read or write: those that need ranges."""
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    values = [*graph.value_info, *graph.input, *graph.output]
    floats = {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    touched = {
        name
        for node in graph.node
        if node.op_type in OPERATORS
        for name in (*node.input, *node.output)
    }
    return sorted((touched & floats) - stored)


def layers(model: onnx.ModelProto, leave: Collection[str]) -> list[onnx.NodeProto]:
    """Layers with stored weights, except those in ``leave``, in graph order."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if node.op_type in WEIGHTED and node.name not in leave and stored & set(node.input[1:2])
    ]


def with_its_own(model: onnx.ModelProto, layer: onnx.NodeProto) -> list[str]:
    """The names of a layer and of the operators before it that only it depends on.

    In int8 these operators would round the layer's input even if the layer itself is in float.
    """
    graph = Graph(model.graph)
    producer_of, ends = graph.maker, {value.name for value in model.graph.output}
    own, waiting = [layer.name], list(layer.input)
    while waiting:
        node = producer_of.get(waiting.pop())
        if node is None or node.op_type in WEIGHTED or node.name in own:
            continue
        readers = {reader.name for name in node.output for reader, _ in graph.takers.get(name, ())}
        if readers <= set(own) and ends.isdisjoint(node.output):
            own.append(node.name)
            waiting += node.input
    return own


def quantize(
    prepared: Path,
    target: Path,
    ranges: Mapping[str, Range],
    plan: Plan,
    leave: Sequence[str],
    only: Sequence[str] = (),
) -> None:
    """Write a quantized copy whose outputs stay in float.

    Args:
        prepared: a file that ``prepare`` wrote.
        target: the file to write.
        ranges: range of every tensor in ``activations``.
        plan: types and bits.
        leave: nodes to leave in float.
        only: nodes to quantize; empty: all others.
    """
    model = onnx.load(prepared)
    bounds = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    with quiet():
        quantizer = QDQQuantizer(
            model,
            plan.per_channel,
            plan.weight_bits == 7,
            _TYPES[plan.weights],
            _TYPES[plan.activations],
            TensorsData(CalibrationMethod.MinMax, bounds),
            list(only),
            list(leave),
            OPERATORS,
            {"TensorQuantOverrides": _overrides(model)} if plan.pairs_fit else {},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    quantized = quantizer.model.model
    for output in quantized.graph.output:
        _leave_in_float(quantized.graph, output.name)
    del quantized.metadata_props[:]
    used = {"", *(node.domain for node in quantized.graph.node)}
    for unused in [opset for opset in quantized.opset_import if opset.domain not in used]:
        quantized.opset_import.remove(unused)
    target.write_bytes(quantized.SerializeToString(deterministic=True))


def _overrides(model: onnx.ModelProto) -> dict[str, list[dict[str, Any]]]:
    """The scales of weights by channel, in the quantizer's form."""
    return {
        name: [
            {"axis": axis, "quant_type": QuantType.QInt8, "scale": scale, "zero_point": np.int8(0)}
            for scale in scales
        ]
        for name, (axis, scales) in fitting_scales(model).items()
    }


def in_float(model: onnx.ModelProto) -> list[str]:
    """The names of nodes that stay in float."""
    graph = model.graph
    ends = [node.name for output in graph.output for node in _units(graph, output.name)]
    return [*_normalization(graph), *_attention(graph), *ends]


def _shapes_are_plain(model: onnx.ModelProto) -> bool:
    """Whether plain shape inference succeeds; symbolic inference supports fewer operators."""
    inferred = onnx.shape_inference.infer_shapes(model)
    typed = {
        value.name for value in inferred.graph.value_info if value.type.HasField("tensor_type")
    }
    typed |= {value.name for value in inferred.graph.output}
    return all(name in typed for node in inferred.graph.node for name in node.output if name)


def _normalization(graph: onnx.GraphProto) -> list[str]:
    """The arithmetic between the inputs and the first layer.

    In int8 it would cost two more roundings and two more passes over the input.
    """
    reached = {value.name for value in graph.input}
    names = []
    for node in graph.node:
        if node.op_type in _PREPARES and reached & set(node.input):
            reached |= set(node.output)
            names.append(node.name)
    return names


def _attention(graph: onnx.GraphProto) -> list[str]:
    """Every softmax and what computes its scores.

    Scores of padding are -10,000. With 256 levels over that range all other scores share one level,
    and the softmax becomes uniform.
    """
    softmax = [node for node in graph.node if node.op_type == "Softmax"]
    scores = {name for node in softmax for name in node.input}
    return [node.name for node in softmax] + [
        node.name for node in graph.node if scores & set(node.output)
    ]


def _units(graph: onnx.GraphProto, output: str) -> list[onnx.NodeProto]:
    """The arithmetic with constants after the last layer, from the output backwards."""
    producer_of, units = Graph(graph).maker, []
    node = producer_of.get(output)
    while node is not None and node.op_type in _UNITS:
        computed = [name for name in node.input if name in producer_of]
        if len(computed) != 1:
            break
        units.append(node)
        node = producer_of[computed[0]]
    return units


def _leave_in_float(graph: onnx.GraphProto, output: str) -> None:
    """Remove the Q/DQ pair after the last layer.

    With 256 levels, logits of different classes would be equal and predicted numbers coarse.
    """
    producer_of, units = Graph(graph).maker, _units(graph, output)
    end = output
    if units:
        end = next(name for name in units[-1].input if name in producer_of)
    dequantizer = producer_of.get(end)
    quantizer = producer_of.get(dequantizer.input[0]) if dequantizer is not None else None
    if dequantizer is None or quantizer is None:
        return
    if (dequantizer.op_type, quantizer.op_type) != ("DequantizeLinear", "QuantizeLinear"):
        return
    layer = producer_of.get(quantizer.input[0])
    if layer is None or any(
        quantizer.input[0] in node.input for node in graph.node if node is not quantizer
    ):
        return
    for i, name in enumerate(layer.output):
        if name == quantizer.input[0]:
            layer.output[i] = end
    unused = {*quantizer.input[1:], *dequantizer.input[1:]}
    graph.node.remove(dequantizer)
    graph.node.remove(quantizer)
    unused -= {name for node in graph.node for name in node.input}
    for tensor in [t for t in graph.initializer if t.name in unused]:
        graph.initializer.remove(tensor)
