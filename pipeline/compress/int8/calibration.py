"""The ranges that activations take over a calibration set, in memory that does not grow with it.

    found = ranges(Path("student.onnx"), ["relu", "logits"], lambda: batches(x), "percentile")
    found["relu"]                               # Range(low=0.0, high=5.84)

A copy of the model gives the tensors as outputs and sees one sample at a time, as the device will;
each is reduced at once, so what is held is one sample's activations. (ONNX Runtime's own histogram
calibrators hold those of all samples: onnxruntime #10503, 32 samples in 123 GB.) Methods that need
a histogram go over the samples twice: the first pass finds the range, the second counts in bins
that are fixed from then on. So every count is exact, and neither the size nor the order of the
caller's batches shows in the result; bins that grow along the way would keep the first batch's
width for ever.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from ....devices.onboard.model.inputs import check_batch
from ....devices.onboard.model.modelfile import Input, check_external_data, load, printable
from ....devices.onboard.runtimes import onnxruntime as runtime
from ....devices.onboard.settings import Session
from ....errors import DataError, ModelError
from ...recipe.compress import CalibrationMethod as Method
from . import histogram
from .histogram import Histogram

Feeds = Callable[[], Iterable[Mapping[str, NDArray[Any]]]]
"""Starts the calibration set anew at each call; batches of any size, one array an input."""

BINS = 2048
"""Of a histogram; as ONNX Runtime's percentile calibrator has."""
ENTROPY_BINS = BINS + 1
"""Odd, see ``histogram.entropy``."""
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_NOTHING = 1e-30
"""A range as narrow as this leaves a scale next to float32's smallest numbers."""


