"""How often is a verdict READY after a ladder of rungs that are all only at their budget?

    python tests/bench/bench_ladder_promise.py [CLIMBS]

CLIMBS (2,000) simulated climbs (tests/simulated_ladder.py) of some ten recipes each, whose files
are all exactly at a budget: of score and of what int8 loses, of what int8 loses alone, of latency.
Rungs are judged on validation, as the product does it; at most 1 % of the verdicts on test may be
READY. The same with rungs judged on the test split of the verdict has no mark: it shows what the
rule is for. Then recipes that are inside their budget by some standard errors of test: how many
are READY, beside how many would be without a ladder (at most 3 points fewer), and how many rungs
it took. Writes artifacts/bench/ladder_promise.json, prints a line each, and ends with 1 where a
mark is missed.
"""

import json
import math
import sys
from pathlib import Path
from statistics import fmean

from bench_compare import likely_at_most, rate

sys.path.insert(0, str(Path(__file__).parents[1]))
from simulated import PROMISED
from simulated_ladder import Sizes, at_budget, climbs, each_rung_gives, inside_by, without_ladder

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "ladder_promise.json"
SMALL = Sizes(validation=200, test=600)
SIZES = (SMALL, Sizes(1000, 600), Sizes(200, 10_000), Sizes(1000, 10_000))
INSIDE = (3.8, 5.0)
"""Standard errors of a score on test; the interval of a verdict on two files has 2.8 of them."""
GAIN = 0.01
LOST = 0.03
"""Of all verdicts: how many a ladder may cost, where the recipe as it is was the right one."""


def promise(count: int) -> dict:
    """False READY, by budget and by what rungs are judged on."""
    found = {}
    for what in ("score", "drop", "latency"):
        for split in ("validation", "test"):
            done = climbs(at_budget(what), SMALL, count, judged_on=split)
            met = likely_at_most(done.ready, count, PROMISED) if split == "validation" else None
            line = (
                f"{what} at the budget, rungs judged on {split}: READY in {done.ready} of {count}"
            )
            keep(found, f"{what}, {split}", told(done, count), met, line)
    return found


def power(count: int) -> dict:
    """READY where it is true."""
    found = {}
    for sizes in SIZES:
        splits = f"{sizes.validation:,} for validation, {sizes.test:,} for test"
        for errors in INSIDE:
            case = inside_by(errors * 0.3 / math.sqrt(sizes.test))
            done, alone = climbs(case, sizes, count), without_ladder(case, sizes, count)
            met = done.ready >= alone - LOST * count - math.sqrt(count)
            line = (
                f"{splits}, inside by {errors:g} standard errors: READY in {done.ready} of "
                f"{count}, {alone} without a ladder; {fmean(done.rungs):.1f} recipes"
            )
            keep(found, f"{splits}, {errors:g}", told(done, count) | {"alone": alone}, met, line)
        done = climbs(each_rung_gives(0.0, GAIN), sizes, count)
        line = (
            f"{splits}, at the budget, and every rung gives a point: READY in {done.ready} of "
            f"{count}; {fmean(done.rungs):.1f} recipes"
        )
        keep(found, f"{splits}, gains", told(done, count), None, line)
    return found


def told(done, count: int) -> dict:
    """For the file."""
    rungs = {"mean": fmean(done.rungs), "most": max(done.rungs)}
    return {"rate": rate(done.ready, count), **done._asdict(), "rungs": rungs}


def keep(found: dict, name: str, cell: dict, met: bool | None, line: str) -> None:
    """Print one line and note it."""
    found[name] = {**cell, "met": met}
    print({True: "met   ", False: "MISSED", None: "      "}[met], line, flush=True)


def main(count: int) -> int:
    """Simulate, print, write; 1 where a mark is missed."""
    found = promise(count)
    found |= power(max(count // 5, 1))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    return int(any(cell["met"] is False for cell in found.values()))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
