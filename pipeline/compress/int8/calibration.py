"""The ranges that activations take over a calibration set, in memory that does not grow with it.

    activation_ranges = ranges(Path("student.onnx"), ["relu"], lambda: batches(x), "percentile")
    activation_ranges["relu"]                               # Range(low=0.0, high=5.84)

A copy of the model returns the tensors as outputs. It runs one sample at a time, as the device
will, and each result is reduced at once: memory holds the activations of one sample. (ONNX
Runtime's own histogram calibrators hold those of all samples: onnxruntime #10503, 32 samples in
123 GB.) Methods with a histogram read the samples twice: the first pass finds the range, the second
counts in fixed bins. Every count is therefore exact, and neither the size nor the order of batches
changes the result; bins that grow during one pass would keep the width that the first batch set.

Methods:
- ``minmax``: the smallest and the largest value of all.
- ``average``: the mean over samples of each sample's smallest and largest value, the result of ONNX
  Runtime's ``moving_average`` for batches of one. An exponential average with the usual constant of
  0.01 would depend on the order and give the first of 64 samples half of the weight.
- ``percentile``: of the absolute value, cut to the values that occurred, as in ONNX Runtime.
- ``entropy``: the symmetric range whose 128 levels lose least information (Migacz 2017, "8-bit
  inference with TensorRT"), cut to the values that occurred, as in ONNX Runtime with
  ``ENTROPY_BINS`` bins. (ONNX Runtime's default of 128 bins leaves one candidate, the whole range.)
  Unlike there, exact zeros are not counted: they are exact in every range, and the many zeros after
  a ReLU would dominate the comparison.
- ``mse``: the least expected squared error of an asymmetric 8-bit number (Banner et al. 2018, ACIQ,
  arXiv:1810.05723, section 3), both ends free; exact zeros cost nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from ....devices.onboard.model.modelfile import printable
from ....errors import DataError
from ...recipe.compress import CalibrationMethod as Method
from . import histogram
from .activation_run import ActivationRun, Feeds
from .extremes import Extremes, extremes_of
from .histogram import Histogram

BINS = 2048
"""Of a histogram, as in ONNX Runtime's percentile calibrator."""
ENTROPY_BINS = BINS + 1
"""Odd, see ``histogram.entropy``."""
_NOTHING = 1e-30
"""A range as narrow as this would need a scale near float32's smallest numbers."""
_LARGEST = 1e30
"""Of a value that belongs into a range. What is larger means infinity, as float32's smallest number
does in a mask."""


class Range(NamedTuple):
    """The values that an activation's quantized form covers; low <= 0 <= high, low < high."""

    low: float
    high: float


def ranges(
    model: Path,
    tensors: Sequence[str],
    feeds: Feeds,
    method: Method,
    *,
    percentile: float = 99.99,
    threads: int = 1,
) -> dict[str, Range]:
    """The range of each tensor over all samples.

    Samples lie along the first axis of every input and run one by one, or as many at once as the
    model's fixed first axis. Inputs of different lengths cannot be cut and run as they are. A
    tensor that is zero throughout gets the range from 0 to 1.

    Args:
        model: an ONNX file; weights may be in external files.
        tensors: names in the main graph, of float16, float32 or float64.
        feeds: returns the batches, by input name; called twice by methods with a histogram.
        method: see the module's docstring.
        percentile: above 0, at most 100; for ``percentile`` only.
        threads: intra-op threads, at least 1.

    Returns:
        One range a tensor, in the order of ``tensors``; none for a tensor with infinity or
        a number that stands for it (`_LARGEST`), as the mask of an attention has.

    Raises:
        ValueError: a tensor is not in the graph or not of floats, or the percentile is out of
            range.
        DataError: there are no samples, the model does not accept a batch, or the second pass has
            another number of values.
        ModelError: the model does not run, or gives NaN.
    """
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile {percentile}, expected above 0 and at most 100")
    with TemporaryDirectory() as folder:
        run = ActivationRun(model, tuple(dict.fromkeys(tensors)), Path(folder), threads)
        extremes = {
            name: seen
            for name, seen in extremes_of(run, feeds).items()
            if max(-seen.low, seen.high) <= _LARGEST
        }
        if method == "minmax":
            return {name: _with_zero(seen.low, seen.high) for name, seen in extremes.items()}
        if method == "average":
            return {name: _with_zero(*seen.average()) for name, seen in extremes.items()}
        histograms = _histograms(run, feeds, method, extremes)
    return {
        name: _with_zero(*_chosen(method, histograms[name], seen, percentile))
        if name in histograms
        else _with_zero(0.0, 0.0)
        for name, seen in extremes.items()
    }


def _with_zero(low: float, high: float) -> Range:
    low, high = min(low, 0.0), max(high, 0.0)
    return Range(low, high) if high - low > _NOTHING else Range(0.0, 1.0)


def _histograms(
    run: ActivationRun, feeds: Feeds, method: Method, extremes: Mapping[str, Extremes]
) -> dict[str, Histogram]:
    """Histograms of the tensors that are not zero throughout: the second pass."""
    histograms = {
        name: _empty(method, seen)
        for name, seen in extremes.items()
        if seen.high - seen.low > _NOTHING
    }
    for name, values, _ in run.activations(feeds):
        if name in histograms and method == "percentile":
            histograms[name].add(np.abs(values))
        elif name in histograms:
            histograms[name].add(values, zeros=False)
    for name, counted in histograms.items():
        if counted.values != extremes[name].values:
            raise DataError(
                f"{counted.values} values of {printable(name)} in the second pass",
                expected=f"{extremes[name].values}, as in the first",
                where="the calibration set",
                fix="let feeds() return the same samples at each call",
            )
    return histograms


def _empty(method: Method, seen: Extremes) -> Histogram:
    farthest = max(-seen.low, seen.high)
    if method == "percentile":
        return Histogram(0.0, farthest, BINS)
    if method == "entropy":
        return Histogram(-farthest, farthest, ENTROPY_BINS)
    return Histogram(seen.low, seen.high, BINS)


def _chosen(
    method: Method, counted: Histogram, seen: Extremes, percentile: float
) -> tuple[float, float]:
    """The range that a method selects from a histogram."""
    if method == "mse":
        return histogram.least_squares(counted)
    if method == "entropy":
        far = histogram.entropy(counted)
    else:
        far = histogram.percentile(counted, percentile)
    return max(-far, seen.low), min(far, seen.high)
