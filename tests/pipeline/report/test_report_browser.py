"""The page in a real browser, from a file: what it shows, at which size, by mouse and keyboard.

Skipped where there is no chromium, except in CI, where that is a failure.
"""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browser_tools
import measured_example
import operators_example
import pytest
import report_example as example
import runtimes_example
import scenario_examples
import verdict_examples
from edgestill.pipeline import report as pages
from edgestill.pipeline.commands import bench_scenarios
from edgestill.pipeline.records import Report
from edgestill.pipeline.report import comparison, html

MARKS = {
    "tradeoff": ("g.point", 4),
    "latency": ("path.line", 4),
    "footprint": ("g.point rect", 8),
    "curves": ("path.line", 6),
    "classes": ("g.point", 10),
}
"""What is drawn of each chart, one a model and panel."""
QUESTIONS = (
    "h1",
    "p.file",
    ".budgets tbody tr:last-child",
    ".first .table",
    "[aria-labelledby=of-change] li:last-child",
)
"""The last element of each answer of the first screen."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    measured_example.write_samples(folder / "records" / "samples")
    example.write_changed(example.report(), folder / "records")
    pages.write(example.report(), folder)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for all tests: it takes a second to start."""
    with browser_tools.visited("about:blank", tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def opened(browser: Any, page: Path) -> Any:
    """The page in the browser, at the size of a laptop's, as if nothing had been done to it."""
    browser.open(f"{page.as_uri()}?{time.monotonic_ns()}")
    browser.wait_for("document.readyState === 'complete' && !!document.querySelector('footer')")
    browser.sized(1280, 800)
    return browser


def written(report: Report, folder: Path) -> Path:
    page = folder / "report.html"
    page.write_text(html.page(report, folder), encoding="utf-8")
    return page


def test_every_chart_has_its_marks_and_takes_the_readers_colours(browser: Any, run: Path) -> None:
    tab = opened(browser, run / "report.html")
    for name, (mark, count) in MARKS.items():
        found = tab.evaluate(f"document.querySelectorAll('#{name} .chart {mark}').length")
        assert found == count, name
    ink = "getComputedStyle(document.querySelector('#tradeoff text')).fill"
    found = []
    for dark in (False, True):
        tab.sized(1280, 800, dark=dark)
        found.append(tab.evaluate(ink))
    assert found == ["rgb(28, 32, 36)", "rgb(230, 232, 234)"]
    assert all(one.startswith("data:") for one in tab.requested[1:])


@pytest.mark.parametrize("outcome", list(verdict_examples.EXAMPLES))
def test_the_first_screen_of_a_laptop_answers_five_questions(
    browser: Any, outcome: str, tmp_path: Path
) -> None:
    page = written(verdict_examples.EXAMPLES[outcome](), tmp_path)
    tab = opened(browser, page)
    tab.sized(1280, 800)
    for last in QUESTIONS:
        end = tab.evaluate(f"document.querySelector('{last}').getBoundingClientRect().bottom")
        assert end <= 800, last


def test_no_width_scrolls_sideways_and_a_phone_has_the_answers_on_two_screens(
    browser: Any,
    tmp_path: Path,
) -> None:
    """The second page has nine models and long names, the third the graph of a model."""
    for report in (
        verdict_examples.EXAMPLES["ready"](),
        runtimes_example.several(),
        operators_example.reported(example.report()),
    ):
        page = written(report, tmp_path)
        tab = opened(browser, page)
        tab.evaluate(UNFOLD)
        for width in (390, 768, 1280):
            tab.sized(width, 844)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
        tab.sized(390, 844)
        end = tab.evaluate("document.querySelector('.first').getBoundingClientRect().bottom")
        assert end <= 2 * 844


@pytest.mark.parametrize("width", [390, 1280])
def test_a_command_is_on_the_page_whole_at_every_width(
    browser: Any, width: int, tmp_path: Path
) -> None:
    report = verdict_examples.EXAMPLES["another target"]()
    long = tmp_path / "artifacts" / "runs" / "a-model-with-a-long-name" / "2026-12-01T00-00-00Z"
    page = tmp_path / "report.html"
    page.write_text(html.page(report, tmp_path, run=long), encoding="utf-8")
    tab = opened(browser, page)
    tab.sized(width, 844)
    tab.evaluate(UNFOLD)
    boxes = "[...document.querySelectorAll('pre')]"
    assert tab.evaluate(f"{boxes}.length") >= 2
    assert tab.evaluate(f"{boxes}.filter((one) => one.scrollWidth > one.clientWidth).length") == 0


def test_a_phone_shows_a_teacher_and_two_variants_whole_and_shades_what_goes_on(
    browser: Any, tmp_path: Path
) -> None:
    report = verdict_examples.EXAMPLES["ready"]()
    kept = [one for one in report.variants.variants if one.name in ("fp32", "int8-static")]
    variants = report.variants.model_copy(update={"variants": tuple(kept)})
    page = written(report.model_copy(update={"variants": variants}), tmp_path)
    tab = opened(browser, page)
    tab.sized(390, 844)
    table = "document.querySelector('#teacher-and-variants .table')"
    assert tab.evaluate(f"{table}.querySelectorAll('thead th').length") == 4
    assert tab.evaluate(f"{table}.scrollWidth <= {table}.clientWidth")
    wide = "document.querySelector('#budgets .table')"
    assert tab.evaluate(f"{wide}.scrollWidth > {wide}.clientWidth")
    attached = tab.evaluate(f"getComputedStyle({wide}).backgroundAttachment")
    assert attached == "local, local, scroll, scroll"


def test_what_is_printed_is_no_wider_than_a_sheet(browser: Any, run: Path) -> None:
    tab = opened(browser, run / "report.html")
    tab.sized(720, 1000, media="print")
    assert tab.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 720


def test_tables_are_sorted_by_click_and_by_keyboard(browser: Any, run: Path) -> None:
    tab = opened(browser, run / "report.html")
    table = "document.querySelector('#budgets table')"
    names = f"[...{table}.tBodies[0].rows].map((row) => row.cells[0].textContent.trim())"
    size = f"[...{table}.tHead.rows[0].cells].at(-1)"
    assert "file size" in tab.evaluate(f"{size}.textContent")
    tab.evaluate(f"{size}.querySelector('button').click()")
    assert tab.evaluate(names) == ["int8-static", "int8-dynamic", "fp32"]
    assert tab.evaluate(f"{size}.getAttribute('aria-sort')") == "ascending"
    tab.evaluate(f"{size}.querySelector('button').focus()")
    tab.press("Enter")
    assert tab.evaluate(names) == ["fp32", "int8-dynamic", "int8-static"]
    assert tab.evaluate(f"{size}.getAttribute('aria-sort')") == "descending"
    tab.evaluate(f"{table}.tHead.rows[0].cells[0].querySelector('button').click()")
    assert tab.evaluate(f"{size}.getAttribute('aria-sort')") is None


UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; }); 0"


