"""The input and the result of every compression method.

effect = METHODS["int8-static"](job)
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...devices.onboard.runtimes import load
from ...devices.onboard.settings import Session
from ...errors import NoEffectError
from ..judge.output_loss import Answers, losses
from ..recipe.compress import CalibrationMethod, FusionTool
from ..records import Left, OutputLoss, Plan, Saturable
from .parity import Feed, batches, cut

BATCH = 32
"""Samples a run."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a file answers to all samples.

    Attributes:
        by_name: of each output what it gave to each batch: arrays, or sequences and maps.
        batches: the number of samples in each batch.
    """

    by_name: Answers
    batches: tuple[int, ...]

    def whole(self, name: str) -> NDArray[Any]:
        """One output for all samples, joined along the first axis."""
        return np.concatenate(self.by_name[name])

    def losses(self, of: "Outputs") -> tuple[OutputLoss, ...]:
        """How far each output is from that of the source, whose answers these are not."""
        return losses(of.by_name, self.by_name, self.batches)


@dataclass(frozen=True, slots=True)
class Job:
    """One compression.

    Attributes:
        source: the fp32 file.
        target: the file to write.
        samples: samples of the calibration split [n, …], by name of the model's input; `Samples`
            where they are cut otherwise than along the first axis.
        plan: types and bits of int8 for the target.
        calibration: the method that finds ranges of activations.
        percentile: percentile of activations, for that method.
        lost: loss of a file, from the outputs of fp32 and of the file on the samples; 0 for no
            loss.
        most_lost: the largest loss allowed.
        pad: the id of padding, if the model derives its mask from token ids; else None.
        fusion: the tool that fuses transformers.
        fp32_outputs: outputs of fp32 on the samples, if already computed.
    """

    source: Path
    target: Path
    samples: Mapping[str, NDArray[Any]]
    plan: Plan
    calibration: CalibrationMethod
    percentile: float
    lost: Callable[[Outputs, Outputs], float]
    most_lost: float
    pad: int | None = None
    fusion: FusionTool = "onnxruntime"
    fp32_outputs: Outputs | None = None

    def feeds(self) -> Iterator[Feed]:
        """The samples in batches, by input; starts anew at each call."""
        return batches(self.samples, BATCH)

    def queries(self) -> Iterator[Feed]:
        """The same one sample at a time, or as few as the model takes."""
        return batches(self.samples, 1)

    @property
    def count(self) -> int:
        """The number of samples."""
        return cut(self.samples).count


@dataclass(frozen=True, slots=True)
class Effect:
    """The result of a method.

    Attributes:
        changed_nodes: nodes whose type differs from fp32.
        notes: sentences for the report.
        saturable: layers that can saturate on an x86 CPU without VNNI.
        curve: the steps of mixed precision.
    """

    changed_nodes: int
    notes: tuple[str, ...]
    saturable: tuple[Saturable, ...] = ()
    curve: tuple[Left, ...] = ()


QUANTIZED = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "ConvInteger",
)


def changed(target: Path, name: str, expected: str = "layers it can quantize") -> int:
    """Count the quantized nodes in a written file.

    Args:
        target: the file.
        name: of the method.
        expected: what the model would have to have.

    Raises:
        NoEffectError: there is none.
    """
    nodes = onnx.load(target, load_external_data=False).graph.node
    count = sum(node.op_type in QUANTIZED for node in nodes)
    if count == 0:
        raise NoEffectError(
            found=f"{name} changed none of {len(nodes)} nodes",
            expected=expected,
            where="compress.variants",
            fix=f"leave {name!r} out of compress.variants",
        )
    return count


def answers(path: Path, job: Job, *, optimization: str = "all") -> Outputs:
    """Every output of a file for all samples, saturation-free if the plan says so."""
    model = load(path, Session(precise=job.plan.precise, optimization=optimization))
    feeds = list(job.feeds())
    answered = zip(*(model.answer(feed) for feed in feeds), strict=True)
    return Outputs(
        dict(zip((port.name for port in model.outputs), answered, strict=True)),
        cut(job.samples).sizes(BATCH),
    )


def fp32_answers(job: Job) -> Outputs:
    """The outputs of the fp32 file, computed only if the job does not have them."""
    return answers(job.source, job) if job.fp32_outputs is None else job.fp32_outputs


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the quantizer, which logs advice for its own command line to the root logger."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
