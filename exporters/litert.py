"""``.tflite`` files for LiteRT, made from torch modules in the toolchain ``litert``."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from .from_torch import Format, from_torch, rounded_again, scheme_of
from .int8_io import convert_static
from .package import File, Finished, Job, NotCarried, Package
from .scaled import Scales

_STATIC = "int8-static"
FORMAT = Format(
    name="litert",
    title="LiteRT",
    suffix=".tflite",
    schemes={
        "fp32": "float32",
        "fp16": "float16-weights",
        "int8-static": _STATIC,
        "int8-dynamic": "int8-dynamic",
        "int8-weights": "int8-weights",
        "int4-weights": "int4-weights",
    },
)
COMPUTES_IN = dict.fromkeys(("int8-static", "int8-static-layers", "int8-dynamic"), "int8")
"""The type of all multiply-accumulates of a scheme; float32 where only weights are packed."""


def packages(job: Job) -> dict[str, Package | NotCarried]:
    """Convert the models that LiteRT can carry; of the others, why not.

    int8 is made from fp32 by LiteRT's own quantizer, with ranges that hold every calibration
    sample. Inputs and outputs stay float32, so that all formats are queried alike, unless the job
    asks for int8 ones in static int8 files. Token ids have no scale, so texts have no such files.

    Raises:
        HostError: the toolchain is not set up.
        ModelError: a model cannot be converted.
    """
    static = [m for m in job.models if job.int8_io and _scheme(m, job, FORMAT) == _STATIC]
    names = {model.name for model in static}

    def others(model: Finished, job: Job, format_: Format) -> str | None:
        return None if model.name in names else _scheme(model, job, format_)

    made = from_torch(FORMAT, job, partial(_package, job), others)
    if not static:
        return made
    answer = convert_static(job, names, FORMAT.suffix)
    return made | {model.name: _of_integers(job, model, answer) for model in static}


def _of_integers(job: Job, model: Finished, answer: Mapping[str, Any]) -> Package | NotCarried:
    """The package of a file that takes and gives int8."""
    if model.name in answer["refused"]:
        return NotCarried(answer["refused"][model.name])
    return _package(job, model, answer, _STATIC)


def _scheme(model: Finished, job: Job, format_: Format) -> str | None:
    """Of texts, which are padded, only the layers in int8."""
    scheme = scheme_of(model, job, format_)
    return "int8-static-layers" if scheme == _STATIC and _are_texts(job) else scheme


def _are_texts(job: Job) -> bool:
    """Whether samples are token ids."""
    known = job.calibration
    return known is not None and known.ndim == 2 and known.dtype.kind == "i"


def _package(job: Job, model: Finished, answer: Mapping[str, Any], scheme: str) -> Package:
    file = job.folder / f"{model.name}{FORMAT.suffix}"
    package = Package(
        format=FORMAT.name,
        title=FORMAT.title,
        suffix=FORMAT.suffix,
        model=File.of(file),
        runtime="litert",
        answers_hold=True,
        computes_in=COMPUTES_IN.get(scheme, "float32"),
    )
    by = f"The .tflite file is made by {answer['by']}; "
    more = f"{_no_scale(job, scheme)}{rounded_again(model, answer['learned'].get(model.name))}"
    if model.name not in answer["scales"]:
        ends = f"its input and output are those of the .onnx file, with a fixed batch{_length(job)}"
        return replace(package, about=f"{by}{ends}.{more}")
    known = Scales.of(answer["scales"][model.name])
    ports = replace(known, input=replace(known.input, axes=job.axes))
    return replace(
        package,
        beside=(File.of(ports.write(file)),),
        about=f"{by}{_takes(ports)}, with a fixed batch.{more}",
        input=ports.input,
        output=ports.output,
    )


def _takes(ports: Scales) -> str:
    """What a file takes and gives that is not as in the ``.onnx`` file."""
    told = []
    if ports.input.scale is not None:
        told.append(f"it takes and gives {ports.input.dtype}, by the scales in the .json file")
    if ports.input.axes is not None:
        told.append("it takes images with their channels last, as the .json file says")
    return "; ".join(told)


def _length(job: Job) -> str:
    """Of texts: that all have the length of the longest."""
    known = job.calibration
    if known is None or not _are_texts(job):
        return ""
    return f" and texts of {known.shape[1]} tokens, shorter ones padded"


def _no_scale(job: Job, scheme: str) -> str:
    """Why texts do not take and give int8, where that was asked for."""
    asked = job.int8_io and scheme == "int8-static-layers"
    return " Token ids have no scale, so it does not take and give int8." if asked else ""