@pytest.mark.parametrize(
    ("made", "width", "dark"),
    [
        (example.report, 1280, False),
        (runtimes_example.several, 390, True),
        (lambda: operators_example.reported(example.report()), 390, False),
    ],
)
def test_nothing_keeps_a_keyboard_or_a_screen_reader_out(
    browser: Any, made: Callable[[], Report], width: int, dark: bool, tmp_path: Path
) -> None:
    """By axe-core, with all sections unfolded."""
    tab = opened(browser, written(made(), tmp_path))
    tab.evaluate(UNFOLD)
    tab.sized(width, 844, dark=dark)
    assert tab.barriers() == []


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_the_page_of_runs_side_by_side_keeps_nobody_out_and_scrolls_not_sideways(
    browser: Any, width: int, dark: bool, tmp_path: Path
) -> None:
    page = tmp_path / "compared.html"
    runs = [make() for make in verdict_examples.EXAMPLES.values()]
    page.write_text(comparison.html_page(runs), "utf-8")
    browser.open(page.as_uri())
    browser.wait_for("document.readyState === 'complete' && !!document.querySelector('main table')")
    browser.sized(width, 844, dark=dark)
    assert browser.barriers() == []
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("scenario", "width", "dark"), [("server", 1280, True), ("offline", 390, False)]
)
def test_the_page_of_a_scenario_keeps_nobody_out_and_scrolls_no_sideways(
    browser: Any, scenario: str, width: int, dark: bool, tmp_path: Path
) -> None:
    page = tmp_path / "bench.html"
    page.write_text(bench_scenarios.page(scenario_examples.result(scenario), tmp_path), "utf-8")
    browser.open(page.as_uri())
    browser.wait_for("document.readyState === 'complete' && !!document.querySelector('main svg')")
    browser.sized(width, 844, dark=dark)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.barriers() == []


def test_a_link_of_the_navigation_unfolds_its_section(browser: Any, run: Path) -> None:
    tab = opened(browser, run / "report.html")
    host = "document.querySelector('#host details').open"
    assert tab.evaluate(host) is False
    tab.evaluate("document.querySelector('nav a[href=\"#host\"]').click()")
    tab.wait_for(host, seconds=5)
    tab.evaluate("document.querySelector('nav button').click()")
    closed = "document.querySelectorAll('main > section > details:not([open])').length"
    assert tab.evaluate(closed) == 0


def test_the_pictures_of_changed_samples_decode(browser: Any, run: Path) -> None:
    tab = opened(browser, run / "report.html")
    sizes = "[...document.images].map((i) => i.naturalWidth + 'x' + i.naturalHeight)"
    tab.wait_for(f"!{sizes}.includes('0x0')", seconds=10)
    assert tab.evaluate(sizes) == ["8x8"] * 12


@pytest.mark.slow
def test_a_hostile_name_runs_nothing_and_is_shown_as_it_stands(
    browser: Any, tmp_path: Path
) -> None:
    name = "</script><script>document.title='owned'</script>"
    report = example.with_name(example.report(labels=(name, "b")), "int8-static", name)
    tab = opened(browser, written(report, tmp_path))
    assert tab.evaluate("document.title") == "digits: READY: fp32 ships"
    assert tab.evaluate("document.querySelectorAll('#tradeoff .chart g.point').length") == 4
    assert name in tab.evaluate("document.querySelector('#budgets').textContent")


@pytest.mark.slow
def test_a_script_that_is_not_ours_does_not_run(browser: Any, tmp_path: Path) -> None:
    page = written(example.report(), tmp_path)
    text = page.read_text(encoding="utf-8")
    page.write_text(
        text.replace("</body>", "<script>document.title = 'owned'</script></body>"),
        encoding="utf-8",
    )
    tab = opened(browser, page)
    assert tab.evaluate("document.title") == "digits: READY: fp32 ships"
    # Our own script did.
    assert re.fullmatch(
        "(Unf|F)old all", tab.evaluate("document.querySelector('nav button').textContent")
    )
