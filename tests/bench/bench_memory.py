"""Does a build's own memory stay flat on a data set and on soft targets larger than it may use?

    python tests/bench/bench_memory.py

2 GiB of images and 1 GiB of soft targets (256 classes, three views) go through a whole build with
perceptrons, one epoch each. What is measured is anonymous memory (RssAnon, sampled every 20 ms)
over that after the imports: file pages belong to the page cache. Takes 12 GiB of disk in the
temporary folder. Writes artifacts/bench/memory.json; ends with 1 where the mark is missed.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "memory.json"
ROWS, CLASSES, BLOCK = 760_000, 256, 20_000
MARK_MIB = 1024.0
RECIPE = """
name = "memory"
threads = 2
[data]
source = "mine:arrays"
test = 0.05
validation = 0.02
calibration = 0.005
[augment]
crop = 1
[teacher]
model = "mlp1"
width = 64
epochs = 1
batch_size = 512
[student]
model = "mlp1"
width = 16
[distill]
views = 3
epochs = 1
batch_size = 512
[compress]
variants = ["fp32", "int8-static"]
[benchmark]
processes = 6
seconds = 0.05
[gate]
max_size_kib = 100000
"""
MODULE = """
from pathlib import Path
import numpy as np
def arrays():
    here = Path(__file__).parent
    return {"x": np.load(here / "x.npy", mmap_mode="r"), "y": np.load(here / "y.npy")}
"""
CHILD = """
import json, re, sys, threading, time
from pathlib import Path
import edgestill.pipeline.commands.cli, sklearn.model_selection, torch, onnx, onnxruntime
from edgestill.pipeline.build import build
def anonymous():
    text = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\\s+(\\d+)", text)[1]) / 1024
peak, stage, peaks = [0.0], ["start"], {}
base = anonymous()
def watch():
    while True:
        now = anonymous() - base
        peaks[stage[0]] = max(peaks.get(stage[0], 0.0), now)
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
from contextlib import contextmanager
@contextmanager
def around(name):
    stage[0] = name
    yield
built = build(sys.argv[1], artifacts=sys.argv[2], around=around)
targets = built.report.targets
print(json.dumps({"peaks_mib": peaks, "base_mib": base, "targets_mib": targets.bytes / 2**20}))
"""


def write(folder: Path) -> float:
    """Noise of which each class has its own brightness; MiB of it."""
    random = np.random.default_rng(0)
    y = np.arange(ROWS) % CLASSES
    x = open_memmap(folder / "x.npy", mode="w+", dtype=np.uint8, shape=(ROWS, 32, 32, 3))
    for start in range(0, ROWS, BLOCK):
        labels = y[start : start + BLOCK]
        noise = random.integers(0, 64, (len(labels), 32, 32, 3), np.uint8)
        x[start : start + BLOCK] = noise + (labels[:, None, None, None] % 192).astype(np.uint8)
    x.flush()
    np.save(folder / "y.npy", y)
    (folder / "mine.py").write_text(MODULE)
    (folder / "recipe.toml").write_text(RECIPE)
    return x.nbytes / 2**20


def main() -> int:
    """Measure, write, print; 1 where the mark is missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data_mib = write(folder)
        done = subprocess.run(
            [sys.executable, "-c", CHILD, "recipe.toml", "artifacts"],
            cwd=folder, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    found = json.loads(done.stdout) | {"data_mib": data_mib}
    peak = max(found["peaks_mib"].values())
    met = peak <= MARK_MIB
    print(
        f"{'met   ' if met else 'MISSED'} peak anonymous memory over the imports: {peak:.0f} MiB "
        f"(<= {MARK_MIB:.0f}) on {data_mib:.0f} MiB of data and {found['targets_mib']:.0f} MiB of "
        "soft targets"
    )
    print("       " + ", ".join(f"{k} {v:.0f} MiB" for k, v in found["peaks_mib"].items()))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1))
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
