"""Does a recipe on `npz:` MNIST run the same way, in bounded memory?

    python tests/bench/bench_mnist.py

A perceptron teacher and student on 60,000 + 10,000 images, two epochs each: what is measured is the
pipeline, not the nets. Peak memory is the build's own (ru_maxrss, it and its children) over that of
a build of digits, so that torch and the libraries cancel. Needs ../shared/data/mnist_28x28.npz.
Writes artifacts/bench/mnist.json.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "mnist_28x28.npz"
OUT = ROOT / "artifacts" / "bench" / "mnist.json"
RECIPE = """
name = "mnist"
[data]
source = "npz:{path}"
duplicates = "drop"
[teacher]
model = "{teacher}"
width = {wide}
epochs = 2
batch_size = 128
[student]
model = "{student}"
width = {narrow}
[distill]
epochs = 2
batch_size = 128
[benchmark]
processes = 6
seconds = 0.1
[gate]
min_accuracy = 0.9
max_size_kib = 2000
"""
CHILD = (
    "import json, resource, sys; from edgestill.pipeline.build import build; "
    "b = build(sys.argv[1], artifacts=sys.argv[2]); "
    "kib = max(resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, "
    "resource.RUSAGE_CHILDREN)); "
    "print(json.dumps([kib / 1024, b.report.verdict.outcome, b.report.verdict.ship, "
    "{q.name: q.score.value for q in b.report.quality.variants}, "
    "b.report.quality.teacher.score.value, b.report.data.dropped]))"
)


def build(recipe: str, folder: Path, name: str) -> tuple[float, list[object]]:
    """Seconds and what the build said of itself."""
    path = folder / f"{name}.toml"
    path.write_text(recipe)
    began = time.perf_counter()
    command = [sys.executable, "-c", CHILD, str(path), str(folder / "artifacts")]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return time.perf_counter() - began, json.loads(done.stdout)


def main() -> int:
    """Measure, write, print; 1 where memory is not bounded or nothing ships."""
    if not DATA.is_file():
        print(f"skipped: no {DATA.name} in ../shared/data")
        return 0
    nets = {"teacher": "mlp2", "wide": 256, "student": "mlp1", "narrow": 32}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        small = RECIPE.format(path="digits", **nets).replace("npz:digits", "digits")
        _, (small_mib, *_) = build(small, folder, "digits")
        seconds, found = build(RECIPE.format(path=DATA, **nets), folder, "mnist")
    with np.load(DATA) as archive:
        data_mib = sum(archive[name].nbytes for name in archive.files) / 2**20
    growth = float(found[0]) - float(small_mib)  # type: ignore[arg-type]
    # The pages of a memory map that were touched count as resident though the kernel may take them
    # back at any time, so one copy of the data is the bound; a second copy would break it.
    met = growth <= data_mib * 1.5 and found[1] == "ready"
    document = {
        "seconds": seconds,
        "peak_mib": found[0],
        "peak_over_digits_mib": growth,
        "data_mib": data_mib,
        "outcome": found[1],
        "ship": found[2],
        "accuracy": found[3],
        "teacher_accuracy": found[4],
        "dropped": found[5],
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(document, indent=1))
    print(
        f"{'ok    ' if met else 'MISSED'} {seconds:.0f} s, {found[1]}, teacher {found[4]:.4f}, "
        f"{found[3]}, peak {growth:.0f} MiB over digits' for {data_mib:.0f} MiB of data"
    )
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