class Range(NamedTuple):
    """What an activation's quantized form spans; zero is always in it, and high is above low."""

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

    Samples lie along the first axis of every input and are run one by one, or by as many as the
    model's fixed first axis takes. Inputs of different lengths cannot be cut and run as they come.

    - ``minmax``: the smallest and the largest value of all.
    - ``average``: the mean over samples of each sample's smallest and largest value. What ONNX
      Runtime's ``moving_average`` gives for batches of one. An exponential average with the usual
      constant of 0.01 would give the first of 64 samples half of the weight, and heed their order.
    - ``percentile``: of the absolute value, cut to what occurred; as ONNX Runtime's calibrator.
    - ``entropy``: the symmetric range whose 128 levels lose least information (Migacz 2017, "8-bit
      inference with TensorRT"), cut to what occurred; as ONNX Runtime's calibrator told to use
      ``ENTROPY_BINS`` bins, whose own default of 128 bins leaves it one candidate, the whole range.
      Unlike it, exact zeros are not counted: they are exact in every range, and the many behind a
      ReLU drown what is to be compared.
    - ``mse``: least expected squared error of an asymmetric 8-bit number (Banner et al. 2018, ACIQ,
      arXiv:1810.05723, section 3), both ends free; exact zeros cost nothing.

    A tensor that is zero throughout gets the range from 0 to 1.

    Args:
        model: an ONNX file; weights may lie beside it.
        tensors: names in the main graph, of float16, float32 or float64.
        feeds: gives the batches, by input name; asked twice by the last three methods.
        method: one of the above.
        percentile: above 0, at most 100; for ``percentile`` alone.
        threads: ONNX Runtime's, at least 1.

    Returns:
        One range a tensor, in the order asked for.

    Raises:
        ValueError: a tensor that is not in the graph or not of floats, a percentile out of range.
        DataError: no samples, a batch that the model does not take, or another number of values in
            the second pass.
        ModelError: a model that does not run, or gives NaN or infinity.
    """
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile {percentile}, expected above 0 and at most 100")
    with TemporaryDirectory() as folder:
        probe = _Probe(model, tuple(dict.fromkeys(tensors)), Path(folder), threads)
        seen = _extremes(probe, feeds)
        if method == "minmax":
            return {name: _with_zero(one.low, one.high) for name, one in seen.items()}
        if method == "average":
            return {name: _with_zero(*one.average()) for name, one in seen.items()}
        counted = _histograms(probe, feeds, method, seen)
    return {
        name: _with_zero(*_chosen(method, counted[name], one, percentile))
        if name in counted
        else _with_zero(0.0, 0.0)
        for name, one in seen.items()
    }


def _with_zero(low: float, high: float) -> Range:
    low, high = min(low, 0.0), max(high, 0.0)
    return Range(low, high) if high - low > _NOTHING else Range(0.0, 1.0)


# --- running -----------------------------------------------------------------------------------


class _Probe:
    """A model that shows its activations, sample by sample."""

    def __init__(self, model: Path, names: tuple[str, ...], folder: Path, threads: int) -> None:
        self.model = model
        self.names = names
        # Without optimization the tensors are those of the file, as other calibrators see them.
        self.session = runtime.open_session(
            _exposed(model, names, folder), Session(threads=threads, optimization="none")
        )
        self.schema = runtime.inputs_of(self.session)
        self.dtypes = [runtime.dtype_of(one) for one in self.schema]
        given = runtime.outputs_of(self.session)
        self.outputs = [one.name for one in given]
        types = {one.name: one.type for one in (*self.schema, *given)}
        for name in names:
            if types[name] not in _FLOATS:
                raise ValueError(f"{printable(name)} is a {types[name]}, expected floats")

    def activations(self, feeds: Feeds) -> Iterator[tuple[str, NDArray[np.floating[Any]], str]]:
        """Every tensor of every run: its name, its values, and the batch for a message."""
        for number, feed in enumerate(feeds()):
            where = f"batch {number}, counted from 0"
            for sample in _samples(feed, self.schema, where):
                check_batch(sample, self.schema, self.dtypes, where)
                found = runtime.run_once(self.session, sample, self.model)
                by_name = {**sample, **dict(zip(self.outputs, found, strict=True))}
                for name in self.names:
                    yield name, by_name[name], where


def _exposed(model: Path, names: Sequence[str], folder: Path) -> Path:
    """A copy of the model whose outputs are the tensors, as far as they are not inputs."""
    for file in check_external_data(model):
        copy = folder / file.relative_to(model.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copyfile(file, copy)
    proto = load(model)
    graph = proto.graph
    stored = {one.name for one in graph.initializer} | {
        one.values.name for one in graph.sparse_initializer
    }
    inputs = {one.name for one in graph.input} - stored
    known = {name for node in graph.node for name in node.output if name} | stored | inputs
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            meant = f"; did you mean {printable(close[0])}?" if close else ""
            raise ValueError(f"no tensor {printable(name)} in {model}{meant}")
    wanted = [name for name in names if name not in inputs]
    if wanted:
        del graph.output[:]
        # A name is enough: ONNX Runtime infers the type.
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    target = folder / model.name
    target.write_bytes(proto.SerializeToString())
    return target


def _samples(
    feed: Mapping[str, NDArray[Any]], schema: Sequence[Input], where: str
) -> Iterator[Mapping[str, NDArray[Any]]]:
    """A batch cut along the first axis into what the model takes in one run."""
    lengths = {len(one) for one in feed.values() if one.ndim}
    fixed = {one.shape[0] for one in schema if one.shape and isinstance(one.shape[0], int)}
    if len(lengths) != 1 or len(fixed) > 1:
        yield feed
        return
    length, step = lengths.pop(), fixed.pop() if fixed else 1
    if length % step:
        raise DataError(
            f"{length} samples",
            expected=f"a multiple of {step}, the model's fixed first axis",
            where=where,
        )
    for start in range(0, length, step):
        yield {name: one[start : start + step] if one.ndim else one for name, one in feed.items()}


# --- first pass: extremes ----------------------------------------------------------------------


@dataclass(slots=True)
class _Extremes:
    """Of one tensor. Zero counts as seen, for every range must hold it."""

    low: float = 0.0
    high: float = 0.0
    values: int = 0
    _runs: int = 0
    _lows: float = 0.0
    _highs: float = 0.0

    def add(self, low: float, high: float, values: int) -> None:
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.values += values
        self._runs += 1
        self._lows += low
        self._highs += high

    def average(self) -> tuple[float, float]:
        runs = max(self._runs, 1)
        return self._lows / runs, self._highs / runs


def _extremes(probe: _Probe, feeds: Feeds) -> dict[str, _Extremes]:
    seen = {name: _Extremes() for name in probe.names}
    ran = False
    for name, values, where in probe.activations(feeds):
        ran = True
        if not values.size:
            continue
        low, high = float(values.min()), float(values.max())
        if not (isfinite(low) and isfinite(high)):  # NaN is its own minimum
            raise ModelError(
                f"NaN or infinity in tensor {printable(name)}",
                where=f"{probe.model}: {where}",
                fix="look for the sample that causes it, or mend the model",
            )
        seen[name].add(low, high, values.size)
    if not ran and probe.names:
        raise DataError("no samples", expected="at least one", where="the calibration set")
    return seen


# --- second pass: histograms -------------------------------------------------------------------


def _histograms(
    probe: _Probe, feeds: Feeds, method: Method, seen: Mapping[str, _Extremes]
) -> dict[str, Histogram]:
    """Histograms of the tensors that are not zero throughout."""
    counted = {
        name: _empty(method, one) for name, one in seen.items() if one.high - one.low > _NOTHING
    }
    for name, values, _ in probe.activations(feeds):
        if name in counted and method == "percentile":
            counted[name].add(np.abs(values))
        elif name in counted:
            counted[name].add(values, zeros=False)
    for name, one in counted.items():
        if one.values != seen[name].values:
            raise DataError(
                f"{one.values} values of {printable(name)} in the second pass",
                expected=f"{seen[name].values}, as in the first",
                where="the calibration set",
                fix="let feeds() start the same samples anew at each call",
            )
    return counted


def _empty(method: Method, seen: _Extremes) -> Histogram:
    farthest = max(-seen.low, seen.high)
    if method == "percentile":
        return Histogram(0.0, farthest, BINS)
    if method == "entropy":
        return Histogram(-farthest, farthest, ENTROPY_BINS)
    return Histogram(seen.low, seen.high, BINS)


def _chosen(
    method: Method, counted: Histogram, seen: _Extremes, percentile: float
) -> tuple[float, float]:
    """The range that a method takes out of a histogram."""
    if method == "mse":
        return histogram.least_squares(counted)
    if method == "entropy":
        far = histogram.entropy(counted)
    else:
        far = histogram.percentile(counted, percentile)
    return max(-far, seen.low), min(far, seen.high)
