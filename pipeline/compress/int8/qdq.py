"""Add Q/DQ pairs around the layers of an ONNX graph, except where they would do harm.

    prepared = prepare(Path("fp32.onnx"), folder / "prepared.onnx")
    quantize(prepared, Path("int8.onnx"), ranges, plan, in_float(onnx.load(prepared)))

Accepts any graph of opset 13 or later, and older ones that onnx can convert.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
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
from ..inner_layers import WEIGHTED
from ..method import quiet
from ..normalize.already import refuse_quantized
from ..normalize.editing import Editor
from ..normalize.names import MARK, apart, together, unmarked
from ..normalize.opsets import converted
from ..normalize.products import plain_products
from ..normalize.sharing import separate
from ..normalize.tidying import name_operators, tidy
from .calibration import Range
from .float_types import with_float_types
from .pairs import output_in_float, products_in_float
from .saturation import fitting_scales

OPERATORS = sorted({*QDQRegistry, *QLinearOpsRegistry})
_TYPES = {"u8": QuantType.QUInt8, "s8": QuantType.QInt8}


def prepare(source: Path, target: Path) -> Path:
    """Write the graph in the form that the quantizer needs: shapes, and BatchNormalization folded.

    Args:
        source: the fp32 file.
        target: the file to write.

    Returns:
        The file written.

    Raises:
        ModelError: the graph is quantized already, its opset cannot be converted, or shape
            inference fails.
    """
    model = onnx.load(source)
    refuse_quantized(model, source)
    try:
        model = converted(model)
        tidy(Editor(model))
        # Given a model instead of a file, onnxruntime moves its weights to external data.
        onnx.save(model, target)
        with quiet():
            quant_pre_process(target, target, skip_symbolic_shape=True)
        _in_normal_form(target)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"a graph that cannot be prepared ({reason(error)})",
            where=str(source),
        ) from error
    return target


def activations(model: onnx.ModelProto, leave: Collection[str] = ()) -> list[str]:
    """Float tensors that operators to quantize read or write: those that need ranges.

    Args:
        model: as `prepare` wrote it.
        leave: operators that stay in float.
    """
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    values = [*graph.value_info, *graph.input, *graph.output]
    floats = {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    touched = {
        name
        for node in graph.node
        if node.op_type in OPERATORS and node.name not in leave
        for name in (*node.input, *node.output)
    }
    return sorted((touched & floats) - stored)


def candidates(model: onnx.ModelProto, leave: Collection[str]) -> list[str]:
    """The names of the operators to quantize."""
    nodes = model.graph.node
    return [n.name for n in nodes if n.op_type in OPERATORS and n.name not in leave]


def layers(model: onnx.ModelProto, leave: Collection[str]) -> list[onnx.NodeProto]:
    """Layers with stored weights, except those in ``leave``, in graph order."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if node.op_type in WEIGHTED and node.name not in leave and stored & set(node.input[1:2])
    ]


def with_their_own(
    model: onnx.ModelProto, layers: Sequence[onnx.NodeProto]
) -> dict[str, list[str]]:
    """By layer, its name and those of the operators before it that only it depends on.

    In int8 these operators would round the layer's input even if the layer itself is in float.
    """
    graph, ends = Graph(model.graph), {value.name for value in model.graph.output}
    return {layer.name: _with_its_own(graph, ends, layer) for layer in layers}


def _with_its_own(graph: Graph, ends: set[str], layer: onnx.NodeProto) -> list[str]:
    own, waiting = {layer.name: None}, list(layer.input)
    while waiting:
        node = graph.maker.get(waiting.pop())
        if node is None or node.op_type in WEIGHTED or node.name in own:
            continue
        readers = {reader.name for name in node.output for reader, _ in graph.takers.get(name, ())}
        if readers <= own.keys() and ends.isdisjoint(node.output):
            own[node.name] = None
            waiting += node.input
    return list(own)


