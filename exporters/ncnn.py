"""ncnn's ``.param`` and ``.bin``, made from torch modules by pnnx in the toolchain ``ncnn``."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from .as_floats import about_floats, of_floats, ports_of_floats
from .from_torch import Format, from_torch
from .package import File, Finished, Job, NotCarried, Package

_NO_INT8 = "the ncnn package brings no quantizer: its int8 tools are programs to be compiled"
FORMAT = Format(
    name="ncnn",
    title="ncnn",
    # pnnx's own naming, and OpenVINO's weights are a .bin file, too.
    suffix=".ncnn.param",
    schemes={"fp32": "float32", "fp16": "float16-weights"},
    reasons=dict.fromkeys(("int8-static", "int8-dynamic", "int8-weights", "int8-qat"), _NO_INT8),
)


def packages(job: Job) -> dict[str, Package | NotCarried]:
    """Convert the models that ncnn can carry; of the others, why not.

    Raises:
        HostError: the toolchain is not set up.
        ModelError: fp32 cannot be converted.
    """
    if job.batch != 1:
        why = f"an ncnn file takes one sample a query, and the recipe asks for {job.batch}"
        return {model.name: NotCarried(why) for model in job.models}
    return from_torch(FORMAT, of_floats(job), partial(_package, job))


def _package(job: Job, model: Finished, answer: Mapping[str, Any], scheme: str) -> Package:
    file = job.folder / f"{model.name}{FORMAT.suffix}"
    del scheme  # products are of float32 whatever the weights are stored in
    ports = ports_of_floats(job, answer["gives"][model.name])
    scales = () if ports is None else (File.of(ports.write(file)),)
    return Package(
        format=FORMAT.name,
        title=FORMAT.title,
        suffix=FORMAT.suffix,
        model=File.of(file),
        beside=(File.of(file.with_suffix(".bin")), *scales),
        runtime="ncnn",
        answers_hold=True,
        about=f"The .param and .bin files are made by {answer['by']} for one sample a query. They "
        "are run with half floats and bfloat16 switched off (opt.use_fp16_*, opt.use_bf16_*)."
        f"{about_floats(job, ports)}",
        computes_in="float32",
        input=ports.input if ports else None,
        output=ports.output if ports else None,
    )
