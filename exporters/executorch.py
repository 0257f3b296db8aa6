"""``.pte`` files for ExecuTorch, for XNNPACK on CPUs, made from torch modules."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from .from_torch import Format, from_torch, rounded_again
from .package import File, Finished, Job, NotCarried, Package

FORMAT = Format(
    name="executorch",
    title="ExecuTorch",
    suffix=".pte",
    schemes={"fp32": "float32", "int8-static": "int8-static", "int8-dynamic": "int8-dynamic"},
    reasons={
        "fp16": "its inputs would be half floats, too, and all formats of a build take float32",
        "int8-weights": "XNNPACK takes int8 weights only with int8 activations",
    },
)


def packages(job: Job) -> dict[str, Package | NotCarried]:
    """Convert the models that ExecuTorch can carry; of the others, why not.

    int8 is made from fp32 by PT2E with ExecuTorch's XNNPACK quantizer. What XNNPACK does not take
    is computed by ExecuTorch's portable kernels, which are slow, so the package says what it is.

    Raises:
        HostError: the toolchain is not set up.
        ModelError: fp32 cannot be converted.
    """
    return from_torch(FORMAT, job, partial(_package, job))


def _package(job: Job, model: Finished, answer: Mapping[str, Any], scheme: str) -> Package:
    file = job.folder / f"{model.name}{FORMAT.suffix}"
    return Package(
        format=FORMAT.name,
        title=FORMAT.title,
        suffix=FORMAT.suffix,
        model=File.of(file),
        runtime="executorch",
        answers_hold=True,
        about=f"The .pte file is made by {answer['by']}, with a fixed batch. "
        + _left(answer["not_delegated"][model.name])
        + rounded_again(model),
        # Not every product of an int8 file is one of int8: the quantizer takes what it knows.
        computes_in="float32" if scheme == "float32" else None,
    )


def _left(operators: Mapping[str, int]) -> str:
    """What is not delegated to XNNPACK, from the number of nodes by operator."""
    if not operators:
        return "All its nodes are delegated to XNNPACK."
    number = sum(operators.values())
    are = "1 node is" if number == 1 else f"{number} nodes are"
    each = ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in operators.items())
    return f"{are} not delegated to XNNPACK but computed by portable kernels: {each}."
