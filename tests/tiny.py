"""The smallest real build: 240 points in 6 dimensions, three classes, perceptrons."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np

RECIPE = """
name = "tiny"
threads = 1
[data]
source = "npz:tiny.npz"
test = 0.3
validation = 0.15
calibration = 0.15
[teacher]
model = "mlp2"
width = 32
epochs = 12
batch_size = 16
learning_rate = 0.02
[student]
model = "mlp1"
width = 8
[distill]
epochs = 12
batch_size = 16
learning_rate = 0.05
[benchmark]
processes = 1
seconds = 0.01
max_queries = 64
footprint = false
operators = false
[gate]
min_accuracy = 0.5
max_size_kib = 100
"""


def write(folder: Path) -> Path:
    """The recipe and its data in a folder; returns the recipe's path."""
    random = np.random.default_rng(0)
    y = np.arange(240) % 3
    centres = random.standard_normal((3, 6)) * 2.0
    x = (centres[y] + random.standard_normal((240, 6))).astype(np.float32)
    np.savez(folder / "tiny.npz", x=x, y=y)
    path = folder / "recipe.toml"
    path.write_text(RECIPE)
    return path


def copy(built, folder: Path):
    """A finished build with its recipe, data and artifacts in another folder."""
    done, _, artifacts = built
    copied = Path(shutil.copytree(artifacts, folder / "artifacts", symlinks=True))
    run = copied / done.run.relative_to(artifacts)
    return dataclasses.replace(done, run=run), write(folder), copied


def hashes(report):
    """Everything a build decides; measurements differ from run to run."""
    return {
        "data": report.data.fingerprint,
        "teachers": [t.weights_sha256 for t in report.teachers],
        "students": [s.weights_sha256 for s in report.students + report.plain_students],
        # Not the .ort files: onnxruntime writes their tables in a changing order (DECISIONS.md).
        "files": [(v.name, v.sha256, v.packages[1].model.bytes) for v in report.variants.variants],
        # Without their intervals, which are wider where more variants could ship.
        "accuracy": [q.score.value for q in report.quality.variants],
    }
