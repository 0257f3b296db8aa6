"""How often is a verdict READY though all of its variants are only at their budget?

    python tests/bench/bench_promise.py [SCALE]

For every figure of every task that a budget may rest on: test sets of 50 to 10,000 independent
samples, and of 600 samples in 3 to 30 groups, with eight variants whose truth is exactly the budget
(``tests/simulated_quality.py``). SCALE (1; 10 is the long form, of some hours) multiplies the
number of test sets. At most 1 % of the verdicts may be READY; a cell is missed where chance would
give so many less than once in twenty. Writes artifacts/bench/promise.json after each cell, prints a
line a mark, and ends with 1 where one is missed.
"""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from bench_compare import likely_at_most, rate
from edgestill.devices.onboard.machine.host import describe

sys.path.insert(0, str(Path(__file__).parents[1]))
from simulated_quality import CASES, PROMISED, false_ready

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "promise.json"
TRIALS = {50: 200, 200: 150, 1000: 100, 10_000: 20}
"""Test sets by their samples."""
GROUPS, GROUPED_SAMPLES, GROUPED_TRIALS = (3, 5, 10, 30), 600, 100


def main(scale: int) -> int:
    """Simulate, print, write; 1 where a mark is missed."""
    found: dict = {"host": asdict(describe()), "promised": PROMISED, "cells": []}
    cells = [(samples, None, trials) for samples, trials in TRIALS.items()]
    cells += [(GROUPED_SAMPLES, groups, GROUPED_TRIALS) for groups in GROUPS]
    all_met, total, ready_in_all = True, 0, 0
    for samples, groups, few in cells:
        for name, case in CASES.items():
            began, trials = time.monotonic(), few * scale
            outcomes = false_ready(case, samples, trials, groups=groups, seed=1)
            ready = outcomes.get("ready", 0)
            met = likely_at_most(ready, trials, PROMISED)
            all_met, total, ready_in_all = all_met and met, total + trials, ready_in_all + ready
            found["cells"].append(
                {"figure": name, "samples": samples, "groups": groups, "trials": trials}
                | {"outcomes": outcomes, "rate": rate(ready, trials), "met": met}
                | {"seconds": time.monotonic() - began}
            )
            of = f" in {groups} groups" if groups else ""
            line = f"{name}, {samples:,} samples{of}: READY in {ready} of {trials} (<= 1 %)"
            print(f"{'met   ' if met else 'MISSED'} {line}", flush=True)
            OUT.parent.mkdir(parents=True, exist_ok=True)
            OUT.write_text(json.dumps(found, indent=1) + "\n")
    met = likely_at_most(ready_in_all, total, PROMISED)
    print(f"{'met   ' if met else 'MISSED'} all: READY in {ready_in_all} of {total} (<= 1 %)")
    found["all"] = {"ready": ready_in_all, "trials": total, "met": met}
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    return int(not (all_met and met))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
