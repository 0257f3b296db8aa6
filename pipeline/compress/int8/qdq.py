"""Q/DQ pairs around the layers of an ONNX graph, and where they do not belong.

    prepared = prepare(Path("fp32.onnx"), folder / "prepared.onnx")
    quantize(prepared, Path("int8.onnx"), found, plan, in_float(prepared))

Any graph of opset 11 to 23, weights as initializers or as Constant nodes.
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
from ....errors import ModelError
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
"""What stands in front of the first layer: a normalization."""
_UNITS = ("Mul", "Add")
"""What stands behind the last layer of a regression."""
_TYPES = {"u8": QuantType.QUInt8, "s8": QuantType.QInt8}


def prepare(source: Path, target: Path) -> Path:
    """Write the graph as the quantizer wants it: shapes known, constants stored, names given.

    Args:
        source: the model as it came.
        target: the file to write.

    Returns:
        The file written.

    Raises:
        ModelError: an opset that is too old or too new, or a graph that cannot be worked out.
    """
    model = onnx.load(source)
    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
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
        # A file, not the model: given that, onnxruntime moves its weights out of it.
        onnx.save(model, target)
        with quiet():
            quant_pre_process(target, target, skip_symbolic_shape=_shapes_are_plain(model))
    except Exception as error:
        raise ModelError(
            f"a graph that cannot be prepared ({str(error).splitlines()[0][:300]})",
            where=str(source),
        ) from error
    return target


def activations(model: onnx.ModelProto) -> list[str]:
    """Float tensors next to operators that can be quantized: those whose ranges are asked for."""
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    values = [*graph.value_info, *graph.input, *graph.output]
    floats = {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    beside = {
        name
        for node in graph.node
        if node.op_type in OPERATORS
        for name in (*node.input, *node.output)
    }
    return sorted((beside & floats) - stored)


def layers(model: onnx.ModelProto, leave: Collection[str]) -> list[onnx.NodeProto]:
    """Layers with stored weights that are quantized, in graph order."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if node.op_type in WEIGHTED and node.name not in leave and stored & set(node.input[1:2])
    ]


def with_its_own(model: onnx.ModelProto, layer: onnx.NodeProto) -> list[str]:
    """A layer and what computes for it alone since the layers before, by name.

    In int8 that would round the layer's input even where the layer itself is in float.
    """
    graph = Graph(model.graph)
    made_by, ends = graph.maker, {value.name for value in model.graph.output}
    found, waiting = [layer.name], list(layer.input)
    while waiting:
        node = made_by.get(waiting.pop())
        if node is None or node.op_type in WEIGHTED or node.name in found:
            continue
        takers = {taker.name for name in node.output for taker, _ in graph.takers.get(name, ())}
        if takers <= set(found) and ends.isdisjoint(node.output):
            found.append(node.name)
            waiting += node.input
    return found


def quantize(
    prepared: Path,
    target: Path,
    ranges: Mapping[str, Range],
    plan: Plan,
    leave: Sequence[str],
    only: Sequence[str] = (),
) -> None:
    """Write a quantized copy; its outputs stay in float.

    Args:
        prepared: by ``prepare``.
        target: the file to write.
        ranges: of every tensor that ``activations`` names.
        plan: types and bits.
        leave: nodes to leave in float.
        only: nodes to quantize; empty: all others.
    """
    model = onnx.load(prepared)
    found = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    with quiet():
        quantizer = QDQQuantizer(
            model,
            plan.per_channel,
            plan.weight_bits == 7,
            _TYPES[plan.weights],
            _TYPES[plan.activations],
            TensorsData(CalibrationMethod.MinMax, found),
            list(only),
            list(leave),
            OPERATORS,
            {"TensorQuantOverrides": _overrides(model)} if plan.pairs_fit else {},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    made = quantizer.model.model
    for output in made.graph.output:
        _leave_in_float(made.graph, output.name)
    del made.metadata_props[:]
    used = {"", *(node.domain for node in made.graph.node)}
    for unused in [one for one in made.opset_import if one.domain not in used]:
        made.opset_import.remove(unused)
    target.write_bytes(made.SerializeToString(deterministic=True))


def _overrides(model: onnx.ModelProto) -> dict[str, list[dict[str, Any]]]:
    """Weights' scales, channel by channel, as the quantizer takes them."""
    return {
        name: [
            {"axis": axis, "quant_type": QuantType.QInt8, "scale": scale, "zero_point": np.int8(0)}
            for scale in scales
        ]
        for name, (axis, scales) in fitting_scales(model).items()
    }


def in_float(model: onnx.ModelProto) -> list[str]:
    """Nodes that stay as they are, by name."""
    graph = model.graph
    ends = [node.name for output in graph.output for node in _units(graph, output.name)]
    return [*_normalization(graph), *_attention(graph), *ends]


def _shapes_are_plain(model: onnx.ModelProto) -> bool:
    """Whether plain shape inference is enough: symbolic inference knows fewer operators."""
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {
        value.name for value in inferred.graph.value_info if value.type.HasField("tensor_type")
    }
    known |= {value.name for value in inferred.graph.output}
    return all(name in known for node in inferred.graph.node for name in node.output if name)


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

    Scores of padding lie at -10,000: a range of 256 levels from there to the others is so wide that
    all others fall on one level, and a softmax of equals attends to nothing.
    """
    softmax = [node for node in graph.node if node.op_type == "Softmax"]
    scores = {name for node in softmax for name in node.input}
    return [node.name for node in softmax] + [
        node.name for node in graph.node if scores & set(node.output)
    ]


def _units(graph: onnx.GraphProto, output: str) -> list[onnx.NodeProto]:
    """The arithmetic with constants behind the last layer, from the output up."""
    made_by, found = Graph(graph).maker, []
    node = made_by.get(output)
    while node is not None and node.op_type in _UNITS:
        computed = [name for name in node.input if name in made_by]
        if len(computed) != 1:
            break
        found.append(node)
        node = made_by[computed[0]]
    return found


def _leave_in_float(graph: onnx.GraphProto, output: str) -> None:
    """Take the Q/DQ pair behind the last layer out.

    256 levels of logits would make ties between classes, and steps in numbers.
    """
    made_by, units = Graph(graph).maker, _units(graph, output)
    end = output
    if units:
        end = next(name for name in units[-1].input if name in made_by)
    dequantize = made_by.get(end)
    quantize_ = made_by.get(dequantize.input[0]) if dequantize is not None else None
    if dequantize is None or quantize_ is None:
        return
    if (dequantize.op_type, quantize_.op_type) != ("DequantizeLinear", "QuantizeLinear"):
        return
    layer = made_by.get(quantize_.input[0])
    if layer is None or any(
        quantize_.input[0] in node.input for node in graph.node if node is not quantize_
    ):
        return
    for i, name in enumerate(layer.output):
        if name == quantize_.input[0]:
            layer.output[i] = end
    unused = {*quantize_.input[1:], *dequantize.input[1:]}
    graph.node.remove(dequantize)
    graph.node.remove(quantize_)
    unused -= {name for node in graph.node for name in node.input}
    for tensor in [t for t in graph.initializer if t.name in unused]:
        graph.initializer.remove(tensor)
