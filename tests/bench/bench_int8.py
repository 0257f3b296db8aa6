"""Is our int8 file the best that this host can run, and what does it cost in answers?

    python tests/bench/bench_int8.py [--full] [RESNET8.onnx]

ResNet-20 (published weights) and ResNet-8 on CIFAR-10 as JPEG. Ours, as ``plan`` chooses for this
host, takes turns with onnxruntime's own quantizer by its defaults and with each pair of types, in
one interleaved run of fresh processes. ResNet-8 is trained here for one epoch from ResNet-20's
answers, and for another as int8-qat; a path to an fp32 file of one that is better trained
takes its place, without int8-qat. In full, ResNet-20 is int8-qat and pruned too: an epoch from the
published weights towards nothing but what those answer themselves, so that what is told is the cost
of rounding and of the cut, and not of other data. Needs ../shared/data. Writes
artifacts/bench/int8.json, prints a line a mark, and ends with 1 where one is missed.
"""

import json
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import torch
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.onboard.runtimes.onnxruntime import OPTIMIZED, open_session
from edgestill.devices.onboard.settings import Feed, Timing
from edgestill.devices.scenarios.single_stream import measure
from edgestill.exporters.interface import INPUT
from edgestill.exporters.onnx import export
from edgestill.pipeline.build import build
from edgestill.pipeline.compress.inputs import TunedInputs
from edgestill.pipeline.compress.method import BATCH, Job
from edgestill.pipeline.compress.methods import METHODS
from edgestill.pipeline.compress.parity import batches
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.compress.train import stage as tuning
from edgestill.pipeline.compress.train.contract import FILE
from edgestill.pipeline.data.arrays import draw, open_split
from edgestill.pipeline.distill.inputs import Distillation, Samples, Training
from edgestill.pipeline.judge.answers import logits
from edgestill.pipeline.models import deployed, example
from edgestill.pipeline.models.weights import load_foreign
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.compress import Compress, Prune, Qat
from edgestill.pipeline.recipe.distill import SoftLosses
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.recipe.recipe import Recipe
from edgestill.pipeline.recipe.training import Schedule
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_static,
)

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Path(__file__).parent / "recipes" / "cifar10.toml"
WEIGHTS = ROOT.parent / "shared/data/cifar10_resnet20.safetensors"
OUT = ROOT / "artifacts" / "bench" / "int8.json"
U8, S8 = QuantType.QUInt8, QuantType.QInt8
RIVALS = {
    "onnxruntime's defaults": {},
    "u8s8": {"activation_type": U8, "weight_type": S8, "per_channel": True, "reduce_range": True},
    "u8u8": {"activation_type": U8, "weight_type": U8, "per_channel": True},
    "s8s8": {"activation_type": S8, "weight_type": S8, "per_channel": True},
}
SAMPLES = 512
SETTINGS = Settings(processes=15, timing=Timing(0.4))
QUICK = (
    "threads=2",
    "teacher.model=resnet20",
    f"teacher.weights={str(WEIGHTS)!r}",
    "distill.views=1",
    "distill.epochs=1",
    "distill.seeds=1",
    "compress.qat_epochs=1",
    "compress.prune_epochs=1",
    'compress.variants=["int8-static", "int8-qat"]',
)

PARTS = {"int8-qat": Qat, "pruned": Prune}


class Reader(CalibrationDataReader):
    """The calibration samples as onnxruntime reads them."""

    def __init__(self, samples: np.ndarray) -> None:
        self._batches = batches({INPUT: samples}, BATCH)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)


def made(fp32: Path, samples: np.ndarray, folder: Path) -> dict[str, Path]:
    """Ours and every rival, by name."""
    files = {"fp32": fp32, "ours": folder / "ours.onnx"}
    METHODS["int8-static"](
        Job(fp32, files["ours"], {INPUT: samples}, plan(Compress()), "minmax", 99.99,
            lambda *_: 0.0, 0.0)
    )  # fmt: skip
    prepared = folder / "prepared.onnx"
    quant_pre_process(fp32, prepared)
    for name, options in RIVALS.items():
        files[name] = folder / f"{name}.onnx"
        quantize_static(
            prepared, files[name], Reader(samples), quant_format=QuantFormat.QDQ, **options
        )
    return files


def trained_on(recipe: Recipe, artifacts: Path, folder: Path, method: str) -> Path:
    """ResNet-20 trained on, an epoch towards its own answers: here the teacher is the student."""
    data, teacher, targets = (
        build(recipe, artifacts=artifacts, until=stage).stopped
        for stage in ("data", "teacher", "targets")
    )
    out, work = folder / method, folder / f"work-{method}"
    out.mkdir()
    work.mkdir()
    torch.set_num_threads(recipe.threads)
    samples = Samples(data, recipe.augment, recipe.seed)
    distillation = Distillation(SoftLosses(alpha=1.0), targets)
    inputs = TunedInputs(
        plan=plan(Compress()),
        opset=20,
        students=(teacher,),
        training=Training(samples, recipe.distill.only(Schedule), distillation),
        method=method,
        settings=recipe.compress.only(PARTS[method]),
    )
    tuning.tune(out, Silent(), inputs, work)
    return out / FILE


