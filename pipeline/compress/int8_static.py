"""Static int8: Q/DQ nodes, uint8 activations, int8 weights per channel, min-max calibration."""

from collections.abc import Iterator
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
            nodes_to_exclude=_normalization(prepared),
            calibrate_method=CalibrationMethod.MinMax,
        )
    _leave_logits_in_float(job.target)
    bits = 7 if job.reduce_range else 8
    notes = (
        f"min-max over {len(job.samples)} calibration samples",
        f"{bits}-bit weights"
        + (", for without VNNI an x86 CPU saturates 8-bit ones" if bits == 7 else ""),
    )
    return effect(job, "int8-static", notes)


def _normalization(path: Path) -> list[str]:
    """The arithmetic between the input and the first layer, by node name.

    In int8 it would cost two more roundings and two more passes over the input.
    """
    graph = onnx.load(path).graph
    reached = {graph.input[0].name}
    names = []
    for node in graph.node:
        if node.op_type in _PREPARES and reached & set(node.input):
            reached |= set(node.output)
            names.append(node.name)
    return names


def _leave_logits_in_float(path: Path) -> None:
    """Take the last Q/DQ pair out: 256 levels of logits would make ties between classes."""
    model = onnx.load(path)
    graph = model.graph
    producer = {name: node for node in graph.node for name in node.output}
    for output in graph.output:
        dequantize = producer.get(output.name)
        quantize_ = producer.get(dequantize.input[0]) if dequantize is not None else None
        if dequantize is None or quantize_ is None:
            continue
        if (dequantize.op_type, quantize_.op_type) != ("DequantizeLinear", "QuantizeLinear"):
            continue
        source = producer.get(quantize_.input[0])
        if source is None or any(
            quantize_.input[0] in n.input for n in graph.node if n is not quantize_
        ):
            continue
        for i, name in enumerate(source.output):
            if name == quantize_.input[0]:
                source.output[i] = output.name
        unused = {*quantize_.input[1:], *dequantize.input[1:]}
        graph.node.remove(dequantize)
        graph.node.remove(quantize_)
        unused -= {name for node in graph.node for name in node.input}
        for tensor in [t for t in graph.initializer if t.name in unused]:
            graph.initializer.remove(tensor)
    path.write_bytes(model.SerializeToString(deterministic=True))
