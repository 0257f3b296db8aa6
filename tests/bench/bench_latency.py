"""Does our p50 agree with a bare ONNX Runtime loop, and what does our loop cost?

    python tests/bench/bench_latency.py [REPETITIONS]

For a model of some 20 us and one of some 1 ms: one fresh process of ours and one of a bare loop
(session.run between two clock readings, written out below, sharing no code with ours) in turn, the
ratio of their medians paired by repetition. Writes artifacts/bench/latency.json, prints a line
each, and ends with 1 where a median ratio is more than 5 % from 1 or our loop costs more than 2 us.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from edgestill.devices.host import describe
from edgestill.devices.job import MeasureJob
from edgestill.devices.local import environment, run
from edgestill.devices.measure.latency import time_queries
from edgestill.devices.stats import median_over_processes, ratio_over_processes
from onnx import TensorProto, helper, numpy_helper

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "latency.json"
SECONDS = 0.5
MODELS = {"20us": (160, 6), "1ms": (1024, 5)}
BARE = """
import sys
from time import perf_counter_ns, perf_counter
import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
options.add_session_config_entry("session.inter_op.allow_spinning", "0")
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
x = np.random.default_rng(0).standard_normal((1, int(sys.argv[2]))).astype(np.float32)
feed = {"x": x}
end = perf_counter() + 0.5
while perf_counter() < end:
    session.run(None, feed)
times = []
end = perf_counter() + float(sys.argv[3])
while perf_counter() < end:
    a = perf_counter_ns()
    session.run(None, feed)
    b = perf_counter_ns()
    times.append(b - a)
print(np.median(times))
"""


def main(repetitions: int) -> int:
    found = {"host": asdict(describe()), "repetitions": repetitions, "models": {}}
    agrees = True
    with tempfile.TemporaryDirectory() as folder:
        for name, (width, layers) in MODELS.items():
            model = dense(Path(folder) / f"{name}.onnx", width, layers)
            ours, bare = [], []
            for repetition in range(repetitions):
                turns = [(ours, our_p50_us), (bare, bare_p50_us)]
                for figures, p50_us in turns if repetition % 2 else reversed(turns):
                    figures.append(p50_us(model, width))
            ratio = ratio_over_processes(ours, bare)
            agrees &= abs(ratio.value - 1) <= 0.05
            figures = {
                "ours_p50_us": median_over_processes(ours),
                "bare_p50_us": median_over_processes(bare),
                "ratio": ratio,
            }
            found["models"][name] = {key: asdict(one) for key, one in figures.items()} | {
                "ours_us": ours,
                "bare_us": bare,
            }
            line = "  ".join(f"{key} {shown(one)}" for key, one in figures.items())
            print(f"{name:5} {line}", flush=True)
    overhead = loop_overhead_us()
    found["loop_overhead_us_per_query"] = overhead
    print(f"loop  overhead beyond a bare loop {overhead:.3f} us a query")
    ARTIFACTS.parent.mkdir(parents=True, exist_ok=True)
    ARTIFACTS.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if agrees and overhead <= 2.0 else 1


def dense(path: Path, width: int, layers: int) -> Path:
    random = np.random.default_rng(0)
    nodes, stored, last = [], [], "x"
    for i in range(layers):
        weight = random.standard_normal((width, width)).astype(np.float32) / width**0.5
        stored.append(numpy_helper.from_array(weight, f"w{i}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"]))
        nodes.append(helper.make_node("Relu", [f"m{i}"], [f"h{i}"]))
        last = f"h{i}"
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", width])],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def our_p50_us(model: Path, _width: int) -> float:
    samples = model.with_suffix(".npy")
    job = MeasureJob(str(model), str(samples), seconds=SECONDS, max_queries=1_000_000)
    run(job, timeout_s=60)
    return float(np.median(np.load(samples))) / 1e3


def bare_p50_us(model: Path, width: int) -> float:
    command = [sys.executable, "-c", BARE, str(model), str(width), str(SECONDS)]
    ended = subprocess.run(
        command, env=environment(1), capture_output=True, text=True, check=True, timeout=60
    )
    return float(ended.stdout) / 1e3


def loop_overhead_us(queries: int = 200_000) -> float:
    """What a query costs around the call, over two clock readings and the call; best of five."""

    class Nothing:
        def run(self, _, feed, /):
            return None

    session, feed, clock = Nothing(), {"x": 0}, perf_counter_ns
    extra = []
    for _ in range(5):
        begun = clock()
        for _ in range(queries):
            clock()
            session.run(None, feed)
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
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 9))
