"""Do our p50 and p90 agree with a bare ONNX Runtime loop and with loadgen, and what do we cost?

    python tests/bench/bench_latency.py [REPETITIONS] [MODEL…]

For models of some 10 us, 1 ms and 100 ms (of as many layers as take that long here, with weights
that stay in a core's own caches): one fresh process of ours, one of a bare loop (session.run
between two clock readings, written out below, sharing no code with ours) and, where the loadgen
extra is installed, one of MLPerf's loadgen, in turn; the ratios of their p50 and of their p90
(nearest rank in all of them), paired by repetition. Loadgen's figures hold
the way to a Python function and back: where that alone exceeds a mark, nothing is judged by it.

Writes artifacts/bench/latency.json, prints a line each, and ends with 1 where a median ratio is
more than 3 % (p50) or 5 % (p90) from 1, or our loop costs more than 2 us. A machine that does other
work meanwhile will miss these marks; what disturbed it is printed too.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from edgestill.devices.onboard.machine import disturbance
from edgestill.devices.onboard.machine.child import environment
from edgestill.devices.onboard.machine.host import describe
from edgestill.devices.onboard.measure.job import MeasureJob, ScenarioJob
from edgestill.devices.onboard.measure.latency import time_queries
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.onboard.settings import Timing
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.onboard.stats.processes import median_over_processes, ratio_over_processes
from onnx import TensorProto, helper, numpy_helper

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "latency.json"
SECONDS, QUERIES = 0.5, 64  # of each process, whichever is longer
MARKS = {"p50": 0.03, "p90": 0.05}
OVERHEAD_US = 2.0
# Microseconds, width of a layer, rows of a query.
MODELS = {"10us": (10, 64, 1), "1ms": (1_000, 256, 16), "100ms": (100_000, 256, 256)}
BARE = """
import json, sys
from time import perf_counter_ns, perf_counter
import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
options.add_session_config_entry("session.inter_op.allow_spinning", "0")
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
rows, width, seconds, queries = json.loads(sys.argv[2])
x = np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32)
feed = {"x": x}
end = perf_counter() + 0.5
while perf_counter() < end:
    session.run(None, feed)
times = []
end = perf_counter() + seconds
while perf_counter() < end or len(times) < queries:
    a = perf_counter_ns()
    session.run(None, feed)
    b = perf_counter_ns()
    times.append(b - a)
