"""Pictures of what users see are drawn: one report, the page of a bench, a terminal."""

import struct
from pathlib import Path

import browser_tools
import pytest
from tools import look


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    out, work = tmp_path_factory.mktemp("look"), tmp_path_factory.mktemp("work")
    with browser_tools.visited("about:blank", work / "profile") as browser:
        look.reports(browser, out, work, ["not ready"])
        look.bench(browser, out, work)
        look.scenarios(browser, out, work, ["server"])
        look.search(browser, out, work)
        look.compared(browser, out, work)
        look.terminals(browser, out, work, ["not ready"])
    return out


def size(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", content[16:24])


@pytest.mark.slow
def test_a_report_is_drawn_at_three_widths_in_the_dark_and_unfolded(drawn):
    for width, height in look.SCREENS.items():
        assert size(drawn / f"report-not-ready-{width}-screen.png") == (width, height)
        assert size(drawn / f"report-not-ready-{width}.png")[1] > height
    light, dark = (
        (drawn / f"report-not-ready-1280{end}.png").read_bytes() for end in ("", "-dark")
    )
    assert light != dark
    folded = size(drawn / "report-not-ready-390.png")[1]
    assert size(drawn / "report-not-ready-390-unfolded.png")[1] > 2 * folded


@pytest.mark.slow
def test_the_page_of_a_bench_and_a_terminal_are_drawn_whole(drawn):
    assert size(drawn / "bench-1280.png")[1] > 800
    assert size(drawn / "bench-server-390.png")[1] > 800
    for page in ("bench", "search", "compared"):
        for width in look.WIDTHS:
            assert size(drawn / f"{page}-{width}.png")[0] == width
    for columns in look.COLUMNS:
        text = (drawn / f"terminal-not-ready-{columns}.txt").read_text(encoding="utf-8")
        assert text.startswith("NOT READY")
        assert max(map(len, text.splitlines())) <= columns
        assert size(drawn / f"terminal-not-ready-{columns}.png")[0] >= 12 * columns
