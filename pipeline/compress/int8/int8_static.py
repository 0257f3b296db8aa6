"""Static int8: Q/DQ pairs, ranges of activations from the calibration split."""

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from ..method import Effect, Job, changed
from . import qdq
from .calibration import Range, ranges
from .saturation import saturable


def quantize(job: Job) -> Effect:
    """Write the static int8 variant.

    Raises:
        ModelError: a graph that cannot be prepared.
        NoEffectError: the model has no layer that can be quantized.
    """
    with TemporaryDirectory(dir=job.target.parent) as folder:
        prepared, model, found = calibrated(job, Path(folder))
        qdq.quantize(prepared, job.target, found, job.plan, qdq.in_float(model))
    notes = (said(job), *job.plan.why)
    count = changed(job.target, "int8-static")
    return Effect(count, notes, saturable(onnx.load(job.target)))


def calibrated(job: Job, folder: Path) -> tuple[Path, onnx.ModelProto, dict[str, Range]]:
    """The prepared file, written into a folder, the same loaded, and its ranges."""
    prepared = qdq.prepare(job.source, folder / "prepared.onnx")
    model = onnx.load(prepared)
    tensors = qdq.activations(model)
    found = ranges(prepared, tensors, job.feeds, job.calibration, percentile=job.percentile)
    return prepared, model, found


def said(job: Job) -> str:
    """How the ranges were found, in words."""
    ways = {
        "minmax": "least and greatest",
        "average": "a moving average of least and greatest",
        "percentile": f"{job.percentile:g} % of the values",
        "entropy": "least KL divergence",
        "mse": "least squared error",
    }
    samples = min(map(len, job.samples.values()))
    return f"ranges of activations: {ways[job.calibration]} over {samples} calibration samples"
