"""Does the bundled build keep its word, in time and in what it makes?

    python tests/bench/bench_build.py

`edgestill build` on the demo from an empty store, then again with nothing to do, then `--help`,
each a process of its own timed from outside. Writes artifacts/bench/build.json, prints a line a
mark, and ends with 1 where one is missed.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "build.json"
TORCHLESS = (
    "import sys; from edgestill.pipeline.build import build; "
    "from edgestill.pipeline.recipe.files import bundled; "
    "b = build(bundled('demo'), artifacts=sys.argv[1]); "
    "print(len(b.ran), 'torch' in sys.modules)"
)


def timed(*arguments: str, repeat: int = 1) -> tuple[float, str]:
    """Seconds of the fastest of several runs, and the last one's stdout."""
    best, said = float("inf"), ""
    for _ in range(repeat):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, check=False
        )
        best = min(best, time.perf_counter() - began)
        said = done.stdout
    return best, said


def main() -> int:
    """Measure, write, print; 1 where a mark is missed."""
    with tempfile.TemporaryDirectory() as folder:
        build = ("-m", "edgestill", "build", "--artifacts", folder, "--json")
        first, said = timed(*build)
        second, again = timed(*build, repeat=3)
        told = timed("-c", TORCHLESS, folder)[1].split()
    helped = timed("-m", "edgestill", "--help", repeat=5)[0]
    document = json.loads(said)
    report = document["report"]
    quality = {q["name"]: q for q in report["quality"]["variants"]}
    ship = report["verdict"]["ship"]
    over = {r["over"]: r for r in report["measured"]["benchmark"]["ratios"] if r["of"] == ship}
    gain = report["quality"]["gain"]
    verdicts = {v["name"]: v["checks"] for v in report["verdict"]["variants"]}
    missed_by_fp32 = [c["key"] for c in verdicts["fp32"] if c["outcome"] == "not ready"]
    figures = {
        "build_s": (first, "<=", 60.0),
        "second_build_s": (second, "<=", 2.0),
        "help_s": (helped, "<=", 0.4),
        "stages_run_by_the_second_build": (int(told[0]), "<=", 0),
        "second_build_imports_torch": (int(told[1] == "True"), "<=", 0),
        "same_run_again": (int(json.loads(again)["run"] == document["run"]), ">=", 1),
        "teacher_accuracy": (report["quality"]["teacher_score"]["value"], ">=", 0.9),
        "gain_of_distillation_low": (gain["difference"]["low"], ">=", 0.05),
        "shipped_drop_vs_teacher": (quality[ship]["drop_vs_teacher"]["value"], "<=", 0.08),
        "shipped_drop_vs_fp32": (quality[ship]["drop_vs_fp32"]["value"], "<=", 0.005),
        "shipped_p50_over_teachers": (over["teacher"]["p50"]["value"], "<=", 0.33),
        "shipped_p50_over_fp32_high": (over["fp32"]["p50"]["high"], "<=", 1.0),
        "shipped_size_over_fp32": (over["fp32"]["size"]["value"], "<=", 0.3),
        "only_size_is_missed_by_fp32": (int(missed_by_fp32 == ["max_size_kib"]), ">=", 1),
    }
    missed = 0
    for name, (found, sign, mark) in figures.items():
        met = found <= mark if sign == "<=" else found >= mark
        missed += not met
        print(f"{'ok    ' if met else 'MISSED'} {name} {found:.4g} (wanted {sign} {mark:g})")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    rows = {name: {"found": f, "wanted": f"{s} {m:g}"} for name, (f, s, m) in figures.items()}
    host = {"host": report["measured"]["benchmark"]["host"], "libraries": report["libraries"]}
    OUT.write_text(json.dumps({**host, "figures": rows, "ship": ship}, indent=1))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
