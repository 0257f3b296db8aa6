"""Does ``student.model = "auto"`` find the student that training the whole family would?

    python tests/bench/bench_auto.py [FOLDER [EPOCHS]]

CIFAR-10 as JPEG, a part of it: ResNet-56 teaches a family of eight, and a budget of latency lies
between the fourth and the fifth of them by a measurement of all. Exhaustive: each of the eight is
trained for all epochs, and the best on validation of those that fit is the student. ``auto`` is to
find it, or one that a paired test on test (McNemar, 1 %) does not tell from it, in a third of the
training time. Times are those of the epochs in the records; each training runs once, so that one
that both need takes the same. Needs ../shared/data. Writes artifacts/bench/auto.json, prints a line
a mark, and ends with 1 where one is missed. FOLDER keeps what was trained; EPOCHS (8)
is the length of a whole training.
"""

import json
import math
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from edgestill.devices.onboard.machine.host import describe
from edgestill.pipeline.build import build
from edgestill.pipeline.data.arrays import Arrays, open_split
from edgestill.pipeline.distill.batches import as_model_input
from edgestill.pipeline.distill.teacher_answers import restored
from edgestill.pipeline.engine.stage import Made
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture, Student
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.recipe.recipe import Recipe
from edgestill.pipeline.recipe.search import AUTO, Search
from edgestill.pipeline.records import DataRecord, ModelRecord
from edgestill.pipeline.search.choose import choose
from edgestill.pipeline.search.trials import Trials, with_student

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Path(__file__).parent / "recipes" / "cifar10.toml"
JPEG = ROOT.parent / "shared" / "data" / "cifar10_jpeg_stream.npz"
OUT = ROOT / "artifacts" / "bench" / "auto.json"
MODELS, WIDTHS = ("resnet8", "resnet14"), (4, 6, 8, 12)
TRAIN, TEST = 5_500, 4_000
"""Images; a fifth of those for training are validation."""
SETTINGS = (
    "data.validation=0.2",
    "data.calibration=0.02",
    "distill.views=2",
    "distill.seeds=1",
    "gate={ min_accuracy = 0.1 }",
    "compress.variants=['fp32']",
)
SHARE = 1 / 3
"""Of the exhaustive training time that ``auto`` may take."""
DIFFERENT = 0.01
"""Chance of so many disagreements between equal students from which on they are told apart."""


def part_of_cifar(path: Path) -> None:
    """The first images of train and of test, in the form of the whole."""
    with np.load(JPEG) as whole:
        found = {"classes": whole["classes"]}
        for split, count in (("train", TRAIN), ("test", TEST)):
            offsets = whole[f"offset_{split}"][: count + 1]
            found[f"jpeg_{split}"] = whole[f"jpeg_{split}"][: offsets[-1]]
            found[f"offset_{split}"] = offsets
            found[f"y_{split}"] = whole[f"y_{split}"][:count]
    np.savez(path, **found)


@torch.no_grad()
def right(made: Made[ModelRecord], data: Made[DataRecord], split: Arrays) -> np.ndarray:
    """Which samples a student answers right, bool [n]."""
    model = restored(made, data.record).eval()
    blocks = range(0, len(split.x), 500)
    inputs = (as_model_input(split.x[at : at + 500], data.record) for at in blocks)
    answers = [model(torch.from_numpy(one)).argmax(1).numpy() for one in inputs]
    return np.concatenate(answers) == split.y


def mcnemar(a: np.ndarray, b: np.ndarray) -> float:
    """The chance of so unlike counts of samples that one alone answers right, were both equal."""
    one, other = int((a & ~b).sum()), int((b & ~a).sum())
    both = one + other
    tail = math.fsum(math.comb(both, i) for i in range(min(one, other) + 1)) / 2**both
    return min(1.0, 2.0 * tail)


def seconds_of(record: ModelRecord) -> float:
    """Of training."""
    return math.fsum(epoch.seconds for epoch in record.curve)


class Trained(NamedTuple):
    """A student after all epochs."""

    seconds: float
    score: float
    validation: np.ndarray
    test: np.ndarray


class Timed(Trials):
    """Trials that know how long the short trainings took."""

    short_seconds = 0.0

    def short_training(self, recipe: Recipe, share: float) -> ModelRecord:
        """As ``Trials`` has it."""
        record = super().short_training(recipe, share)
        self.short_seconds += seconds_of(record)
        return record


