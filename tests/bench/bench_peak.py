"""Does peak memory repeat, and does somebody who watches from outside see the same?

    python tests/bench/bench_peak.py

Two models made here, one of weights (24 MiB) and one of activations (two tensors of 8 MiB alive
together), each measured five times as `edgestill bench` does it, each time below another path.
Mark: the five figures lie within 64 KiB. Beside it is told how far the processes lie apart that are
timed, in which addresses are drawn anew and malloc is left to itself.

Then five more processes, while this one reads the child's resident memory from outside as often as
it can (`/proc/PID/status`, VmRSS), and takes from its highest reading what a process holds that
only made the same imports. Mark: the median of the child's own figures is within 5 % of the
observer's. Writes artifacts/bench/peak.json; ends with 1 where a mark is missed.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from statistics import median

import numpy as np
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.onboard.machine.child import environment
from edgestill.devices.onboard.measure.job import MemoryJob
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.onboard.settings import Timing
from edgestill.devices.scenarios.single_stream import measure
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "peak.json"
RUNS, SPREAD_KIB, APART = 5, 64.0, 0.05
SETTINGS = Settings(processes=3, timing=Timing(0.05, warmup_seconds=0.2))
QUERIES = 200
"""So many that the observer gets to see each state."""
IMPORTS = (
    "import gc, ctypes, sys, edgestill.devices.onboard.measure.worker, numpy\n"
    "from edgestill.devices.onboard.measure import footprint, memory\n"
    "from edgestill.devices.onboard.runtimes import onnxruntime\n"
    "memory.fix_thresholds()\n"
    "memory.begin()\n"
    "print('ready', flush=True)\n"
    "sys.stdin.read()\n"
)


def save(path: Path, nodes, shape, weights) -> Path:
    """A model from x to y with its weights inside."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(made.SerializeToString())
    return path


def of_weights(folder: Path) -> Path:
    """Six square matrices of 4 MiB."""
    random = np.random.default_rng(0)
    weights = {f"w{i}": random.standard_normal((1024, 1024), np.float32) / 32 for i in range(6)}
    names = ["x", *(f"h{i}" for i in range(5)), "y"]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(6)]
    return save(folder / "weights.onnx", nodes, [1, 1024], weights)


def of_activations(folder: Path) -> Path:
    """Convolutions over 32 channels of 256 x 256."""
    random = np.random.default_rng(0)
    weights = {
        f"w{i}": random.standard_normal((32, 3 if i == 0 else 32, 3, 3), np.float32) / 16
        for i in range(3)
    }
    names = ["x", "h0", "h1", "h2"]
    nodes = [
        helper.make_node("Conv", [names[i], f"w{i}"], [names[i + 1]], pads=[1, 1, 1, 1])
        for i in range(3)
    ]
    nodes.append(helper.make_node("GlobalAveragePool", ["h2"], ["y"]))
    return save(folder / "activations.onnx", nodes, [1, 3, 256, 256], weights)


def resident(pid: int) -> int:
    """Bytes that a process holds now, 0 once it has gone."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) * 1024 if found else 0


def imports_alone() -> int:
    """What a process holds that made the same imports and nothing else."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", IMPORTS],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(1), text=True,
    ) as child:  # fmt: skip
        child.stdout.readline()
        held = resident(child.pid)
        child.stdin.close()
    return held


def observed(model: Path) -> tuple[int, int, int]:
    """The child's own figure, the observer's highest reading, and how many readings it had."""
    job = MemoryJob(model=str(model), queries=QUERIES)
    answers = []
    asked = threading.Thread(target=lambda: answers.append(run(job, timeout_s=120)))
    asked.start()
    children = Path(f"/proc/self/task/{asked.native_id}/children")
    highest, readings, pid = 0, 0, None
    while asked.is_alive():
        if pid is None:
            named = children.read_text().split() if children.exists() else []
            pid = int(named[0]) if named else None
            continue
        highest = max(highest, resident(pid))
        readings += 1
    asked.join()
    return answers[0].peak_memory_bytes, highest, readings


def reported(model: Path, folder: Path) -> tuple[float, list[float]]:
    """The figure of one benchmark, and the peaks of the processes that it timed."""
    found = measure(Request([Subject(model.stem, model)], SETTINGS, folder))
    records = json.loads((folder / "processes.json").read_text())
    return found.models[0].peak_memory_bytes.value, [one["peak_memory_bytes"] for one in records]


def main() -> int:
    """Measure, write, print; 1 where a mark is missed."""
    table, met = [], True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model in (of_weights(folder), of_activations(folder)):
            runs = []
            for run in range(RUNS):
                below = folder / ("x" * 9 * run + "-") / model.stem
                below.mkdir(parents=True)
                runs.append(reported(Path(shutil.copy(model, below)), below / "out"))
            figures = [figure for figure, _ in runs]
            timed = [peak for _, peaks in runs for peak in peaks]
            seen = [(*observed(model), imports_alone()) for _ in range(RUNS)]
            own = [peak for peak, _, _, _ in seen]
            outside = [highest - base for _, highest, _, base in seen]
            spread, spread_of_timed = ((max(v) - min(v)) / 1024 for v in (figures, timed))
            apart = median(own) / median(outside) - 1
            good = spread <= SPREAD_KIB and abs(apart) <= APART
            met &= good
            table.append(
                {
                    "model": model.stem,
                    "figures_bytes": figures,
                    "timed_bytes": timed,
                    "observed_bytes": own,
                    "observer_bytes": outside,
                    "readings": [count for _, _, count, _ in seen],
                    "spread_kib": spread,
                    "spread_of_timed_kib": spread_of_timed,
                    "apart": apart,
                    "met": good,
                }
            )
            word = "met   " if good else "MISSED"
            print(
                f"{word} {model.stem}: peak {median(figures) / 2**20:.2f} "
                f"MiB, {RUNS} runs within {spread:.0f} KiB (<= {SPREAD_KIB:.0f}; while it is "
                f"timed within {spread_of_timed:.0f}), {apart:+.1%} from the observer's "
                f"{median(outside) / 2**20:.2f} MiB (<= {APART:.0%})",
                flush=True,
            )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(table, indent=1))
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
