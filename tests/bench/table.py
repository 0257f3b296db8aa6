"""Runs as rows of a Markdown table: the plain student against the distilled one, by seeds.

    python tests/bench/table.py artifacts/runs/cifar10/* artifacts/runs/fsdd/*

Each row is one build: what taught what, with which losses and views, the scores on test of the
teacher and of both students (mean over seeds), and what distillation gave with its interval.
"""

import json
import sys
from pathlib import Path
from statistics import mean

HEAD = "| data | teacher → student | losses | views | teacher | plain | distilled | gained, 95 % |"


def row(report: dict) -> str:
    """One build as one line."""
    gain, recipe = report["quality"]["gain"], report["recipe"]
    teachers = [each["model"] for each in report["teachers"]]
    taught = f"{len(teachers)} x {teachers[0]}" if len(teachers) > 1 else teachers[0]
    told = recipe["distill"]
    losses = " + ".join(
        name if weight == 1.0 else f"{weight:g} {name}" for name, weight in told["losses"].items()
    )
    difference = gain["difference"]
    interval = "no interval"
    if difference["low"] is not None:
        interval = f"{100 * difference['low']:+.1f} to {100 * difference['high']:+.1f}"
    cells = (
        recipe["name"],
        f"{taught} → {report['students'][0]['model']}",
        losses,
        str(report["targets"]["views"]),
        f"{100 * report['quality']['teacher_score']['value']:.1f} %",
        f"{100 * mean(gain['plain_score']):.1f} %",
        f"{100 * mean(gain['distilled_score']):.1f} %",
        f"{100 * difference['value']:+.1f} ({interval}; {len(gain['seeds'])} seeds)",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the table of the runs named on the command line."""
    # `*` has the link to the latest of them, too.
    runs = dict.fromkeys(Path(run).resolve() for run in sys.argv[1:])
    reports = [json.loads((run / "report.json").read_text()) for run in runs]
    print(HEAD)
    print("|" + "---|" * HEAD.count(" | ") + "---|")
    print("\n".join(map(row, reports)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
