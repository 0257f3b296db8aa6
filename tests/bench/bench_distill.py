"""What does a step of distillation cost, beside the student's own and beside an online teacher?

    python tests/bench/bench_distill.py

ResNet-56 teaches ResNet-8 on CIFAR-10, batch 128, all cores. Every way of training runs a few
steps in turn, many times over, in one process: the ratios are medians over the turns. What a stored
target says does not change what it costs, so they are random here. Needs ../shared/data. Writes
artifacts/bench/distill.json, prints a line a mark, and ends with 1 where one is missed.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from edgestill.pipeline.build import build
from edgestill.pipeline.data.arrays import Arrays, open_split
from edgestill.pipeline.distill import losses, targets
from edgestill.pipeline.distill.batches import Batch, Batches
from edgestill.pipeline.distill.hard_labels import hard_labels
from edgestill.pipeline.distill.shards import BLOCK
from edgestill.pipeline.distill.teacher_answers import NetworkTeacher
from edgestill.pipeline.models import deployed
from edgestill.pipeline.models.weights import WEIGHTS, load_foreign, save
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.records import DataRecord, ModelRecord, TargetsRecord
from edgestill.pipeline.tasks import of

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Path(__file__).parent / "recipes" / "cifar10.toml"
OUT = ROOT / "artifacts" / "bench" / "distill.json"
BATCH, TURNS, STEPS, ONLINE_STEPS = 128, 15, 8, 2
MACS = 12_239_488
"""Multiply-accumulates of ResNet-8 for an image of 32 by 32; training takes three times as many."""


def trainer(data: DataRecord, loss: Callable, feed: Callable) -> Callable[[int], float]:
    """A function of steps that trains for so long and gives seconds an image."""
    recipe = load(RECIPE)
    torch.manual_seed(0)
    model = deployed(recipe.student, data).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def run(steps: int) -> float:
        began = time.perf_counter()
        for _ in range(steps):
            batch = feed()
            value = loss(model(batch.x), batch)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            value.item()
        return (time.perf_counter() - began) / steps / BATCH

    return run


def bare(train: Arrays) -> Callable[[int], float]:
    """The student alone: float tensors in memory, channels last, no views, no labels to look up."""
    from edgestill.pipeline.models import Signature
    from edgestill.pipeline.models import build as backbone

    torch.manual_seed(0)
    model = backbone(load(RECIPE).student, Signature((32, 32, 3), "hwc", 10))
    model = model.to(memory_format=torch.channels_last).train()
    x = torch.from_numpy(train.x[:BATCH].copy()).permute(0, 3, 1, 2).float() / 255
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(train.y[:BATCH])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def run(steps: int) -> float:
        began = time.perf_counter()
        for _ in range(steps):
            value = F.cross_entropy(model(x), y)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            value.item()
        return (time.perf_counter() - began) / steps / BATCH

    return run


def sgemm() -> float:
    """Floating-point operations a second of a large matrix product."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    began = time.perf_counter()
    for _ in range(3):
        a @ b
    return 3 * 2 * 2048**3 / (time.perf_counter() - began)


def stored(folder: Path, train: Arrays) -> targets.Target:
    """Targets of one view, of random numbers."""
    random = np.random.default_rng(0)
    np.save(folder / targets.LOGITS, random.normal(size=(1, len(train.y), 10)).astype(np.float16))
    np.save(folder / targets.ROWS, targets.identities(train.x))
    record = TargetsRecord(
        views=1, rows=len(train.y), outputs=10, kept=10, bytes=0, train_score=0.1, answered=()
    )
    return targets.open_targets(SimpleNamespace(path=folder, record=record), train.x)


def online(folder: Path, data: DataRecord) -> NetworkTeacher:
    """The teacher, as the pipeline asks it at every step."""
    part = load(RECIPE).teacher
    model = deployed(part, data)
    load_foreign(model.backbone, part.weights, part.model)
    save(model, folder / WEIGHTS)
    record = ModelRecord(
        model=part.model, width=part.width, outputs=10, parameters=1, seed=0, distilled=False,
        origin="loaded", curve=(), best_epoch=None, validation_score=0.9, weights_sha256="",
    )  # fmt: skip
    return NetworkTeacher(SimpleNamespace(path=folder, record=record), data)


def main() -> int:
    """Measure, write, print; 1 where a mark is missed."""
    recipe = load(RECIPE)
    if not recipe.teacher.weights.is_file():
        print("skipped: no CIFAR-10 in ../shared/data")
        return 0
    with tempfile.TemporaryDirectory() as name:
        made = build(recipe, artifacts=Path(name) / "artifacts", until="data").stopped
        data, train = made.record, open_split(made.path, "train")
        batches = Batches(data, train, recipe.augment, 0)
        order = iter(np.concatenate([batches.order(BATCH, 0, epoch) for epoch in range(20)]))
        hard = hard_labels(data, recipe.distill)
        target, teacher = stored(Path(name), train), online(Path(name), data)

        total = losses.distillation(recipe.distill, of(data.task))

        def feed() -> Batch:
            return batches(next(order), 0)

        def from_store(outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
            answers = target(batch.rows, batch.view)
            return total(outputs, hard(outputs, batch), batch.y, answers)

        def from_teacher(outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
            answers = torch.from_numpy(teacher(batch.x.numpy(), "train", batch.rows))
            return total(outputs, hard(outputs, batch), batch.y, answers)

        ways = {
            "bare": (bare(train), STEPS),
            "plain": (trainer(data, hard, feed), STEPS),
            "stored": (trainer(data, from_store, feed), STEPS),
            "online": (trainer(data, from_teacher, feed), ONLINE_STEPS),
        }
        for run, _ in ways.values():
            run(2)
        turns = [
            {name: run(steps) for name, (run, steps) in ways.items()} | {"flops": sgemm()}
            for _ in range(TURNS)
        ]
    return report(turns)


def report(turns: list[dict[str, float]]) -> int:
    """Print each mark beside its figure, write all of them."""

    def median(of: Callable[[dict[str, float]], float]) -> float:
        return statistics.median(map(of, turns))

    found = {f"{way}_images_per_second": median(lambda t, w=way: 1 / t[w])
             for way in ("bare", "plain", "stored", "online")}  # fmt: skip
    found |= {
        "sgemm_gflops": median(lambda t: t["flops"] / 1e9),
        "threads": torch.get_num_threads(),
        "stored_over_plain": median(lambda t: t["stored"] / t["plain"]),
        "stored_over_online": median(lambda t: t["stored"] / t["online"]),
        "bare_over_stored": median(lambda t: t["bare"] / t["stored"]),
        "stored_share_of_sgemm": median(lambda t: 6 * MACS / t["stored"] / t["flops"]),
    }
    marks = {
        "a step with stored targets over a plain step": ("stored_over_plain", "<=", 1.05),
        "images/s with stored targets over the bare loop": ("bare_over_stored", ">=", 0.90),
        "share of sgemm with stored targets": ("stored_share_of_sgemm", ">=", 0.55),
    }
    missed = 0
    for what, (key, sense, mark) in marks.items():
        met = found[key] <= mark if sense == "<=" else found[key] >= mark
        missed += not met
        print(f"{'met   ' if met else 'MISSED'} {what}: {found[key]:.3f} ({sense} {mark})")
    print(
        f"       a step with stored targets over an online one: {found['stored_over_online']:.3f}"
    )
    print("       " + ", ".join(f"{key} {value:.0f}" for key, value in found.items() if value > 2))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({**found, "block": BLOCK, "turns": turns}, indent=1))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