def fp32_ms(trials: Trials, recipe: Recipe, architecture: Architecture) -> float:
    """Median latency of the fp32 file of a candidate."""
    models = trials.resources(recipe, architecture).benchmark.models
    (value,) = [one.p50_ms.value for one in models if one.name == "fp32"]
    return float(value)


def searching(recipe: Recipe, budget_ms: float) -> Recipe:
    """The same recipe, whose student is to be chosen by this budget."""
    gate = recipe.gate.model_copy(update={"max_p50_ms": budget_ms})
    search, student = Search(models=MODELS, widths=WIDTHS), Student(model=AUTO)
    return recipe.model_copy(update={"gate": gate, "search": search, "student": student})


def main(folder: Path, epochs: int) -> int:
    """Train, choose, compare; 1 where a mark is missed."""
    if not JPEG.is_file():
        print("skipped: no CIFAR-10 in ../shared/data")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    if not (images := folder / "part.npz").is_file():
        part_of_cifar(images)
    recipe = load(RECIPE, [*SETTINGS, f"distill.epochs={epochs}", f"data.source='images:{images}'"])
    trials = Timed(folder / "artifacts", Silent())
    family = tuple(Architecture(model=m, width=w) for m in MODELS for w in WIDTHS)
    costs = trials.costs(recipe, family)
    p50 = {cost: fp32_ms(trials, recipe, cost.architecture) for cost in costs}
    budget = math.sqrt(math.prod(sorted(p50.values())[len(p50) // 2 - 1 :][:2]))

    data, found = trials.data(recipe), {}
    splits = {name: open_split(data.path, name) for name in ("validation", "test")}
    for cost in costs:
        student = with_student(recipe, cost.architecture)
        made = build(student, artifacts=folder / "artifacts", until="student").stopped
        found[cost] = Trained(
            seconds_of(made.record),
            made.record.validation_score,
            *(right(made, data, split) for split in splits.values()),
        )
        told = f"{p50[cost]:.3f} ms, {found[cost].score:.4f}, {found[cost].seconds:.0f} s"
        print(f"{cost.name}: {told}", flush=True)
    fitting = [cost for cost in costs if p50[cost] <= budget]
    best = max(fitting, key=lambda cost: found[cost].score)

    choice = choose(searching(recipe, budget), trials)
    chosen = next(cost for cost in costs if cost == choice.cost)
    exhaustive = math.fsum(one.seconds for one in found.values())
    seconds = trials.short_seconds + found[chosen].seconds
    same = {
        split: mcnemar(getattr(found[best], split), getattr(found[chosen], split))
        for split in splits
    }
    marks = {
        "it fits": p50[chosen] <= budget,
        "the best, or not told from it": chosen == best or min(same.values()) > DIFFERENT,
        "in a third of the training time": seconds <= SHARE * exhaustive,
    }
    print(f"{budget:.3f} ms; best {best.name}, chosen {chosen.name}, p of equality {same}")
    print(f"training {seconds:.0f} s of {exhaustive:.0f} s ({seconds / exhaustive:.2f})")
    document = {
        "host": asdict(describe()),
        "epochs": epochs,
        "budget_ms": budget,
        "family": [
            {
                "name": cost.name,
                "p50_ms": p50[cost],
                "macs": cost.macs,
                "seconds": found[cost].seconds,
                "validation": found[cost].score,
                "test": float(found[cost].test.mean()),
                "short": choice.scores.get(cost),
            }
            for cost in costs
        ],
        "best": best.name,
        "chosen": chosen.name,
        "p_of_equality": same,
        "seconds": {"exhaustive": exhaustive, "auto": seconds},
        "marks": marks,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(document, indent=1) + "\n")
    for mark, met in marks.items():
        print(f"{'met   ' if met else 'MISSED'} {mark}")
    return int(not all(marks.values()))


if __name__ == "__main__":
    kept, whole = sys.argv[1:2], int(sys.argv[2]) if len(sys.argv) > 2 else 8
    with tempfile.TemporaryDirectory() as name:
        sys.exit(main(Path(*(kept or [name])).resolve(), whole))
