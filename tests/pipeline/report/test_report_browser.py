"""The page in a real browser, from a file: every chart draws, and the console stays clean.

Skipped where there is no chromium, except in CI, where that is a failure.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import measured_example
import pytest
import report_example as example
from edgestill.pipeline import report as pages
from edgestill.pipeline.report import html

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
MARKS = {
    "tradeoff": (r'class="point"', 4),
    "latency": (r'class="js-line"[^>]* d="M[^"]{60,}"', 4),
    "footprint": (r'class="point"', 8),
    "training": (r'class="js-line"[^>]* d="M[^"]{60,}"', 6),
    "classes": (r'class="point plotly-customdata"', 10),
}
"""What plotly draws for each chart, one a model and panel; the lines of a legend are short."""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="chromium is not installed"
)


def browse(page: Path, profile: Path, *switches: str) -> tuple[str, list[str]]:
    """The page's elements once its scripts have run, and what the console said."""
    assert CHROMIUM, "CI needs chromium for these tests"
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={profile}",
            "--window-size=1280,3000",
            "--virtual-time-budget=5000",
            "--enable-logging=stderr",
            "--v=0",
            *switches,
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def chart(dom: str, name: str) -> str:
    """The drawn elements of one chart."""
    begin = dom.index(f'id="{name}"')
    return dom[begin : dom.index("<figcaption", begin)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_draws_its_marks_and_the_console_is_clean(tmp_path: Path, scheme: str) -> None:
    measured_example.write_samples(tmp_path / "records" / "samples")
    example.write_changed(example.report(), tmp_path / "records")
    pages.write(example.report(), tmp_path)
    preferred = f"--blink-settings=preferredColorScheme={'0' if scheme == 'dark' else '1'}"
    dom, console = browse(tmp_path / "report.html", tmp_path / "profile", preferred)
    assert console == []
    for name, (mark, count) in MARKS.items():
        drawn = chart(dom, name)
        assert 'class="main-svg"' in drawn, name
        assert len(re.findall(mark, drawn)) == count, name
    ink = "rgb(230, 232, 234)" if scheme == "dark" else "rgb(28, 32, 36)"
    assert ink in chart(dom, "tradeoff")


def test_the_pictures_of_changed_samples_decode_and_load_nothing_else(tmp_path: Path) -> None:
    example.write_changed(example.report(), tmp_path)
    page = tmp_path / "report.html"
    # The page may run no other script, so the browser's own word is asked of a page without it.
    pictures = re.findall(r'<img src="data:[^>]+>', html.page(example.report(), tmp_path))
    assert len(pictures) == 12
    script = (
        "<script>onload = () => document.title = "
        "[...document.images].map((i) => i.naturalWidth + 'x' + i.naturalHeight).join()</script>"
    )
    page.write_text(script + "".join(pictures), encoding="utf-8")
    dom, console = browse(page, tmp_path / "profile")
    assert console == []
    assert f"<title>{','.join(['8x8'] * 12)}</title>" in dom


@pytest.mark.slow
def test_a_hostile_name_runs_nothing_and_is_shown_as_it_stands(tmp_path: Path) -> None:
    name = "</script><script>document.title='owned'</script>"
    page = tmp_path / "report.html"
    report = example.with_name(example.report(labels=(name, "b")), "int8-static", name)
    page.write_text(html.page(report, Path("/nowhere")), encoding="utf-8")
    dom, console = browse(page, tmp_path / "profile")
    assert console == []
    assert re.search(r"<title>([^<]*)", dom).group(1) == "digits: READY: fp32 ships"  # type: ignore[union-attr]
    assert chart(dom, "tradeoff").count('class="point"') == 4
    assert "&lt;/script&gt;&lt;script" in chart(dom, "tradeoff")


@pytest.mark.slow
def test_a_script_that_is_not_ours_does_not_run(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    text = html.page(example.report(), Path("/nowhere"))
    page.write_text(
        text.replace("</body>", "<script>document.title = 'owned'</script></body>"),
        encoding="utf-8",
    )
    dom, console = browse(page, tmp_path / "profile")
    assert "<title>owned" not in dom
    assert len(console) == 1
    assert "Content Security Policy" in console[0]
