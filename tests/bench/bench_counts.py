"""Do counts of instructions repeat, on this machine's kind of core and on an emulated ARM core?

    python tests/bench/bench_counts.py

A perceptron of some 25,000 instructions and a CNN of some millions, each counted in five fresh
processes by callgrind and five on an emulated Cortex-A72. Needs valgrind and
`edgestill devices setup-emulator`. Writes artifacts/bench/counts.json, prints a line each, and ends
with 1 where the five are further apart than 1e-4 of the count, or nothing could be counted.
"""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
from edgestill.devices.instructions import callgrind as counting
from edgestill.devices.instructions import emulated_core as emulated
from edgestill.devices.onboard.machine.host import describe
from edgestill.devices.profiles.profile import load
from edgestill.errors import HostError
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "counts.json"
RUNS, MARK = 5, 1e-4


def perceptron(path: Path) -> Path:
    """One layer of 64 x 64."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    weights = {"w": np.full((64, 64), 0.01, np.float32)}
    return save(path, nodes, [1, 64], [1, 64], weights)


def cnn(path: Path, layers: int = 4, channels: int = 32) -> Path:
    """3 x 3 convolutions over 32 x 32 pixels, each with a ReLU."""
    random = np.random.default_rng(0)
    nodes, weights, name, wide = [], {}, "x", 3
    for index in range(layers):
        drawn = random.standard_normal((channels, wide, 3, 3)) / (9 * wide) ** 0.5
        weights[f"w{index}"] = drawn.astype(np.float32)
        nodes.append(helper.make_node("Conv", [name, f"w{index}"], [f"c{index}"], pads=[1] * 4))
        name, wide = "y" if index == layers - 1 else f"r{index}", channels
        nodes.append(helper.make_node("Relu", [f"c{index}"], [name]))
    return save(path, nodes, [1, 3, 32, 32], [1, channels, 32, 32], weights)


def save(path: Path, nodes: list, taken: list[int], given: list[int], weights: dict) -> Path:
    """A file of one input x and one output y."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, taken)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, given)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def main() -> int:
    """Count, write, print; 1 where the mark is missed."""
    counters = {
        "x86_64": lambda path: counting.count(path, processes=RUNS),
        "aarch64": lambda path: emulated.count(path, load("raspberry-pi-4"), processes=RUNS),
    }
    found, met = {"host": asdict(describe()), "counts": {}}, True
    with tempfile.TemporaryDirectory() as folder:
        models = (perceptron(Path(folder) / "perceptron.onnx"), cnn(Path(folder) / "cnn.onnx"))
        for arch, count in counters.items():
            for model in models:
                try:
                    counted = count(model)
                except HostError as error:
                    print(f"MISSED {arch} {model.stem}: {error}")
                    met = False
                    continue
                spread = (max(counted.counts) - min(counted.counts)) / counted.instructions
                within = spread <= MARK
                met &= within
                found["counts"][f"{arch} {model.stem}"] = asdict(counted)
                print(
                    f"{'met   ' if within else 'MISSED'} {arch} {model.stem}: "
                    f"{counted.instructions:,} instructions, {RUNS} runs apart by {spread:.1e} "
                    f"(<= {MARK:g}), {counted.core}, {counted.kernels}, {counted.runtime}",
                    flush=True,
                )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1))
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
