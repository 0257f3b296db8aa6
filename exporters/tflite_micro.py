"""int8 ``.tflite`` files for microcontrollers, as files and as C arrays, with their arenas."""

from dataclasses import replace
from pathlib import Path

from ..errors import ModelError
from . import c_array
from .from_torch import rounded_again, sources
from .int8_io import convert_static
from .microcontroller import SUFFIX, Needs
from .package import File, Finished, Job, NotCarried, Package
from .scaled import beside

_STATIC = "int8-static"


def packages(job: Job) -> dict[str, Package | NotCarried]:
    """Convert what a microcontroller runs: int8 with fixed ranges, one sample a query.

    Input and output are int8, too. An input of uint8 keeps every value: its scale is 1.

    Raises:
        HostError: a toolchain is not set up.
        ModelError: the job does not say how to count an arena.
    """
    needs_of = job.needs_of
    if needs_of is None or job.calibration is None:
        raise ModelError("no way to count an arena, or no calibration samples", where="export")
    known = sources(job)
    carried = [model.name for model in job.models if is_static(model) and model.name in known]
    if not carried:
        return {model.name: NotCarried(why_not(model)) for model in job.models}
    answer = convert_static(replace(job, batch=1), carried, SUFFIX)
    refused: dict[str, str] = answer["refused"]
    found: dict[str, Package | NotCarried] = {}
    for model in job.models:
        if model.name not in carried or model.name in refused:
            found[model.name] = NotCarried(refused.get(model.name) or why_not(model))
            continue
        file = job.folder / f"{model.name}{SUFFIX}"
        try:
            by = str(answer["by"])
            needs = needs_of(file)
            needs = replace(needs, input=replace(needs.input, axes=job.axes))
            more = rounded_again(model, answer["learned"].get(model.name))
            found[model.name] = _package(file, needs, by, more)
        except ModelError as error:
            file.unlink()
            found[model.name] = NotCarried(error.found)
    return found


def is_static(model: Finished) -> bool:
    """Whether it is int8 with fixed ranges, or can be made so again."""
    return model.name == _STATIC or model.floats is not None


def why_not(model: Finished) -> str:
    """Why a variant is not carried, where the converter was not even asked."""
    return f"microcontrollers take {_STATIC} or int8-qat, made by LiteRT, and no {model.name}"


def _package(file: Path, needs: Needs, by: str, more: str) -> Package:
    needs.write(beside(file, ".json"))
    source, header = c_array.write(file, needs)
    return Package(
        format="tflite-micro",
        title="TensorFlow Lite Micro",
        suffix=SUFFIX,
        model=File.of(file),
        beside=(File.of(source), File.of(header), File.of(beside(file, ".json"))),
        runtime="tflite-micro",
        answers_hold=True,
        arena_bytes=needs.arena_bytes,
        input=needs.input,
        output=needs.output,
        about=f"The {SUFFIX} file is made by {by}; it takes and gives int8, by the scales in the "
        f".json file, and the .cc file is the same as an array. Its arena of {needs.arena_bytes:,} "
        f"bytes is counted by {needs.counted_by}, whose kernels' times are not those of a "
        f"microcontroller: it is not timed.{more}",
    )
