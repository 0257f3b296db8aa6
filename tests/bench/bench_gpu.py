"""What does a GPU give, and is it the same? For a machine with one; skipped with a word elsewhere.

    python tests/bench/bench_gpu.py

A ResNet-56 answers 50,000 images of CIFAR-10's shape in four views, as the targets stage does, and
a ResNet-20 learns from such answers for an epoch, in fp32 and in bf16. The processor does the same
with fewer images, for the speed, and with the same ones, for the comparison: logits are to agree to
0.02 and the loss of the epoch to 2 %. Writes artifacts/bench/gpu.json, prints a line a mark, and
ends with 1 where one is missed.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from cifar_steps import AUGMENT, BATCH, Steps, images, record
from edgestill.devices import accelerators
from edgestill.devices.accelerators import CPU, Device
from edgestill.pipeline.distill import targets
from edgestill.pipeline.distill.inputs import Samples, TargetsInputs, Teachers
from edgestill.pipeline.engine.compute import Compute, computing
from edgestill.pipeline.models import deployed
from edgestill.pipeline.models.weights import WEIGHTS, save
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.distill import SoftTargets
from edgestill.pipeline.records import SPLITS, ModelRecord

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "gpu.json"
LOGITS_APART, LOSS_APART = 0.02, 0.02


def data_of(samples: int, folder: Path) -> SimpleNamespace:
    """The data stage's output with so many train images."""
    folder.mkdir()
    for place, split in enumerate(SPLITS):
        arrays = images(samples if split == "train" else 256, place)
        np.save(folder / f"x_{split}.npy", arrays.x)
        np.save(folder / f"y_{split}.npy", arrays.y)
    return SimpleNamespace(path=folder, record=record(samples))


def teacher_in(folder: Path) -> SimpleNamespace:
    """A ResNet-56 with random weights, as the teacher stage stores one."""
    folder.mkdir()
    torch.manual_seed(0)
    save(deployed(Architecture(model="resnet56", width=16), record(100)), folder / WEIGHTS)
    facts = ModelRecord(
        model="resnet56", width=16, outputs=10, parameters=1, seed=0, distilled=False,
        origin="loaded", curve=(), best_epoch=None, validation_score=1.0, weights_sha256="",
    )  # fmt: skip
    return SimpleNamespace(path=folder, record=facts)


def answered(compute: Compute, samples: int, views: int, folder: Path) -> tuple[np.ndarray, float]:
    """The logits that the targets stage stores, and answers a second."""
    folder.mkdir()
    (folder / "out").mkdir()
    (folder / "work").mkdir()
    data, teacher = data_of(samples, folder / "data"), teacher_in(folder / "teacher")
    inputs = TargetsInputs(
        Teachers((teacher,), (1.0,)), SoftTargets(views=views), Samples(data, AUGMENT, 0)
    )
    began = time.perf_counter()
    with computing(compute):
        targets.make_targets(folder / "out", Silent(), inputs, folder / "work")
    seconds = time.perf_counter() - began
    return np.load(folder / "out" / targets.LOGITS), samples * views / seconds


def trained(compute: Compute, precision: str, steps: int) -> tuple[float, float]:
    """Mean loss over so many steps of a ResNet-20, and images a second."""
    with computing(compute):
        training = Steps("resnet20", 16, precision=precision)
        speed = training.run(steps)
        return training.trainer.at.mean, speed


def main() -> int:
    """Measure, write, print; 1 where a mark is missed."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--device", default="cuda", help="cuda, mps, or cpu to try this script")
    asked.add_argument("--images", type=int, default=50_000)
    asked.add_argument("--views", type=int, default=4)
    asked.add_argument("--steps", type=int, default=100)
    given = asked.parse_args()
    found = accelerators.find(given.device)
    if found.device is None:
        print(f"skipped: {found.why}")
        return 0
    return compare(found.device, given)


def compare(device: Device, given: argparse.Namespace) -> int:
    """The device beside the processor."""
    gpu, cpu = Compute(torch.get_num_threads(), device), Compute(torch.get_num_threads(), CPU)
    few = min(given.images, 20 * BATCH)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, fast = answered(gpu, given.images, given.views, folder / "all")
        on_gpu, _ = answered(gpu, few, 1, folder / "gpu")
        again, _ = answered(gpu, few, 1, folder / "again")
        on_cpu, slow = answered(cpu, few, 1, folder / "cpu")
    loss, speed = trained(gpu, "fp32", given.steps)
    repeated, _ = trained(gpu, "fp32", given.steps)
    loss_bf16, speed_bf16 = trained(gpu, "bf16", given.steps)
    loss_cpu, speed_cpu = trained(cpu, "fp32", given.steps)
    apart = float(np.abs(on_gpu.astype(np.float32) - on_cpu.astype(np.float32)).max())
    marks = {
        f"soft targets of {device} and the processor, largest difference": (apart, LOGITS_APART),
        "loss in fp32, relative difference": (abs(loss / loss_cpu - 1), LOSS_APART),
        "loss in bf16, relative difference": (abs(loss_bf16 / loss_cpu - 1), LOSS_APART),
        "soft targets again, differing": (float((on_gpu != again).sum()), 0.0),
        "loss again, difference": (abs(loss - repeated), 0.0),
    }
    for what, (value, most) in marks.items():
        print(f"{'met   ' if value <= most else 'MISSED'} {what}: {value:.4g} (<= {most:g})")
    speeds = {
        "answers": fast, "answers_cpu": slow, "fp32": speed, "bf16": speed_bf16, "cpu": speed_cpu,
    }  # fmt: skip
    print("       images/s: " + ", ".join(f"{way} {value:.0f}" for way, value in speeds.items()))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    facts = {"device": device.identity, "images": given.images, "views": given.views}
    OUT.write_text(json.dumps({**facts, "marks": marks, "images_per_second": speeds}, indent=1))
    return int(any(value > most for value, most in marks.values()))


if __name__ == "__main__":
    sys.exit(main())
