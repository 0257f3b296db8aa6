"""Pictures of what users see, to be looked at: reports, other pages, the terminal, docs.

    python tests/tools/look.py artifacts/look       # `make look`

Reports are those of the tests, so nothing is built or measured. Each is drawn whole at three widths
and in the dark, its first screen as a laptop and a phone show it, and once with all unfolded.
"""

import io
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import browser_tools
import frontier_example
import measured_example
import operators_example
import report_example
import runtimes_example
import scenario_examples
import verdict_examples
from edgestill.pipeline import report as pages
from edgestill.pipeline.commands import bench_latency, bench_scenarios
from edgestill.pipeline.report import comparison, search_page
from edgestill.pipeline.report.terminal_screen import screen
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
WIDTHS = (390, 768, 1280)
SCREENS = {390: 844, 768: 1024, 1280: 800}
COLUMNS = (80, 140)
REPORTS = {
    **verdict_examples.EXAMPLES,
    "several runtimes": runtimes_example.several,
    "operators": lambda: operators_example.reported(report_example.report()),
}
UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; }); 0"


def reports(browser, out, work, names=tuple(REPORTS)):
    """Every report at every width."""
    for name in names:
        report, slug = REPORTS[name](), name.replace(" ", "-")
        folder = work / slug
        measured_example.write_samples(folder / "records" / "samples")
        report_example.write_changed(report_example.report(), folder / "records")
        pages.write(report, folder)
        at = (folder / "report.html").as_uri()
        for width in WIDTHS:
            shot(browser, at, out / f"report-{slug}-{width}-screen.png", width)
            shot(browser, at, out / f"report-{slug}-{width}.png", width, whole=True)
        shot(browser, at, out / f"report-{slug}-1280-dark.png", 1280, whole=True, dark=True)
        for width in (390, 1280):
            path = out / f"report-{slug}-{width}-unfolded.png"
            shot(browser, at, path, width, whole=True, first=UNFOLD)


def bench(browser, out, work):
    """The page of `bench --html`."""
    measured, folder = measured_example.benchmark(), work / "bench"
    measured_example.write_samples(folder / "samples")
    records = [
        {"subject": one.name, "samples": f"samples/{path.name}"}
        for one in measured.models
        for path in sorted((folder / "samples").glob(f"{one.name}-[0-9].npy"))
    ]
    (folder / "processes.json").write_text(json.dumps(records), encoding="utf-8")
    page = work / "bench.html"
    page.write_text(bench_latency.page(measured, folder), encoding="utf-8")
    page_shots(browser, page, out, "bench")


def search(browser, out, work):
    """The page of a search."""
    page = work / "search.html"
    page.write_text(search_page.page(frontier_example.record()), encoding="utf-8")
    page_shots(browser, page, out, "search")


def compared(browser, out, work):
    """The page of `report --compare`, of three runs."""
    page = work / "compared.html"
    reports = [make() for make in verdict_examples.EXAMPLES.values()]
    page.write_text(comparison.html_page(reports), encoding="utf-8")
    page_shots(browser, page, out, "compared")


def scenarios(browser, out, work, names=tuple(scenario_examples.FIGURES)):
    """The page of every other load."""
    for name in names:
        page = work / "scenario.html"
        found = bench_scenarios.page(scenario_examples.result(name), work)
        page.write_text(found, encoding="utf-8")
        for width in (390, 1280):
            shot(browser, page.as_uri(), out / f"bench-{name}-{width}.png", width, whole=True)


def terminals(browser, out, work, names=tuple(REPORTS)):
    """The verdict on a terminal: as text, as rich draws it, and that as a picture."""
    for name in names:
        report, slug = REPORTS[name](), name.replace(" ", "-")
        for columns in COLUMNS:
            console = Console(width=columns, record=True, file=io.StringIO(), force_terminal=True)
            console.print(screen(report, columns=columns, lines=22))
            stem = out / f"terminal-{slug}-{columns}"
            text = console.export_text(clear=False)
            stem.with_suffix(".txt").write_text(text, encoding="utf-8")
            drawn = stem.with_suffix(".svg")
            drawn.write_text(console.export_svg(title=f"edgestill build, {name}"), "utf-8")
            page = work / "terminal.html"
            # As an image it asks for no font of another server, which rich's drawings name.
            image = f"<img style='display:block' src='{drawn.as_uri()}'>"
            page.write_text(f"<body style='margin:0'>{image}", encoding="utf-8")
            wide = 13 * columns
            shot(browser, page.as_uri(), stem.with_suffix(".png"), wide, whole=True)


def docs(browser, out):
    """The first page of the built site; nothing where it was not built."""
    home = ROOT / "build/site/index.html"
    if not home.is_file():
        return
    for width in WIDTHS:
        shot(browser, home.as_uri(), out / f"docs-home-{width}.png", width)
    shot(browser, home.as_uri(), out / "docs-home-1280-dark.png", 1280, dark=True)


def shot(browser, address, path, width, *, whole=False, dark=False, first="0"):
    """One picture of a page."""
    browser.open(address)
    browser.sized(width, SCREENS.get(width, 800), dark=dark)
    browser.wait_for("document.readyState === 'complete' && location.protocol === 'file:'")
    browser.evaluate(first)
    path.write_bytes(browser.picture(whole=whole))


def page_shots(browser, page, out, stem):
    """A whole page at every width, and in the dark."""
    for width in WIDTHS:
        shot(browser, page.as_uri(), out / f"{stem}-{width}.png", width, whole=True)
    shot(browser, page.as_uri(), out / f"{stem}-1280-dark.png", 1280, whole=True, dark=True)


def main(out):
    """All pictures."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with browser_tools.visited("about:blank", work / "profile") as browser:
            reports(browser, out, work)
            bench(browser, out, work)
            scenarios(browser, out, work)
            search(browser, out, work)
            compared(browser, out, work)
            terminals(browser, out, work)
            docs(browser, out)
    print(f"{len(list(out.glob('*.png')))} pictures in {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
