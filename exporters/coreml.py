"""Core ML's ``.mlpackage``, zipped; converted here, but run on Apple's systems only.

An ``.mlpackage`` is a folder. It is delivered as one file, because a package's files lie beside
those of the other variants and have one digest each.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from .as_floats import about_floats, of_floats, ports_of_floats
from .from_torch import Format, from_torch
from .package import File, Finished, Job, NotCarried, Package

_INT8 = "coremltools calibrates int8 activations by running the model, which takes an Apple system"
FORMAT = Format(
    name="coreml",
    title="Core ML",
    suffix=".mlpackage.zip",
    schemes={"fp32": "float32", "fp16": "float16", "int8-weights": "int8-weights"},
    toolchain="executorch",
    reasons={
        "int8-static": _INT8,
        "int8-qat": _INT8,
        "int8-dynamic": "its int8 activations have stored ranges",
    },
)


def packages(job: Job) -> dict[str, Package | NotCarried]:
    """Convert the models that Core ML can carry; of the others, why not.

    Raises:
        HostError: the toolchain is not set up.
        ModelError: fp32 cannot be converted.
    """
    return from_torch(FORMAT, of_floats(job), partial(_package, job))


def _package(job: Job, model: Finished, answer: Mapping[str, Any], scheme: str) -> Package:
    file = job.folder / f"{model.name}{FORMAT.suffix}"
    del scheme
    ports = ports_of_floats(job, answer["gives"][model.name])
    return Package(
        format=FORMAT.name,
        title=FORMAT.title,
        suffix=FORMAT.suffix,
        model=File.of(file),
        beside=() if ports is None else (File.of(ports.write(file)),),
        no_runtime="Core ML runs on Apple's systems only",
        about=f"The .mlpackage is made by {answer['by']} with a fixed batch, for iOS 16, "
        f"macOS 13 and later, and zipped: unzip it to use it.{about_floats(job, ports)}",
        input=ports.input if ports else None,
        output=ports.output if ports else None,
    )
