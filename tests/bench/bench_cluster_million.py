"""A million samples of eight views on 64 workers: what does the engine itself cost?

    python tests/bench/bench_cluster_million.py [SAMPLES [WORKERS [TIMES]]]

A real Ray with so many logical workers; their teacher is simulated: it sleeps as long as a
ResNet-56 took for blocks of CIFAR-10 pictures, measured first on one thread of this machine (TIMES
as fast: 1). Answers of the size of a thousand classes are written to a real store, shard by shard,
and put together. All workers share the cores of this machine, so the overhead is an upper bound.
Writes artifacts/bench/cluster_million.json, prints a line a mark and the table of docs/cluster.md,
and ends with 1 where a mark is missed.
"""

import json
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from edgestill.devices.onboard.machine.host import describe
from edgestill.pipeline.distill.shards import BLOCK
from edgestill.pipeline.engine import ray_start
from edgestill.pipeline.engine.compute import Compute
from edgestill.pipeline.engine.remote import Cluster
from edgestill.pipeline.engine.store import Store
from edgestill.tests.bench.million_stages import TARGETS, Asked, split

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "cluster_million.json"
VIEWS = 8
_BEGUN = re.compile(r"shard (\d+) of \d+: on \S+, pid (\d+)")


def block_seconds(times: float) -> tuple[float, ...]:
    """Seconds of a ResNet-56 for a block of 32 × 32 pictures, on one thread, several times."""
    import torch
    from edgestill.pipeline.models.resnet import ResNet

    torch.set_num_threads(1)
    model = ResNet(9, 16, 3, 10).eval()
    x, found = torch.randn(BLOCK, 3, 32, 32), []
    with torch.no_grad():
        for _ in range(24):
            began = time.perf_counter()
            model(x)
            found.append((time.perf_counter() - began) / times)
    return tuple(found[4:])


class Growth:
    """Progress that weighs the store as shards are done."""

    def __init__(self, store: Path, every: int) -> None:
        self.store, self.every = store, every
        self.done, self.found = 0, []
        self.first = self.last = 0.0

    def steps(self, what: str, total: int) -> "Growth":
        return self

    def __enter__(self) -> "Growth":
        return self

    def __exit__(self, *_: object) -> None: ...

    def advance(self, detail: str = "") -> None:
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.done += 1
        if self.done % self.every == 0:
            # Those whose entry is written: others are still drafts.
            sizes = [f.stat().st_size for f in self.store.glob("[0-9a-f]*/*")]
            self.found.append((self.done, sum(sizes)))

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None:
        print(f"warning: {text}")


def slope_error(points: list[tuple[int, int]]) -> float:
    """The largest distance of the points from a line through zero, as a share of the last."""
    shards, sizes = points[-1]
    return max(abs(size - sizes * done / shards) for done, size in points) / sizes


def main() -> int:
    """Measure, write, print; 1 where a mark is missed."""
    samples, workers, times = (*map(float, sys.argv[1:]), *(1e6, 64, 1.0)[len(sys.argv) - 1 :])
    asked = Asked(int(samples), VIEWS, block_seconds(times))
    number = len(split(asked))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ray_start.available_cores = lambda: int(workers)  # logical ones
        executor = stack.enter_context(ray_start.opened(None, folder / "ray.log"))
        cluster = stack.enter_context(Cluster(executor, folder / "logs"))
        store = Store(folder / "artifacts")
        growth = Growth(store.root, max(1, number // 8))
        began = time.monotonic()
        engine = cluster.engine(store, Compute(1), growth)
        made = engine.run_stage(TARGETS, asked)
        engine.finish()
        whole_s = time.monotonic() - began
        shards_s = growth.last - growth.first
        (log,) = folder.glob("logs/*targets*")
        pids = [pid for _, pid in _BEGUN.findall(log.read_text())]
        targets = sum(f.stat().st_size for f in made.path.iterdir())
        slept = made.record.slept_s
    counts = Counter(pids)
    # From the first shard that was done to the last: workers had started by then.
    share = 1 - min(int(workers), number - 1) / number
    ideal_s = slept * share / workers
    overhead_s = (shards_s - ideal_s) * workers / (number * share)
    shard_s = slept / number
    balance = max(counts.values()) / (number / len(counts))
    figures = {
        "overhead_share_of_a_shard": (overhead_s / shard_s, "<=", 0.1),
        "most_shards_over_mean": (balance, "<=", 1.25),
        "store_off_a_line": (slope_error(growth.found), "<=", 0.02),
    }
    missed = 0
    for name, (found, _, mark) in figures.items():
        missed += found > mark
        print(f"{'ok    ' if found <= mark else 'MISSED'} {name} {found:.4g} (wanted <= {mark:g})")
    rows = {
        "samples × views": f"{int(samples):,} × {VIEWS}",
        "logical workers": f"{len(counts)}",
        "shards": f"{number:,}",
        "teacher's time of a shard, simulated": f"{shard_s:.2f} s",
        "from the first shard to the last": f"{shards_s:.0f} s, ideal {ideal_s:.0f} s",
        "overhead a shard (Ray, key, store)": f"{1000 * overhead_s:.0f} ms of a worker",
        "start of all workers": f"{growth.first - began - shard_s:.0f} s",
        "merge": f"{whole_s - (growth.last - began):.0f} s",
        "shards of a worker": f"{min(counts.values())} to {max(counts.values())}",
        "targets": f"{targets / 1e9:.2f} GB, {targets / asked.rows / VIEWS:.0f} B a row",
        "store, by shards done": ", ".join(f"{size / 1e9:.2f}" for _, size in growth.found) + " GB",
    }
    print("\n| | |\n|---|---|")
    print("\n".join(f"| {name} | {text} |" for name, text in rows.items()))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    here = describe()
    document = {"cpu": here.cpu, "cores": here.available_cores, "rows": rows}
    document["figures"] = {
        name: {"found": f, "wanted": f"{s} {m}"} for name, (f, s, m) in figures.items()
    }
    OUT.write_text(json.dumps(document, indent=1))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
