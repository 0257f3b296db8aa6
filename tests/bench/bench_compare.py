"""Does ``compare`` tell a model from itself, and two that differ by a tenth?

    python tests/bench/bench_compare.py [TRIALS]

TRIALS (20; 200 is the long form, of some hours) comparisons each, beside a process on every core
that never rests: of a model with itself, where at most 1 % may say "different" (and in the short
form chance must not rule 1 % out), and with one of a tenth more layers, where 95 % must. The true
ratio of those two is measured before the neighbours come. Before all that, simulated pairs of one
model; see tests/simulated.py. Writes artifacts/bench/compare.json after each part, prints a line a
mark, and ends with 1 where one is missed.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from bench_latency import dense
from edgestill.devices.onboard.machine.host import describe
from edgestill.devices.onboard.stats.distributions import binomial_cdf
from edgestill.pipeline.finished import compare as comparison
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.tasks.proportions import proportion

sys.path.insert(0, str(Path(__file__).parents[1]))
from simulated import Machine, found_different

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "compare.json"
LAYERS, WIDTH = 20, 256
QUICK = {"seconds": 0.2, "warmup_seconds": 0.2}
SIMULATED = 2000
BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
"""Ends with whoever started it, however that ends."""
CHANCE = 0.05
"""A count is held against a rate: missed where the rate would give such a count less often."""


def main(trials: int) -> int:
    """Measure, simulate, print, write; 1 where a mark is missed."""
    found = {"host": asdict(describe()), "trials": trials}
    marks = []

    def part(name: str, result: dict, met: bool, line: str) -> None:
        found[name] = {**result, "met": met}
        marks.append(met)
        print(f"{'met   ' if met else 'MISSED'} {line}", flush=True)
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(found, indent=1) + "\n")

    simulate(part)
    with tempfile.TemporaryDirectory() as folder:
        model = dense(Path(folder) / "model.onnx", WIDTH, LAYERS)
        slower = dense(Path(folder) / "slower.onnx", WIDTH, LAYERS + LAYERS // 10)
        quiet = compared(model, slower, Path(folder) / "quiet", max_seconds=120.0)
        found["quiet"] = asdict(quiet.ratio)
        print(f"       a tenth more layers, without neighbours: {quiet.sentence}", flush=True)
        with neighbours():
            same = trial_by_trial(trials, model, model, Path(folder), max_seconds=20.0)
            wrong = sum(one["different"] for one in same)
            part(
                "itself",
                {"different": wrong, "rate": rate(wrong, trials), "trials": same},
                likely_at_most(wrong, trials, 0.01),
                f"a model against itself: different in {wrong} of {trials} (<= 1 %)",
            )
            more = trial_by_trial(trials, model, slower, Path(folder), max_seconds=120.0)
            right = sum(one["different"] and one["ratio"]["value"] > 1.0 for one in more)
            part(
                "slower",
                {"different": right, "rate": rate(right, trials), "trials": more},
                likely_at_most(trials - right, trials, 0.05),
                f"a tenth more layers: found in {right} of {trials} (>= 95 %), "
                f"pairs {sorted(one['ratio']['n'] for one in more)}",
            )
    return int(not all(marks))


def simulate(part) -> None:
    """Comparisons whose truth is known; those of budgets are in bench_latency_promise.py."""
    beside = Machine(between=0.05, bursts=0.3, stays=0.8)
    wrong = found_different(SIMULATED, 1.0, beside, most=100)
    line = f"itself, a neighbour that stays: different in {wrong} of {SIMULATED} simulated (<= 1 %)"
    part("simulated itself", {"different": wrong}, wrong <= 0.01 * SIMULATED, line)


def trial_by_trial(trials: int, a: Path, b: Path, folder: Path, max_seconds: float) -> list[dict]:
    """Comparisons of the same two files, one after the other."""
    found = []
    for trial in range(trials):
        began = time.monotonic()
        one = compared(a, b, folder / f"{b.stem}-{trial}", max_seconds)
        seconds = time.monotonic() - began
        # Without an interval nothing was claimed.
        found.append(
            {"different": bool(one.different), "ratio": asdict(one.ratio), "seconds": seconds}
        )
    return found


def compared(a: Path, b: Path, folder: Path, max_seconds: float) -> comparison.Compared:
    """As the command does it, in short processes."""
    options = comparison.CompareOptions(out=folder, max_seconds=max_seconds, **QUICK)
    return comparison.compare(a, b, Silent(), options)


def likely_at_most(count: int, trials: int, share: float) -> bool:
    """Whether so many or more of all trials are to be expected now and then at this share."""
    return count <= share * trials or 1.0 - binomial_cdf(count - 1, trials, share) > CHANCE


def rate(count: int, trials: int) -> dict:
    """The share with its interval."""
    return asdict(proportion(count, trials, 0.95))


@contextmanager
def neighbours() -> Iterator[None]:
    """A process on every core that never rests."""
    busy = [
        subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(describe().available_cores)
    ]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
