"""What the product promises, the test that holds each promise, and its last figure.

    make promises                            # run those tests, write docs/promises.md
    python tests/tools/promises.py --page    # run nothing, write the page of today's tests
    python tests/tools/promises.py --check   # fail where the page is not of today's tests

A test that holds a promise says which:

    @pytest.mark.promise("READY is wrong in at most 1 % of builds")
    def test_...(figure):
        ...
        figure(f"{wrong} of {builds:,} builds")

The page's figures are those of the last run; promises.json beside this file keeps them.
"""

import argparse
import ast
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
PAGE = ROOT / "docs" / "promises.md"
FIGURES = Path(__file__).with_name("promises.json")


@dataclass(frozen=True, slots=True, order=True)
class Promise:
    """A promise and a test that holds it.

    Attributes:
        text: a sentence.
        test: file and function, ``tests/…/test_x.py::test_y``.
    """

    text: str
    test: str


def promises() -> list[Promise]:
    """All promises, found in the text of the tests, sorted."""
    found: list[Promise] = []
    for file in TESTS.rglob("test_*.py"):
        text = file.read_text(encoding="utf-8")
        if "mark.promise(" not in text:
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                where = f"{file.relative_to(ROOT).as_posix()}::{node.name}"
                found += (Promise(sentence, where) for sentence in _sentences(node))
    return sorted(found)


def _sentences(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.promise":
            yield ast.literal_eval(decorator.args[0])


class Recorder:
    """A plugin of pytest: keeps what each test said of its figure.

    Attributes:
        figures: by the test's file and function: outcome, figures and the day.
    """

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a test, and its figures."""
        if report.when != "call" and report.outcome == "passed":
            return
        test = report.nodeid.partition("[")[0]
        kept = self.figures.setdefault(test, {"outcome": "passed", "figures": [], "day": _today()})
        if report.outcome != "passed":
            kept["outcome"] = report.outcome
        kept["figures"] += [value for key, value in report.user_properties if key == "figure"]


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def page(found: list[Promise], figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The page as Markdown: a row for each promise and test."""
    lines = [
        "# What edgestill promises",
        "",
        "Each promise, the test that holds it, and the figure of its last run "
        "(`make promises` runs them and writes this page).",
        "",
        "| promise | test | last figure | day |",
        "|---|---|---|---|",
    ]
    for promise in found:
        last = figures.get(promise.test, {})
        told = "; ".join(last.get("figures", [])) or ("holds" if last else "not run yet")
        if last.get("outcome", "passed") != "passed":
            told = f"**{last['outcome']}** {told}"
        lines.append(f"| {promise.text} | `{promise.test}` | {told} | {last.get('day', '')} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the tests and write the page, or compare the page with the tests."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only; 1 where they differ")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page")
    parser.add_argument("tests", nargs="*", help="run these alone; the others keep their figures")
    told = parser.parse_args()
    found = promises()
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if told.check:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page(found, figures):
            return 0
        print("docs/promises.md is not current: make promises", file=sys.stderr)
        return 1
    recorder, code = Recorder(), 0
    if not told.page:
        wanted = told.tests or sorted({promise.test for promise in found})
        code = int(pytest.main(["-q", "-p", "no:randomly", *wanted], plugins=[recorder]))
    figures = {**figures, **recorder.figures}
    known = {promise.test for promise in found}
    kept = {test: figures[test] for test in sorted(figures) if test in known}
    FIGURES.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(found, kept), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
