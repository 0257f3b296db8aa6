"""Static int8: Q/DQ pairs, with ranges of activations from the calibration split.

effect = quantize(job)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from ....devices.onboard.model.modelfile import printable
from ....devices.onboard.runtimes import load
from ....devices.onboard.settings import Session
from ....errors import ModelError
from ...records import Plan
from ..method import Effect, Job, changed
from ..parity import Feed
from . import qdq
from .calibration import Range, ranges
from .float_layers import float_layers
from .kept_float import in_float, touching
from .refused import refused_nodes
from .saturation import saturable


@dataclass(frozen=True)
class Calibrated:
    """A prepared file, and what quantizing it needs.

    Attributes:
        file: as `qdq.prepare` wrote it.
        model: the same, loaded.
        ranges: of every tensor that may be quantized.
        leave: operators that stay in float.
        notes: why some of them do.
    """

    file: Path
    model: onnx.ModelProto
    ranges: Mapping[str, Range]
    leave: tuple[str, ...]
    notes: tuple[str, ...]


def quantize(job: Job) -> Effect:
    """Write the static int8 variant.

    Raises:
        ModelError: the graph cannot be prepared.
        NoEffectError: the model has no layer that can be quantized.
    """
    with TemporaryDirectory(dir=job.target.parent) as folder:
        prepared = calibrated(job, Path(folder))
        left = quantize_rest(prepared, job.target, job.plan, next(job.feeds()))
    count = changed(job.target, "int8-static")
    model = onnx.load(job.target)
    notes = (ranges_note(job), *prepared.notes, *left.notes, *float_layers(model))
    return Effect(count, (*notes, *job.plan.why), saturable(model))


def calibrated(job: Job, folder: Path) -> Calibrated:
    """Prepare and calibrate, in a folder."""
    file = qdq.prepare(job.source, folder / "prepared.onnx")
    model = onnx.load(file)
    leave, notes = in_float(model), list[str]()
    tensors = qdq.activations(model, leave)
    found = ranges(file, tensors, job.queries, job.calibration, percentile=job.percentile)
    infinite = set(tensors) - found.keys()
    if infinite:
        beside = [name for name in touching(model.graph, infinite) if name not in leave]
        leave += beside
        notes.append(
            f"{len(beside)} operators stay in float, for {printable(min(infinite))} is infinite on "
            "the samples"
        )
    return Calibrated(file, model, found, tuple(leave), tuple(notes))


def quantize_rest(prepared: Calibrated, target: Path, plan: Plan, feed: Feed) -> Calibrated:
    """Write a file with everything in int8 that the quantizer and the runtime can take.

    Args:
        prepared: the file and what stays in float in any case.
        target: the file to write.
        plan: types and bits.
        feed: a query that the file must answer.

    Returns:
        The same with the operators that also stay in float, and notes on those alone.
    """

    def attempt(only: Sequence[str]) -> str | None:
        try:
            qdq.quantize(prepared.file, target, prepared.ranges, plan, prepared.leave, only)
            for level in ("none", "all"):
                load(target, Session(optimization=level, precise=plan.precise)).answer(feed)
        except ModelError as error:
            return error.found
        return None

    wanted = qdq.candidates(prepared.model, prepared.leave)
    bad = refused_nodes(wanted, attempt)
    kinds = {node.name: node.op_type for node in prepared.model.graph.node}
    notes = tuple(
        f"{kinds[name]} {printable(name)} stays in float: it cannot be quantized ({why})"
        for name, why in bad.items()
    )
    if not set(wanted) - bad.keys():
        qdq.quantize(
            prepared.file,
            target,
            prepared.ranges,
            plan,
            [n.name for n in prepared.model.graph.node],
        )
    leave = (*prepared.leave, *bad)
    return Calibrated(prepared.file, prepared.model, prepared.ranges, leave, notes)


def ranges_note(job: Job) -> str:
    """The method of calibration, as a sentence for the report."""
    ways = {
        "minmax": "smallest and largest value",
        "average": "mean of the smallest and of the largest values",
        "percentile": f"{job.percentile:g} % of the values",
        "entropy": "least KL divergence",
        "mse": "least squared error",
    }
    return f"ranges of activations: {ways[job.calibration]} over {job.count} calibration samples"
