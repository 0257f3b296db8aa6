"""Static int8: Q/DQ nodes, uint8 activations, int8 weights per channel, min-max calibration."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from .method import Effect, Job, effect, quiet

BATCH = 32
_PREPARES = ("Cast", "Mul", "Add", "Unsqueeze", "Transpose")
"""What ``models.deployed`` puts in front of the first layer."""
_UNITS = ("Mul", "Add")
"""What it puts behind the last layer of a regression."""


class Samples(CalibrationDataReader):  # type: ignore[misc]
    """Feeds the calibration split in small batches."""

    def __init__(self, name: str, samples: NDArray[Any]) -> None:
        self._batches = self._cut(name, samples)

    @staticmethod
    def _cut(name: str, samples: NDArray[Any]) -> Iterator[dict[str, NDArray[Any]]]:
        for start in range(0, len(samples), BATCH):
            yield {name: np.ascontiguousarray(samples[start : start + BATCH])}

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next batch, or None at the end; the name is the quantizer's."""
        return next(self._batches, None)


def quantize(job: Job) -> Effect:
    """Write the static int8 variant.

    Raises:
        NoEffectError: the model has no layer that can be quantized.
    """
    name = onnx.load(job.source).graph.input[0].name
    with quiet(), TemporaryDirectory(dir=job.target.parent) as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(job.source, prepared)
        quantize_static(
            prepared,
            job.target,
            Samples(name, job.samples),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=job.reduce_range,
            nodes_to_exclude=_in_float(prepared),
            calibrate_method=CalibrationMethod.MinMax,
        )
    _leave_outputs_in_float(job.target)
    bits = 7 if job.reduce_range else 8
    notes = (
        f"min-max over {len(job.samples)} calibration samples",
        f"{bits}-bit weights"
        + (", for without VNNI an x86 CPU saturates 8-bit ones" if bits == 7 else ""),
    )
    return effect(job, "int8-static", notes)


def _in_float(path: Path) -> list[str]:
    """Nodes that stay as they are, by name."""
    graph = onnx.load(path).graph
    return [*_normalization(graph), *_attention(graph), *(n.name for n in _units(graph))]


def _normalization(graph: onnx.GraphProto) -> list[str]:
    """The arithmetic between the input and the first layer.

    In int8 it would cost two more roundings and two more passes over the input.
    """
    reached = {graph.input[0].name}
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


def _units(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The arithmetic with constants behind the last layer, from the output up."""
    made_by, found = _producers(graph), []
    node = made_by.get(graph.output[0].name)
    while node is not None and node.op_type in _UNITS:
        computed = [name for name in node.input if name in made_by]
        if len(computed) != 1:
            break
        found.append(node)
        node = made_by[computed[0]]
    return found


def _producers(graph: onnx.GraphProto) -> Mapping[str, onnx.NodeProto]:
    return {name: node for node in graph.node for name in node.output}


def _leave_outputs_in_float(path: Path) -> None:
    """Take the Q/DQ pair behind the last layer out.

    256 levels of logits would make ties between classes, and steps in numbers.
    """
    model = onnx.load(path)
    graph = model.graph
    made_by, units = _producers(graph), _units(graph)
    end = graph.output[0].name
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
    path.write_bytes(model.SerializeToString(deterministic=True))
