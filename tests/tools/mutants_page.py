"""docs/mutants.md from what is kept of mutation testing.

    python tests/tools/mutants.py report            # keep what was tried here, write the page
    python tests/tools/mutants.py report --check    # fail where the page is not of what is kept

mutants_results.json keeps the last figures of each module, and those of shares that no test was
written for; mutants_that_survive.json the reasons why no test can notice a change.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "mutants.md"
RESULTS = Path(__file__).with_name("mutants_results.json")
REASONS = Path(__file__).with_name("mutants_that_survive.json")
_CONFIDENCE = 0.95

Counts = Mapping[str, Any]
"""`tried`, `noticed`, `of` and `day`; of a share of a part also `share`."""


def kept() -> dict[str, dict[str, Any]]:
    """What is kept: `modules` by their file, `unseen` by the part whose share it is."""
    none: dict[str, dict[str, Any]] = {"modules": {}, "unseen": {}}
    return none | (json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {})


def keep(modules: Mapping[str, Counts], unseen: Mapping[str, Counts]) -> None:
    """Replace what is kept of these modules and parts; a module that is gone is forgotten."""
    were = kept()
    now = {name: each for name, each in modules.items() if each["tried"]}
    present = {k: v for k, v in (were["modules"] | now).items() if (ROOT / k).exists()}
    both = {"modules": present, "unseen": were["unseen"] | dict(unseen)}
    RESULTS.write_text(json.dumps(both, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def is_current() -> bool:
    """Whether the page is what is kept gives."""
    return PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()


def page() -> str:
    """The page as Markdown: a line a module, the totals, and the reasons of what survived."""
    results = kept()
    modules, unseen = results["modules"], results["unseen"]
    reasons = json.loads(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else {}
    lines = [
        "# Mutation testing",
        "",
        "`make mutants` changes one place of the code at a time and runs the tests that reach it; "
        "wanted is that they notice 95 % of the changes.",
        "Changes of a text alone are not counted: most are words for a reader, which no test pins.",
        "",
        *_totals(modules.values()),
        *_unseen(unseen),
        "",
        "| module | changes | tried | noticed | share | day |",
        "|---|---|---|---|---|---|",
        *(_row(f"`{name}`", each) for name, each in sorted(modules.items())),
        "",
        "## What survived for a reason",
        "",
        "No test can notice these changes: the code does the same, or differs where nothing looks.",
        "",
        *(f"- `{place}`: {reason}" for place, reason in sorted(reasons.items())),
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, each: Counts) -> str:
    share = f"{100 * each['noticed'] / each['tried']:.1f} %"
    cells = (name, each["of"], each["tried"], each["noticed"], share, each["day"])
    return f"| {' | '.join(map(str, cells))} |"


def _totals(modules: Iterable[Counts]) -> list[str]:
    """What was noticed where all changes were tried, and where a share was."""
    every = [each for each in modules if each["tried"] == each["of"]]
    some = [each for each in modules if each["tried"] < each["of"]]
    lines = []
    if every:
        lines.append(f"- Modules of which all changes were tried: {_noticed(_sum(every))}.")
    if some:
        total = _sum(some)
        lines.append(
            f"- Modules of which a share was tried, drawn by the hash of a change's name: "
            f"{_noticed(total)} of the {total['of']} that there are{_interval(total)}. "
            "Tests were written for what survived, so that this may be above what holds for the "
            "others."
        )
    return lines


def _unseen(shares: Mapping[str, Counts]) -> list[str]:
    return [
        f"- A share of `{part}` that no test was written for ({each['share']}, {each['day']}): "
        f"{_noticed(each)}{_interval(each)}."
        for part, each in sorted(shares.items())
    ]


def _sum(counts: Iterable[Counts]) -> dict[str, int]:
    return {key: sum(each[key] for each in counts) for key in ("tried", "noticed", "of")}


def _noticed(each: Counts) -> str:
    share = 100 * each["noticed"] / each["tried"]
    return f"{each['noticed']} of {each['tried']} noticed ({share:.1f} %)"


def _interval(each: Counts) -> str:
    """Of the share that is noticed; Clopper and Pearson, 1934."""
    ends = binomtest(each["noticed"], each["tried"]).proportion_ci(_CONFIDENCE, "exact")
    return f"; {100 * _CONFIDENCE:.0f} % interval {100 * ends.low:.1f} to {100 * ends.high:.1f} %"