def fused(path: Path, folder: Path) -> tuple[int, int]:
    """Convolutions in int8 in the graph that runs, and convolutions of the file."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        open_session(path, traces=Path(name)).end_profiling()
        runs = Counter(node.op_type for node in onnx.load(Path(name) / OPTIMIZED).graph.node)
    return runs["QLinearConv"], sum(n.op_type == "Conv" for n in onnx.load(path).graph.node)


def tried(fp32: Path, data: SimpleNamespace, folder: Path, more: dict[str, Path]) -> dict:
    """Latency, size, fused convolutions and answers of every file of one net."""
    folder.mkdir()
    files = made(fp32, data.calibration, folder) | more
    inputs = folder / "inputs.npz"
    np.savez(inputs, **{INPUT: data.test.x[:64]})
    subjects = [Subject(name, path) for name, path in files.items()]
    found = measure(
        Request(subjects, replace(SETTINGS, feed=Feed(str(inputs))), folder / "bench"),
        references=["fp32", *RIVALS],
    )
    p50 = {one.name: one.p50_ms.value for one in found.models}
    best = min(RIVALS, key=lambda name: p50[name])
    ratios = {(one.of, one.over): one.p50 for one in found.ratios}
    answers = {name: logits(path, data.test.x, batch=64) for name, path in files.items()}
    truth = data.test.y
    return {
        "best_rival": best,
        "over_best_rival": _interval(ratios["ours", best]),
        "files": {
            name: {
                "p50_ms": p50[name],
                "over_fp32": [1, 1, 1] if name == "fp32" else _interval(ratios[name, "fp32"]),
                "bytes": path.stat().st_size,
                "fused": fused(path, folder),
                "accuracy": float((answers[name].argmax(1) == truth).mean()),
                "changed": int((answers[name].argmax(1) != answers["fp32"].argmax(1)).sum()),
            }
            for name, path in files.items()
        },
    }


def _interval(ratio: object) -> list[float]:
    return [ratio.value, ratio.low, ratio.high]


def marks(nets: dict[str, dict]) -> list[tuple[str, float, float]]:
    """What was found, and what is asked; a latency ratio counts by its interval's lower end."""
    asked = []
    for net, found in nets.items():
        ours, fp32 = found["files"]["ours"], found["files"]["fp32"]
        lost = 100 * (fp32["accuracy"] - ours["accuracy"])
        asked += [
            (f"{net}: p50 over the best rival's ({found['best_rival']})",
             found["over_best_rival"][1], 1.0),
            (f"{net}: convolutions not fused", ours["fused"][1] - ours["fused"][0], 0),
            (f"{net}: points lost after static quantization", lost, 1.0),
        ]  # fmt: skip
        if net == "ResNet-8":
            asked += [
                (f"{net}: p50 over fp32's", ours["over_fp32"][1], 1.03),
                (f"{net}: answers changed of 10,000", ours["changed"], 150),
                (f"{net}: bytes", ours["bytes"], 108_000),
            ]
        if "int8-qat" in found["files"]:
            lost = 100 * (fp32["accuracy"] - found["files"]["int8-qat"]["accuracy"])
            asked.append((f"{net}: points lost after int8-qat", lost, 0.3))
    return asked


def main() -> int:
    """Measure, write, print; 1 where a mark is missed."""
    if not WEIGHTS.is_file():
        print("skipped: no CIFAR-10 in ../shared/data")
        return 0
    full, paths = "--full" in sys.argv, [one for one in sys.argv[1:] if one != "--full"]
    given = Path(paths[0]).resolve() if paths else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        until = "data" if given else "variants"
        recipe, artifacts = load(RECIPE, QUICK), folder / "artifacts"
        stopped = build(recipe, artifacts=artifacts, until=until).stopped
        laid = next((artifacts / "store").glob("*/x_test.npy")).parent
        data = SimpleNamespace(
            test=open_split(laid, "test"),
            calibration=draw(open_split(laid, "calibration"), SAMPLES).x,
        )
        record = build(recipe, artifacts=artifacts, until="data").stopped.record
        twenty = deployed(Architecture(model="resnet20"), record)
        load_foreign(twenty.backbone, WEIGHTS, "resnet20")
        export(twenty, example(record), folder / "resnet20.onnx", opset=20)
        eight = given or stopped.path / "fp32.onnx"
        qat = {} if given else {"int8-qat": stopped.path / "int8-qat.onnx"}
        own = {one: trained_on(recipe, artifacts, folder, one) for one in PARTS if full}
        nets = {
            "ResNet-8": tried(eight, data, folder / "8", qat),
            "ResNet-20": tried(folder / "resnet20.onnx", data, folder / "20", own),
        }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(nets, indent=1))
    for net, found in nets.items():
        for file, one in found["files"].items():
            ratio = "{:.2f} ({:.2f} to {:.2f})".format(*one["over_fp32"])
            print(
                f"{net} {file}: {ratio} of fp32's p50, {one['fused'][0]} of {one['fused'][1]} "
                f"convolutions fused, {one['accuracy']:.2%}, {one['changed']} answers changed, "
                f"{one['bytes']} bytes"
            )
    missed = 0
    for what, value, bound in marks(nets):
        held = value <= bound
        missed += not held
        print(f"{'met   ' if held else 'MISSED'} {what}: {value:.4g}, at most {bound:g}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
