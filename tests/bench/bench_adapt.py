"""How many steps does a distilled student save on classes that it has never seen?

    python tests/bench/bench_adapt.py [--source cifar10] [--held 2500] [--seeds 3] [--epochs 12]
        [--validation 0.1]

A ResNet-8 is distilled on the first classes of a data set and adapted to the held ones; the same
student from random weights is trained by the same schedule. The mark: the adapted one has the other
one's final score in a fifth of the steps: on validation, by the one schedule of both, on average
over seeds; or on test, by a complete schedule of so few steps, in every seed. Steps are those that
the report counts, with the fit of the new last layer. ``cifar10`` are the first six and the last
four classes of CIFAR-10 as JPEG, for which ResNet-56 is the teacher, and 2,500 training images of
each held class (``--held``): it needs ../shared/data and takes half an hour on two cores.
``digits`` are those of scikit-learn, a minute; ``--held`` is not for them.
Writes artifacts/bench/adapt-<source>.json.
"""

import argparse
import io
import json
import sys
import tempfile
from pathlib import Path

import edgestill
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
OUT = ROOT / "artifacts" / "bench"
MARK = 0.2
SHARES = (0.05, 0.1, 0.2)
"""Of the epochs, for complete schedules of the adapted student's own."""
HELD = 2500
"""Training images of each held class, unless ``--held`` says otherwise."""
MEASURED = """
[compress]
variants = ["fp32"]
[benchmark]
processes = 1
seconds = 0.01
operators = false
footprint = false
[gate]
max_size_kib = 400
"""
DIGITS = """
name = "digits-0-to-5"
threads = 1
[data]
source = "npz:first.npz"
[teacher]
model = "resnet14"
width = 16
epochs = 12
batch_size = 32
weight_decay = 0.5
[student]
model = "resnet8"
[distill]
epochs = 20
batch_size = 32
learning_rate = 0.01
weight_decay = 0.5
"""
CIFAR = """
name = "cifar10-six"
threads = 1
[data]
source = "npz:first.npz"
validation = 0.06
calibration = 0.02
duplicates = "drop"
mean = [123.675, 116.28, 103.53]
std = [58.395, 57.12, 57.375]
[augment]
crop = 4
flip = true
[teacher]
model = "resnet56"
weights = "teacher.safetensors"
[student]
model = "resnet8"
width = 8
[distill]
views = 2
epochs = 16
batch_size = 128
learning_rate = 0.01
weight_decay = 0.05
"""


def digits(folder: Path, held: int) -> str:
    """The first six digits, and the last four."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = data.images.astype(np.uint8), data.target
    for name, first, last in (("first", 0, 6), ("held", 6, 10)):
        rows = (y >= first) & (y < last)
        np.savez(folder / f"{name}.npz", x=x[rows], y=y[rows] - first)
    return DIGITS


def cifar10(folder: Path, held: int) -> str:
    """The first six classes with a teacher of six outputs, and a part of the last four."""
    from PIL import Image
    from safetensors.numpy import load_file, save_file

    with np.load(SHARED / "cifar10_jpeg_stream.npz") as archive:
        stream = {name: archive[name] for name in archive.files}

    def decoded(split: str, row: int) -> np.ndarray:
        offset = stream[f"offset_{split}"]
        jpeg = stream[f"jpeg_{split}"][offset[row] : offset[row + 1]].tobytes()
        return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))

    random = np.random.default_rng(0)
    for name, first, last, most in (("first", 0, 6, 5000), ("held", 6, 10, held)):
        arrays = {}
        for split, limit in (("train", most), ("test", 1000)):
            y = stream[f"y_{split}"]
            drawn = [random.permutation(np.flatnonzero(y == c))[:limit] for c in range(first, last)]
            rows = np.sort(np.concatenate(drawn))
            arrays[f"x_{split}"] = np.stack([decoded(split, row) for row in rows])
            arrays[f"y_{split}"] = y[rows].astype(np.int64) - first
        np.savez(folder / f"{name}.npz", **arrays)
    weights = load_file(SHARED / "cifar10_resnet56_jpeg.safetensors")
    for name in ("linear.weight", "linear.bias"):
        weights[name] = np.ascontiguousarray(weights[name][:6])
    save_file(weights, folder / "teacher.safetensors")
    return CIFAR


SOURCES = {"digits": digits, "cifar10": cifar10}


def measured(
    source: str,
    folder: Path,
    seeds: int,
    epochs: int,
    held: int,
    validation: float,
    **more: object,
) -> edgestill.Run:
    """The adapted run."""
    (folder / "recipe.toml").write_text(SOURCES[source](folder, held) + MEASURED)
    artifacts = folder / "artifacts"
    run = edgestill.build(folder / "recipe.toml", artifacts=artifacts, progress=False)
    return edgestill.adapt(
        run,
        f"npz:{folder / 'held.npz'}",
        artifacts=artifacts,
        overrides={
            "distill.seeds": seeds,
            "distill.epochs": epochs,
            "data.duplicates": "drop",
            "student.step_shares": SHARES,
            "data.validation": validation,
            **({"data.calibration": 0.02} if source == "cifar10" else {}),
            **more,
        },
        progress=False,
    )


def main() -> int:
    """Measure, write, print; 1 where the mark is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", choices=SOURCES, default="digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--held", type=int, default=HELD)
    parser.add_argument("--validation", type=float, default=0.1)
    told = parser.parse_args()
    if told.source == "cifar10" and not (SHARED / "cifar10_jpeg_stream.npz").is_file():
        print("skipped: no cifar10_jpeg_stream.npz in ../shared/data")
        return 0
    epochs = told.epochs or {"digits": 20, "cifar10": 12}[told.source]
    with tempfile.TemporaryDirectory() as text:
        run = measured(told.source, Path(text), told.seeds, epochs, told.held, told.validation)
    made = run.report.adaptation
    assert made is not None
    share = made.steps_share.value
    enough = [
        one.steps
        for one in made.shorter
        if all(a >= b for a, b in zip(one.test_scores, made.scratch_score, strict=True))
    ]
    own = min(enough) / made.total_steps if enough else None
    met = min(one for one in (share, own, 1.0) if one is not None) <= MARK
    document = {
        "source": told.source,
        "held": told.held,
        "total_steps": made.total_steps,
        "batch_size": made.batch_size,
        "samples": made.samples,
        "reached": [one.model_dump() for one in made.reached],
        "steps_share": [share, made.steps_share.low, made.steps_share.high],
        "shorter": [one.model_dump() for one in made.shorter],
        "adapted_score": made.adapted_score,
        "scratch_score": made.scratch_score,
    }
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"adapt-{told.source}.json").write_text(json.dumps(document, indent=1))
    steps = ", ".join(str(one.steps) for one in made.reached)
    schedules = "; ".join(
        f"{one.steps} steps ({one.difference.value:+.4f} on test)" for one in made.shorter
    )
    print(
        f"{'ok    ' if met else 'MISSED'} {told.source}: the validation {made.metric} of "
        f"{made.total_steps:,} steps from random weights after {steps} steps; on test "
        f"{made.adapted_score} against {made.scratch_score}; complete schedules of its own: "
        f"{schedules}"
    )
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
