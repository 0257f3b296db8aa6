"""``.tflite`` files for LiteRT, made from torch modules in the toolchain ``litert``."""

import tempfile
from pathlib import Path
from typing import Any

from ..errors import ModelError
from .conversion import convert
from .interface import INPUT, OUTPUT
from .package import File, Finished, Job, NotCarried, Package
from .program import save_program

SCHEMES = {
    "fp32": "float32",
    "fp16": "float16-weights",
    "int8-static": "int8-static",
    "int8-dynamic": "int8-dynamic",
    "int8-weights": "int8-weights",
    "int4-weights": "int4-weights",
}
"""How a variant is made here, by its name; of one that brings a torch module: in float32."""
FP32 = "fp32"
SUFFIX = ".tflite"
COMPUTES_IN = dict.fromkeys(("int8-static", "int8-static-layers", "int8-dynamic"), "int8")
"""The type of all multiply-accumulates of a scheme; float32 where only weights are packed."""


def packages(job: Job) -> dict[str, Package | NotCarried]:
    """Convert the models that LiteRT can carry; of the others, why not.

    int8 is made from fp32 by LiteRT's own quantizer, with ranges that hold every calibration
    sample. Inputs and outputs stay float32, so that all formats are queried alike.

    Raises:
        HostError: the toolchain is not set up.
        ModelError: a model cannot be converted.
    """
    carried = {model.name: scheme for model in job.models if (scheme := _scheme(model, job))}
    if not carried:
        return {model.name: NotCarried(_why_not(model)) for model in job.models}
    with tempfile.TemporaryDirectory(prefix="edgestill-") as work:
        answer = convert("litert", request(job, carried, Path(work)), Path(work), job.log)
    refused: dict[str, str] = answer["refused"]
    if FP32 in refused:
        raise ModelError(f"cannot be converted to .tflite ({refused[FP32]})", where=FP32)
    return {
        model.name: _package(job, model, answer, carried[model.name])
        if model.name in carried and model.name not in refused
        else NotCarried(refused.get(model.name) or _why_not(model))
        for model in job.models
    }


def request(job: Job, carried: dict[str, str], work: Path, suffix: str = SUFFIX) -> dict[str, Any]:
    """What the converter gets: each torch module once, and the calibration samples.

    Args:
        job: the models.
        carried: how each is made, by the variant's name.
        work: the folder for the modules and the samples.
        suffix: of the files to write.
    """
    import numpy as np

    if job.calibration is None:
        raise ModelError("no calibration samples", where="litert")
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
            }
        )
    return {"models": models, "batch": job.batch, "input": INPUT, "output": OUTPUT}


def sources(job: Job) -> dict[str, str]:
    """By variant the model whose torch module it is made of: its own, else fp32."""
    modules = {m.name for m in job.models if m.module is not None or m.floats is not None}
    found = {m.name: m.name if m.name in modules else FP32 for m in job.models}
    return {name: source for name, source in found.items() if source in modules}


def _scheme(model: Finished, job: Job) -> str | None:
    if model.module is not None:
        return SCHEMES[FP32]
    if model.floats is not None:
        return _static(job)
    if model.name not in sources(job):
        return None
    return _static(job) if model.name == "int8-static" else SCHEMES.get(model.name)


def _static(job: Job) -> str:
    """Of texts, which are padded, only the layers."""
    return "int8-static-layers" if _are_texts(job) else SCHEMES["int8-static"]


def _are_texts(job: Job) -> bool:
    """Whether samples are token ids."""
    known = job.calibration
    return known is not None and known.ndim == 2 and known.dtype.kind == "i"


def _why_not(model: Finished) -> str:
    return f"LiteRT has no {model.name}: it is made in ONNX, and its torch module is not kept"


def _package(job: Job, model: Finished, answer: dict[str, Any], scheme: str) -> Package:
    return Package(
        format="litert",
        title="LiteRT",
        suffix=SUFFIX,
        model=File.of(job.folder / f"{model.name}{SUFFIX}"),
        runtime="litert",
        answers_hold=True,
        about=f"The .tflite file is made by {answer['by']}; its input and output are those of the "
        f".onnx file, with a fixed batch{_length(job)}.{rounded_again(model)}",
        computes_in=COMPUTES_IN.get(scheme, "float32"),
    )


def rounded_again(model: Finished) -> str:
    """A sentence on a variant that was trained with rounding; of others none."""
    if model.floats is None:
        return ""
    return (
        " Its weights are those that were trained with rounding, rounded again; the ranges of "
        "activations are those of the calibration samples, not those that were learned."
    )


def _length(job: Job) -> str:
    """Of texts: that all have the length of the longest."""
    known = job.calibration
    if known is None or not _are_texts(job):
        return ""
    return f" and texts of {known.shape[1]} tokens, shorter ones padded"
