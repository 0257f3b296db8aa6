"""The CIFAR-10 table in its quick form: one seed, one view, one epoch.

    python tests/bench/bench_results.py

The whole of recipes/cifar10.toml takes about two hours on one core; this is the same build made
short, on two cores and from an empty store, to see that it runs, within ten minutes. One seed and
one epoch prove nothing about a loss. Needs ../shared/data. Writes artifacts/bench/results.json.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from edgestill.pipeline.build import build
from edgestill.pipeline.recipe.files import load
from table import HEAD, row

RECIPE = Path(__file__).parent / "recipes" / "cifar10.toml"
OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "results.json"
SHORT = ("threads=2", "distill.seeds=1", "distill.views=1", "distill.epochs=1")
MARK_S = 600.0


def main() -> int:
    """Build, print the row, write; 1 where it took too long."""
    recipe = load(RECIPE, SHORT)
    if not recipe.teacher.weights.is_file():
        print("skipped: no CIFAR-10 in ../shared/data")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        built = build(recipe, artifacts=folder)
        seconds = time.monotonic() - began
    report = built.report.model_dump(mode="json")
    met = seconds <= MARK_S
    print(f"{'met   ' if met else 'MISSED'} quick CIFAR-10: {seconds:.0f} s (<= {MARK_S:.0f} s)")
    print(f"       {HEAD}\n       {row(report)}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    gain = report["quality"]["gain"]
    OUT.write_text(json.dumps({"seconds": seconds, "gain": gain}, indent=1))
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
