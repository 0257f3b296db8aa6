"""Latencies that vendors publish of a board, held against what is predicted for it from here.

    python tests/bench/bench_public.py [--processes 3] [--nets googlenet resnet18] [--out FILE]

Each net is built with random weights, quantized for the board, and its operators are timed here on
one thread. Every operator counts by its fastest process, for a busy machine only adds time. What
was timed goes to the JSON file that ``tests/devices/operators/test_public_figures.py`` reads, which
predicts for the board and holds the bands against what is published.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import public_nets
from edgestill.devices.operators.probe import probe
from edgestill.devices.operators.profiling import Profile, merge, net, profile
from edgestill.devices.operators.roofline import machine_of
from edgestill.pipeline.compress.int8 import int8_static
from edgestill.pipeline.compress.method import Job
from edgestill.pipeline.compress.normalize.normal_form import normalize
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.judge.operators import record
from edgestill.pipeline.recipe.compress import Compress

BOARD = "raspberry-pi-5"
OUT = Path(__file__).parents[1] / "devices" / "operators" / "public_operators.json"


def quantized(source: Path, target: Path) -> None:
    """Static int8 for the board; the sample is noise, for nothing but time is looked at.

    It is one, for the nets take one: with two no layer could be tried in int8.
    """
    _, extents = public_nets.NETS[source.stem]
    x = np.random.default_rng(0).standard_normal((1, 3, *extents)).astype(np.float32)
    normal = target.with_suffix(".normal.onnx")
    normalize(source, normal, [{"input": x}])
    int8_static.quantize(
        Job(normal, target, {"input": x}, plan(Compress(target=BOARD)), "minmax", 100.0,
            lost=lambda *_: 0.0, most_lost=0.0)
    )  # fmt: skip


def fastest(path: Path, processes: int) -> Profile:
    """Profiles of several processes, of each operator the fastest."""
    profiles = [profile(path, runs=20) for _ in range(processes)]
    least = {}
    for one in profiles:
        for operator in one.operators:
            key = operator.node, operator.name
            least[key] = min(operator.profiled_us, least.get(key, operator.profiled_us))
    p10_us = min(one.p10_us for one in profiles)
    joined = merge(profiles)
    operators = tuple(
        replace(operator, profiled_us=least[operator.node, operator.name])
        for operator in joined.operators
    )
    p10_us = min(p10_us, sum(operator.profiled_us for operator in operators))
    return replace(joined, operators=net(operators, p10_us), p10_us=p10_us, p50_us=p10_us)


def written(host: dict[str, object], nets: dict[str, list[list[object]]]) -> str:
    """JSON of a line an operator."""
    parts = [
        f"  {json.dumps(name)}: [\n" + ",\n".join(f"   {json.dumps(row)}" for row in rows) + "\n  ]"
        for name, rows in nets.items()
    ]
    return f'{{\n "host": {json.dumps(host)},\n "nets": {{\n' + ",\n".join(parts) + "\n }\n}\n"


def main() -> int:
    """Time, and write what was timed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--nets", nargs="*", default=["googlenet", "ultraface_rfb_320"])
    parser.add_argument("--out", type=Path, default=OUT)
    told = parser.parse_args()
    bounds = machine_of(probe(seconds=1.0))
    if isinstance(bounds, str):
        sys.exit(bounds)
    # The best that was attained: the fastest operators are held against it.
    best = bounds.high
    host = {
        "title": f"{best.title}, one thread",
        "fp32_op_s": best.fp32_op_s,
        "int8_op_s": best.int8_op_s,
        "byte_s": best.byte_s,
        "clock_hz": best.clock_hz,
    }
    nets = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in told.nets:
            fp32, int8 = Path(folder) / f"{name}.onnx", Path(folder) / f"{name}.int8.onnx"
            public_nets.save(name, fp32)
            quantized(fp32, int8)
            for numbers, path in (("fp32", fp32), ("int8", int8)):
                found = record(name, fastest(path, told.processes), bounds, 1)
                nets[f"{name} {numbers}"] = [
                    [o.family, o.type, round(o.us, 1), o.calls, o.operations, o.bytes]
                    for o in found.operators
                ]
                ms = sum(o.us for o in found.operators) / 1e3
                print(f"{name} {numbers} {ms:.2f} ms", flush=True)
    told.out.write_text(written(host, nets))
    return 0


if __name__ == "__main__":
    sys.exit(main())
