"""What every compression method is given and must prove."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

from ...errors import NoEffectError


@dataclass(frozen=True, slots=True)
class Job:
    """One compression.

    Attributes:
        source: the fp32 file.
        target: the file to write.
        samples: of the calibration split, as the model's input takes them.
        reduce_range: 7-bit weights.
    """

    source: Path
    target: Path
    samples: NDArray[Any]
    reduce_range: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """What a method did."""

    changed_nodes: int
    notes: tuple[str, ...]


QUANTIZED = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "ConvInteger",
)


def effect(job: Job, name: str, notes: tuple[str, ...]) -> Effect:
    """Count the quantized nodes in the written file.

    Raises:
        NoEffectError: there are none.
    """
    nodes = onnx.load(job.target).graph.node
    changed = sum(node.op_type in QUANTIZED for node in nodes)
    if changed == 0:
        raise NoEffectError(
            found=f"{name} changed none of {len(nodes)} nodes",
            expected="layers it can quantize",
            where="compress.variants",
            fix=f"leave {name!r} out of compress.variants",
        )
    return Effect(changed, notes)


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
