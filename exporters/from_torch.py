"""What formats that are made of torch modules share: which models they carry, and the request.

FORMAT = Format("litert", "LiteRT", ".tflite", {"fp32": "float32"})
packages = from_torch(FORMAT, job, package)
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ModelError
from .conversion import convert
from .interface import INPUT
from .package import Finished, Job, NotCarried, Package
from .program import save_program

FP32 = "fp32"


@dataclass(frozen=True, slots=True)
class Format:
    """A format whose files are made of torch modules.

    Attributes:
        name: its key in ``EXPORTERS``, and the module of its converter.
        title: what a reader calls it.
        suffix: of the file that the converter writes.
        schemes: how a variant is made, by the variant's name; one that brings a torch module is
            made as ``fp32`` is.
        toolchain: whose interpreter the converter runs in; None: that of the format's name.
        reasons: why a variant is not carried, by its name, where there is more to say than that
            its torch module is not kept.
    """

    name: str
    title: str
    suffix: str
    schemes: Mapping[str, str]
    toolchain: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


Describe = Callable[[Finished, Mapping[str, Any], str], Package]
"""The package of a model whose file was written, from the converter's answer and the scheme."""
Scheme = Callable[[Finished, Job, Format], str | None]
"""How a model is made; None: it is not carried."""


def scheme_of(model: Finished, job: Job, format_: Format) -> str | None:
    """The scheme by the variant's name; what was trained with rounding is rounded again."""
    if model.module is not None:
        return format_.schemes[FP32]
    if model.floats is not None:
        return format_.schemes.get("int8-static")
    if model.name not in sources(job):
        return None
    return format_.schemes.get(model.name)


def from_torch(
    format_: Format, job: Job, describe: Describe, scheme_of: Scheme = scheme_of
) -> dict[str, Package | NotCarried]:
    """Convert the models that a format can carry; of the others, why not.

    Raises:
        HostError: the toolchain is not set up.
        ModelError: fp32 cannot be converted.
    """
    carried = {model.name: way for model in job.models if (way := scheme_of(model, job, format_))}
    if not carried:
        return {model.name: NotCarried(why_not(model, format_)) for model in job.models}
    with tempfile.TemporaryDirectory(prefix="edgestill-") as work:
        wanted = request(job, carried, Path(work), format_.suffix)
        toolchain = format_.toolchain or format_.name
        answer = convert(toolchain, wanted, Path(work), job.log, converter=format_.name)
    refused: dict[str, str] = answer["refused"]
    if FP32 in refused:
        raise ModelError(f"cannot be converted to {format_.suffix} ({refused[FP32]})", where=FP32)
    return {
        model.name: describe(model, answer, carried[model.name])
        if model.name in carried and model.name not in refused
        else NotCarried(refused.get(model.name) or why_not(model, format_))
        for model in job.models
    }


def request(job: Job, carried: Mapping[str, str], work: Path, suffix: str) -> dict[str, Any]:
    """What the converter gets: each torch module once, and the calibration samples.

    Args:
        job: the models.
        carried: how each is made, by the variant's name.
        work: the folder for the modules and the samples.
        suffix: of the files to write.
    """
    import numpy as np

    if job.calibration is None:
        raise ModelError("no calibration samples", where="export.formats")
    np.savez(work / "calibration.npz", allow_pickle=False, x=job.calibration)
    programs: dict[str, str] = {}
    models = []
    for model in job.models:
        if model.name not in carried:
            continue
        source = sources(job)[model.name]
        if source not in programs:
            programs[source] = f"{source}.pt2"
            module = next(m.module or m.floats for m in job.models if m.name == source)
            save_program(module, job.calibration[:1], job.batch, work / programs[source])
        target = str((job.folder / f"{model.name}{suffix}").resolve())
        models.append(
            {
                "name": model.name,
                "program": programs[source],
                "scheme": carried[model.name],
                "target": target,
                "ranges": _learned(model, work),
            }
        )
    return {
        "models": models,
        "batch": job.batch,
        "input": INPUT,
        "output": job.output,
        "axes": job.axes,
    }


def _learned(model: Finished, work: Path) -> str | None:
    """The file with what was learned of a model's activations."""
    if model.ranges is None:
        return None
    name = f"{model.name}.ranges.npz"
    model.ranges.write(work / name)
    return name


def sources(job: Job) -> dict[str, str]:
    """By variant the model whose torch module it is made of: its own, else fp32."""
    modules = {m.name for m in job.models if m.module is not None or m.floats is not None}
    found = {m.name: m.name if m.name in modules else FP32 for m in job.models}
    return {name: source for name, source in found.items() if source in modules}


def rounded_again(model: Finished, learned: Sequence[int] | None = None) -> str:
    """A sentence on a variant that was trained with rounding; of others none.

    Args:
        model: the variant.
        learned: how many of the ranges that were learned are those of the file, and of how many;
            None: none of them.
    """
    if model.floats is None:
        return ""
    weights = " Its weights are those that were trained with rounding, rounded again; "
    if not learned or not learned[0]:
        return (
            f"{weights}the ranges of activations are those of the calibration samples, not those "
            "that were learned."
        )
    found, known = learned
    return (
        f"{weights}{found} of the {known} ranges of activations that were learned are the file's, "
        "all others are those of the calibration samples."
    )


def why_not(model: Finished, format_: Format) -> str:
    """Why a format does not carry a variant, where its converter was not even asked."""
    known = f"{format_.title} has no {model.name}: "
    made = "it is made in ONNX, and its torch module is not kept"
    return known + format_.reasons.get(model.name, made)