print(json.dumps([np.percentile(times, p, method="inverted_cdf") / 1e3 for p in (50, 90)]))
"""


def main(repetitions: int, names: list[str]) -> int:
    against = ["bare", *(["loadgen"] if find_spec("mlperf_loadgen") else [])]
    found = {"host": asdict(describe()), "repetitions": repetitions, "models": {}}
    before, met = disturbance.snapshot(), True
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            us, width, rows = MODELS[name]
            layers = layers_for(us, width, rows, Path(folder))
            model = dense(Path(folder) / f"{name}.onnx", width, layers, rows)
            figures = in_turn(model, (rows, width), ["ours", *against], repetitions)
            found["models"][name] = {"layers": layers, "us": figures, "ratios": {}}
            for other in against:
                for percentile, mark in MARKS.items():
                    ratio = compare(figures, other, percentile)
                    judged = resolves(figures[other], percentile, mark)
                    met &= within(ratio, mark) or not judged
                    found["models"][name]["ratios"][f"{percentile} over {other}"] = asdict(ratio)
                    word = ("met   " if within(ratio, mark) else "MISSED") if judged else "unfit "
                    print(word, line(name, percentile, figures, other, ratio, mark), flush=True)
    overhead = loop_overhead_us()
    found["loop_overhead_us_per_query"] = overhead
    print(
        f"{'met   ' if overhead <= OVERHEAD_US else 'MISSED'} loop: {overhead:.3f} us a query "
        f"beyond a bare loop (<= {OVERHEAD_US:g})"
    )
    if "loadgen" not in against:
        print("not compared with loadgen: pip install 'edgestill[loadgen]'")
    found["disturbances"] = disturbance.warnings(before, disturbance.snapshot())
    print(*(f"warning: {one}" for one in found["disturbances"]), sep="\n")
    ARTIFACTS.parent.mkdir(parents=True, exist_ok=True)
    ARTIFACTS.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if met and overhead <= OVERHEAD_US else 1


def in_turn(model: Path, size, who: list[str], repetitions: int) -> dict[str, list[dict]]:
    """p50 and p90 of each, microseconds, by repetition; each begins equally often."""
    measures = {"ours": ours_us, "bare": bare_us, "loadgen": loadgen_us}
    figures = {one: [] for one in who}
    for repetition in range(repetitions):
        first = repetition % len(who)
        for one in who[first:] + who[:first]:
            figures[one].append(measures[one](model, size))
    return figures


def compare(figures, other: str, percentile: str) -> Estimate:
    return ratio_over_processes(
        *([one[percentile] for one in figures[who]] for who in ("ours", other))
    )


def resolves(theirs: list[dict], percentile: str, mark: float) -> bool:
    """Whether what the other adds to a query is below the mark."""
    added = np.median([one.get("crossing", 0.0) for one in theirs])
    return bool(added <= mark * np.median([one[percentile] for one in theirs]))


def within(ratio: Estimate, mark: float) -> bool:
    return abs(ratio.value - 1) <= mark


def line(name, percentile, figures, other, ratio, mark) -> str:
    us = {
        who: shown(median_over_processes([one[percentile] for one in figures[who]]))
        for who in ("ours", other)
    }
    return (
        f"{name:5} {percentile} ours {us['ours']} us, {other} {us[other]} us, ratio {shown(ratio)} "
        f"(1 +- {mark:g})"
    )


def dense(path: Path, width: int, layers: int, rows: int = 1) -> Path:
    """Layers of one weight, so that a slow model need not be a large file."""
    weight = np.random.default_rng(0).standard_normal((width, width)) * (2 / width) ** 0.5
    nodes, last = [], "x"
    for i in range(layers):
        nodes.append(helper.make_node("MatMul", [last, "w"], [f"m{i}"]))
        nodes.append(helper.make_node("Relu", [f"m{i}"], [f"h{i}"]))
        last = f"h{i}"
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, width])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, [rows, width])],
        [numpy_helper.from_array(weight.astype(np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def layers_for(us: float, width: int, rows: int, folder: Path) -> int:
    """How many layers take so long: what one more of them takes, and what all else does."""
    few, many = 4, 24
    times = []
    for layers in (few, many):
        model = dense(folder / f"probe-{layers}.onnx", width, layers, rows)
        times.append(min(bare_us(model, (rows, width))["p50"] for _ in range(3)))
    each = (times[1] - times[0]) / (many - few)
    return max(1, round(few + (us - times[0]) / each))


def ours_us(model: Path, _size) -> dict[str, float]:
    samples = model.with_suffix(".npy")
    job = MeasureJob(str(model), str(samples), timing=Timing(SECONDS, QUERIES, 1_000_000))
    run(job, timeout_s=300)
    times = np.load(samples) / 1e3
    return {f"p{p}": float(np.percentile(times, p, method="inverted_cdf")) for p in (50, 90)}


def bare_us(model: Path, size) -> dict[str, float]:
    how = json.dumps([*size, SECONDS, QUERIES])
    ended = subprocess.run(
        [sys.executable, "-c", BARE, str(model), how],
        env=environment(1), capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    return dict(zip(("p50", "p90"), json.loads(ended.stdout), strict=True))


def loadgen_us(model: Path, _size) -> dict[str, float]:
    samples = model.with_name(f"{model.stem}-loadgen.npy")
    job = ScenarioJob(str(model), "loadgen", str(samples), timing=Timing(SECONDS, QUERIES))
    told = run(job, timeout_s=300)
    if not told.valid:
        raise SystemExit(f"loadgen called its run of {model.name} invalid")
    us = {
        name: getattr(told, f"{name}_ns") / 1e3
        for name in ("p50", "p90", "inside_p50", "inside_p90")
    }
    return us | {"crossing": us["p50"] - us["inside_p50"]}


def loop_overhead_us(queries: int = 200_000) -> float:
    """What a query costs around the call, over two clock readings and the call; best of five."""

    class Nothing:
        def query(self, feed, /):
            return None

    session, feed, clock = Nothing(), {"x": 0}, perf_counter_ns
    extra = []
    for _ in range(5):
        begun = clock()
        for _ in range(queries):
            clock()
            session.query(feed)
            clock()
        bare = clock() - begun
        begun = clock()
        time_queries(session, [feed], seconds=0, min_queries=queries, max_queries=queries)
        extra.append((clock() - begun - bare) / queries / 1e3)
    return min(extra)


def shown(one) -> str:
    interval = "" if one.low is None else f" [{one.low:.3f}, {one.high:.3f}]"
    return f"{one.value:.3f}{interval}"


if __name__ == "__main__":
    said = sys.argv[1:]
    sys.exit(main(int(said[0]) if said else 9, said[1:] or list(MODELS)))
