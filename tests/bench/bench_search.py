"""Time of the two searches of the digits recipe: a student by its budgets, and the frontier.

    python tests/bench/bench_search.py              # both, each into an empty folder
    python tests/bench/bench_search.py build        # `build` with student.model = "auto"
    python tests/bench/bench_search.py search       # `edgestill search`, a whole run

The mark is six minutes of wall time on two cores. CPU seconds, of all child processes too, say how
long it would take where nothing else runs.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from edgestill.devices.onboard.machine.host import describe

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "pipeline" / "recipe" / "digits.toml"
OUT = ROOT / "artifacts" / "bench" / "search.json"
MOST_S = 360.0
COMMANDS = {
    "build": ["build", str(RECIPE), "--set", 'student={ model = "auto" }', "--set", "search={}"],
    "search": ["search", str(RECIPE)],
}


def cpu_s() -> float:
    """Of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(words: list[str], folder: Path) -> dict[str, float]:
    """Exit code, wall and CPU seconds of a command."""
    began, before = time.monotonic(), cpu_s()
    command = [sys.executable, "-m", "edgestill", *words, "--artifacts", str(folder)]
    ended = subprocess.run(command, check=False)
    wall = time.monotonic() - began
    return {"exit_code": ended.returncode, "wall_s": wall, "cpu_s": cpu_s() - before}


def main(names: list[str]) -> int:
    """Run each, print its times; 1 where one fails or takes longer than the mark."""
    found = {}
    for name in names or list(COMMANDS):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = timed(COMMANDS[name], Path(folder))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"host": asdict(describe()), "most_s": MOST_S, **found}, indent=1))
    for name, one in found.items():
        met = one["exit_code"] in (0, 1, 5) and one["wall_s"] <= MOST_S
        mark = "met   " if met else "MISSED"
        print(f"{mark} {name}: {one['wall_s']:.0f} s, {one['cpu_s']:.0f} s of CPU time")
    slow = [one for one in found.values() if one["wall_s"] > MOST_S or one["exit_code"] > 5]
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
