"""OpenVINO's ``.xml`` and ``.bin``, converted from the ``.onnx`` files, quantized ones included."""

import tempfile
from pathlib import Path

from .conversion import convert
from .package import AS_IN_ONNX, File, Job, NotCarried, Package


def packages(job: Job) -> dict[str, Package | NotCarried]:
    """Convert the models of a folder; of those that OpenVINO cannot read, why not.

    Raises:
        HostError: the toolchain is not set up.
    """
    models = [
        {"name": model.name, "source": str(model.onnx.resolve())}
        | {"target": str((job.folder / f"{model.name}.xml").resolve())}
        for model in job.models
    ]
    with tempfile.TemporaryDirectory(prefix="edgestill-") as work:
        answer = convert("openvino", {"models": models}, Path(work), job.log)
    refused: dict[str, str] = answer["refused"]
    return {
        model.name: NotCarried(refused[model.name])
        if model.name in refused
        else _package(job.folder / f"{model.name}.xml", str(answer["by"]))
        for model in job.models
    }


def _package(file: Path, by: str) -> Package:
    return Package(
        format="openvino",
        title="OpenVINO",
        suffix=".xml",
        model=File.of(file),
        beside=(File.of(file.with_suffix(".bin")),),
        runtime="openvino",
        answers_hold=True,
        about=f"The .xml and .bin files are made from the .onnx file by {by}.",
        computes_in=AS_IN_ONNX,
    )
