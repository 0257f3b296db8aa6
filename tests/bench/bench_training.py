"""What does the pipeline's loop cost beside the bare one, and beside torchdistill's?

    python tests/bench/bench_training.py

A ResNet-8 of width 16 learns from stored answers of a ResNet-56, batch 128, all cores. The ways of
training run a few steps in turn, many times over, in one process; ratios are medians over the
turns. bfloat16 is measured where the CPU has instructions for it (AVX512-BF16, AMX), and skipped
with a word elsewhere: emulated, it is several times slower than fp32. torchdistill's
DistillationBox, with a ResNet-56 that answers at every step, takes part where torchdistill and
torchvision are installed (neither belongs to edgestill); it gets its batches ready from memory.
Writes artifacts/bench/training.json, prints a line a mark, and ends with 1 where one is missed.
"""

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from cifar_steps import BATCH, Steps, bare, images
from edgestill.devices.onboard.machine import host
from edgestill.pipeline.models import Signature, build
from edgestill.pipeline.recipe.architecture import Architecture

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "training.json"
TURNS, STEPS, BOX_STEPS = 15, 8, 2
STUDENT, TEACHER = ("resnet8", 16), ("resnet56", 16)
MARKS = {
    ("product", "bare"): 0.95,
    ("product bf16", "bare bf16"): 0.95,
    ("product", "torchdistill"): 4.9,
    ("product bf16", "torchdistill"): 7.0,
}


def torchdistill() -> Callable[[int], float] | None:
    """Images a second of a DistillationBox; None where it is not installed."""
    import time

    try:
        from torchdistill.core.distillation import DistillationBox
    except ImportError as error:
        print(f"       torchdistill is left out: {error}")
        return None
    signature = Signature((32, 32, 3), "hwc", 10)
    teacher, student = (
        build(Architecture(model=model, width=width), signature)
        for model, width in (TEACHER, STUDENT)
    )
    loss = {
        "key": "KDLoss",
        "kwargs": {
            "student_module_path": ".", "student_module_io": "output",
            "teacher_module_path": ".", "teacher_module_io": "output",
            "temperature": 4.0, "alpha": 0.1, "reduction": "batchmean",
        },
    }  # fmt: skip
    config = {
        "num_epochs": 1,
        "teacher": {"requires_grad": False, "forward_proc": "forward_batch_only"},
        "student": {"forward_proc": "forward_batch_only"},
        "optimizer": {
            "key": "SGD",
            "kwargs": {"lr": 1e-3, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4},
        },
        "criterion": {
            "key": "WeightedSumLoss",
            "kwargs": {"sub_terms": {"kd": {"criterion": loss, "weight": 1.0}}},
        },
    }  # fmt: skip
    device = torch.device("cpu")
    box = DistillationBox(teacher, student, {}, config, device, None, False, 1)
    box.teacher_model.eval()
    box.student_model.train()
    train = images(BATCH)
    x = torch.from_numpy(train.x).permute(0, 3, 1, 2).float().div(255).contiguous()
    y = torch.from_numpy(train.y)

    def run(steps: int) -> float:
        began = time.perf_counter()
        for _ in range(steps):
            value = box.forward_process(x, y, None)
            box.post_forward_process(value)
            value.item()
        return steps * BATCH / (time.perf_counter() - began)

    return run


def main() -> int:
    """Measure, write, print; 1 where a mark is missed."""
    here = host.describe()
    ways = {"bare": (bare(*STUDENT), STEPS), "product": (Steps(*STUDENT).run, STEPS)}
    if host.has_bf16(here.features):
        ways["bare bf16"] = (bare(*STUDENT, bf16=True), STEPS)
        ways["product bf16"] = (Steps(*STUDENT, precision="bf16").run, STEPS)
    else:
        print(f"       bf16 is left out: {here.cpu} has no instructions for it")
    if (box := torchdistill()) is not None:
        ways["torchdistill"] = (box, BOX_STEPS)
    for run, _ in ways.values():
        run(2)
    turns = [{name: run(steps) for name, (run, steps) in ways.items()} for _ in range(TURNS)]
    missed, found = 0, {}
    for (one, other), mark in MARKS.items():
        if one not in ways or other not in ways:
            print(f"       {one} over {other}: not measured here")
            continue
        ratio = statistics.median(turn[one] / turn[other] for turn in turns)
        found[f"{one} over {other}"] = ratio
        missed += ratio < mark
        print(
            f"{'met   ' if ratio >= mark else 'MISSED'} {one} over {other}: {ratio:.3f} (>= {mark})"
        )
    speeds = {name: statistics.median(turn[name] for turn in turns) for name in ways}
    print("       images/s: " + ", ".join(f"{name} {value:.0f}" for name, value in speeds.items()))
    facts = {"cpu": here.cpu, "kernels": host.kernel_class(here.features)}
    facts |= {"threads": torch.get_num_threads(), "ratios": found, "images_per_second": speeds}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({**facts, "turns": turns}, indent=1))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
