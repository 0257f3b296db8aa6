"""The bundle of a small network that knows digits: fp32 and int8-static, in the formats asked for.

>>> bundle(made(files, "onnx", "litert"), folder)                      # doctest: +SKIP
"""

from dataclasses import dataclass, replace
from pathlib import Path

import digit_net
import numpy as np
import run_example
from edgestill.exporters import litert
from edgestill.exporters.interface import INPUT
from edgestill.exporters.package import File
from edgestill.pipeline.compress.int8 import int8_static
from edgestill.pipeline.compress.method import Job
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.handover.write import write
from edgestill.pipeline.judge.other_runtimes import outputs
from edgestill.pipeline.recipe.compress import Compress

FP32, INT8 = NAMES = ("fp32", "int8-static")
SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}


@dataclass(frozen=True)
class Made:
    """The models' files."""

    folder: Path
    formats: tuple[str, ...]


def made(folder, *formats):
    """Write the models in an empty folder; LiteRT's need its toolchain."""
    job = digit_net.job(folder, NAMES)
    _quantize(folder)
    if "litert" in formats:
        litert.packages(job)
    return Made(folder, formats)


def bundle(files, folder, *, samples=16, from_torch=False):
    """Write `bundle` in a folder; returns it.

    Args:
        files: the models.
        folder: where the run is written as well.
        samples: how many golden samples it has, of those that the network was not trained on.
        from_torch: whether the recorded outputs are those of the network in torch, instead of what
            each file answers in its runtime here.
    """
    run = run_example.write_run(folder / "run", _report(files))
    x, expected = (array[:samples] for array in digit_net.held_out())
    golden = {"input": x}
    for name in NAMES:
        for format_ in files.formats:
            file = files.folder / f"{name}{SUFFIXES[format_]}"
            (run / "variants" / file.name).write_bytes(file.read_bytes())
            golden[file.name] = expected if from_torch else outputs(file, x, batch=1)
    np.savez(run / "records" / "golden.npz", allow_pickle=False, **golden)
    target = folder / "bundle"
    write(run_example.seal(run), target, formats=files.formats, inspection=True)
    return target


def _quantize(folder):
    """The .onnx file of int8-static, as a build makes it."""
    target = folder / f"{INT8}.onnx"
    target.unlink()
    calibration = {INPUT: digit_net.digits()[0][:128]}
    int8_static.quantize(
        Job(
            folder / f"{FP32}.onnx", target, calibration, plan(Compress()), "minmax", 99.99,
            lambda *_: 0.0, 0.0,
        )
    )  # fmt: skip


def _report(files):
    """The report of the example, with these files and no other variant."""
    report = run_example.report()
    variants = []
    for variant in report.variants.variants:
        if variant.name in NAMES:
            packages = tuple(_package(variant, files.folder, one) for one in files.formats)
            variants.append(variant.model_copy(update={"packages": packages}))
    found = report.variants.model_copy(update={"variants": tuple(variants)})
    data = report.data.model_copy(update={"sample_shape": (1, 8, 8), "layout": "chw"})
    return report.model_copy(update={"variants": found, "data": data})


def _package(variant, folder, format_):
    suffix = SUFFIXES[format_]
    return replace(
        variant.packages[0],
        format=format_,
        suffix=suffix,
        model=File.of(folder / f"{variant.name}{suffix}"),
        runtime="onnxruntime" if format_ == "onnx" else format_,
    )