def quantize(
    prepared: Path,
    target: Path,
    ranges: Mapping[str, Range],
    plan: Plan,
    leave: Collection[str],
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

    Raises:
        ModelError: the quantizer cannot take the graph.
    """
    model = onnx.load(prepared)
    wanted = candidates(model, leave)
    limited = {n.output[0] for n in model.graph.node if n.op_type in ("Relu", "Clip")}
    names = apart(model)
    try:
        quantized = _pairs_added(model, ranges, plan, leave, only)
    except MemoryError:
        raise
    except Exception as error:  # The quantizer's errors share no narrower class.
        raise ModelError(reason_of(error), where=str(prepared)) from error
    together(quantized, names)
    for output in quantized.graph.output:
        output_in_float(quantized.graph, output.name, limited)
    products_in_float(quantized.graph, set(only or wanted), limited)
    del quantized.metadata_props[:]
    used = {"", *(node.domain for node in quantized.graph.node)}
    for unused in [opset for opset in quantized.opset_import if opset.domain not in used]:
        quantized.opset_import.remove(unused)
    target.write_bytes(quantized.SerializeToString(deterministic=True))


def _pairs_added(
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    plan: Plan,
    leave: Collection[str],
    only: Sequence[str],
) -> onnx.ModelProto:
    """The marked model with pairs, by onnxruntime's quantizer."""
    bounds = {n + MARK: (np.float32(low), np.float32(high)) for n, (low, high) in ranges.items()}
    with quiet():
        quantizer = _Quantizer(
            model,
            plan.per_channel,
            plan.weight_bits == 7,
            _TYPES[plan.weights],
            _TYPES[plan.activations],
            TensorsData(CalibrationMethod.MinMax, bounds),
            [name + MARK for name in only],
            [name + MARK for name in leave],
            OPERATORS,
            {"TensorQuantOverrides": _overrides(model)} if plan.pairs_fit else {},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    made: onnx.ModelProto = quantizer.model.model
    return made


class _Quantizer(QDQQuantizer):  # type: ignore[misc]  # onnxruntime has no types
    """Leaves the bias of a grouped ConvTranspose in float.

    Its weights are stored [inputs, outputs / groups, *kernel]: one scale serves a channel of every
    group, so there are fewer scales than biases, and the quantizer fails on that.
    """

    def __init__(self, model: onnx.ModelProto, *settings: Any) -> None:
        super().__init__(model, *settings)
        self._left = {
            node.name
            for node in model.graph.node
            if node.op_type == "ConvTranspose"
            and any(a.name == "group" and a.i > 1 for a in node.attribute)
        }

    def quantize_bias_tensor(
        self, node_name: str, bias_name: str, input_name: str, weight_name: str, beta: float = 1.0
    ) -> None:
        if node_name not in self._left:
            super().quantize_bias_tensor(node_name, bias_name, input_name, weight_name, beta)


def reason_of(error: Exception) -> str:
    """What a quantizer failed with, in one line and with the model's own names."""
    return f"{type(error).__name__}: {unmarked(reason(error))}"


def _in_normal_form(prepared: Path) -> None:
    """Undo what the preparation adds: operators without a name, a Gemm with a bias of any shape."""
    model = onnx.load(prepared)
    editor = Editor(model)
    name_operators(editor)
    plain_products(editor)
    separate(editor)
    with TemporaryDirectory(dir=prepared.parent) as folder:
        typed = with_float_types(model, Path(folder))
    onnx.save(typed, prepared)


def _overrides(model: onnx.ModelProto) -> dict[str, list[dict[str, Any]]]:
    """The scales of weights by channel, in the quantizer's form."""
    return {
        name: [
            {"axis": axis, "quant_type": QuantType.QInt8, "scale": scale, "zero_point": np.int8(0)}
            for scale in scales
        ]
        for name, (axis, scales) in fitting_scales(model).items()
    }
