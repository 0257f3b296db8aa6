"""What every compression method is given and must prove."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...devices.onboard.runtimes.onnxruntime import open_session, run_once
from ...devices.onboard.settings import Session
from ...errors import NoEffectError
from ..recipe.compress import CalibrationMethod, FusionTool
from ..records import Left, Plan, Saturable
from .parity import Feed, batches

Outputs = NDArray[np.float32]
BATCH = 32
"""Samples shown at once."""


@dataclass(frozen=True, slots=True)
class Job:
    """One compression.

    Attributes:
        source: the fp32 file.
        target: the file to write.
        samples: of the calibration split, by the model's input, [n, …] as that takes them.
        plan: how int8 is done for the target.
        calibration: how ranges of activations are found.
        percentile: of them, where that is how.
        lost: ``(fp32's outputs, the file's)`` on the samples, of the model's first output: what
            was lost, 0 for nothing.
        most_lost: what may be lost.
        pad: the id of padding, of a model of tokens that finds its mask itself.
        fusion: who may fuse a transformer.
        known: fp32's outputs on the samples, where they have been worked out already.
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
    known: Outputs | None = None

    def feeds(self) -> Iterator[Feed]:
        """The samples in batches, by input; may be asked for again."""
        return batches(self.samples, BATCH)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a method did.

    Attributes:
        changed_nodes: nodes that are of another kind than in fp32.
        notes: what the reader should know.
        saturable: layers that can saturate on an x86 CPU without VNNI.
        curve: of mixed precision, what was tried.
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


def changed(target: Path, name: str) -> int:
    """Count the quantized nodes in a written file.

    Raises:
        NoEffectError: there are none.
    """
    nodes = onnx.load(target, load_external_data=False).graph.node
    count = sum(node.op_type in QUANTIZED for node in nodes)
    if count == 0:
        raise NoEffectError(
            found=f"{name} changed none of {len(nodes)} nodes",
            expected="layers it can quantize",
            where="compress.variants",
            fix=f"leave {name!r} out of compress.variants",
        )
    return count


def answers(path: Path, job: Job) -> Outputs:
    """The first output of a file for all samples, in the mode that the plan's answers are in."""
    session = open_session(path, Session(precise=job.plan.precise))
    return np.concatenate([run_once(session, feed, path)[0] for feed in job.feeds()])


def fp32_answers(job: Job) -> Outputs:
    """The same of the fp32 file, worked out once where several methods are tried on it."""
    return answers(job.source, job) if job.known is None else job.known


@contextmanager
def quiet() -> Iterator[None]:
    """The quantizer logs advice meant for its own command line to the root logger."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
