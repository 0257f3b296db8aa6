"""Does a second worker make a search faster?

    python tests/bench/bench_cluster_search.py [EPOCHS]

`edgestill search` over eight widths of one family, on a Ray of this machine whose head measures and
whose one worker, then two, train: a core each, so that it needs two quiet cores. Every search has
a store of its own; the data and the teacher are made before the clock starts. Writes
artifacts/bench/cluster_search.json, prints a line, and ends with 1 where the mark is missed.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import edgestill
from edgestill.devices.onboard.machine.host import describe

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "cluster_search.json"
MARK = 0.65
STORE_BYTES = 100 * 2**20
RECIPE = """
name = "family"
threads = 1
[data]
source = "digits"
[teacher]
model = "resnet14"
width = 8
epochs = 3
[student]
model = "resnet8"
width = 8
[distill]
epochs = {epochs}
[compress]
variants = ["fp32"]
[benchmark]
processes = 1
seconds = 0.05
footprint = false
operators = false
[gate]
max_size_kib = 10000
"""
SEARCH = """
[search]
models = ["resnet8"]
widths = [4, 6, 8, 10, 12, 14, 16, 20]
choices = ["student"]
processes = 1
finalist_share = 0.5
"""


def searched(recipe: Path, workers: int) -> float:
    """Seconds of a search on so many workers; data and teacher are made before."""
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "resources": {"device:host": 1}, **small},
    )
    for _ in range(workers):
        cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    artifacts = recipe.parent / f"workers-{workers}"
    try:
        edgestill.build(recipe, artifacts=artifacts, until="targets", progress=False)
        search = recipe.with_name("search.toml")
        search.write_text(recipe.read_text() + SEARCH)
        began = time.monotonic()
        edgestill.search(
            search, trials=8, artifacts=artifacts, engine="ray", address=cluster.address
        )
        return time.monotonic() - began
    finally:
        cluster.shutdown()


def main() -> int:
    """Search twice, write, print; 1 where the mark is missed."""
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.toml"
        recipe.write_text(RECIPE.format(epochs=epochs))
        one_s, two_s = (searched(recipe, workers) for workers in (1, 2))
    ratio = two_s / one_s
    met = ratio <= MARK
    print(f"{'ok    ' if met else 'MISSED'} two workers over one {ratio:.3g} (wanted <= {MARK:g})")
    print(f"one {one_s:.0f} s, two {two_s:.0f} s")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    here = describe()
    figures = {"one_worker_s": one_s, "two_workers_s": two_s, "ratio": ratio}
    OUT.write_text(json.dumps({"cpu": here.cpu, "cores": here.available_cores, **figures}))
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
