"""Static int8: Q/DQ pairs, with ranges of activations from the calibration split.

effect = quantize(job)
"""

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
        ModelError: the graph cannot be prepared.
        NoEffectError: the model has no layer that can be quantized.
    """
    with TemporaryDirectory(dir=job.target.parent) as folder:
        prepared, model, activation_ranges = calibrated(job, Path(folder))
        qdq.quantize(prepared, job.target, activation_ranges, job.plan, qdq.in_float(model))
    notes = (ranges_note(job), *job.plan.why)
    count = changed(job.target, "int8-static")
    return Effect(count, notes, saturable(onnx.load(job.target)))


def calibrated(job: Job, folder: Path) -> tuple[Path, onnx.ModelProto, dict[str, Range]]:
    """Prepare and calibrate: the prepared file in a folder, the loaded model, and its ranges."""
    prepared = qdq.prepare(job.source, folder / "prepared.onnx")
    model = onnx.load(prepared)
    tensors = qdq.activations(model)
    activation_ranges = ranges(
        prepared, tensors, job.feeds, job.calibration, percentile=job.percentile
    )
    return prepared, model, activation_ranges


def ranges_note(job: Job) -> str:
    """The method of calibration, as a sentence for the report."""
    ways = {
        "minmax": "smallest and largest value",
        "average": "mean of the smallest and of the largest values",
        "percentile": f"{job.percentile:g} % of the values",
        "entropy": "least KL divergence",
        "mse": "least squared error",
    }
    samples = min(map(len, job.samples.values()))
    return f"ranges of activations: {ways[job.calibration]} over {samples} calibration samples"
