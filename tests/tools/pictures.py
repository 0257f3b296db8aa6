"""The README's pictures: the demo's verdict on a terminal, and the first screen of its report.

    python tests/tools/pictures.py RUN         # of a run of the demo: artifacts/runs/demo/…
    python tests/tools/pictures.py --check     # whether the terminal's is as it would be drawn now

The run's report.json is kept beside them, so that a picture can be drawn again without a build.
"""

import argparse
import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import browser_tools
import look
from edgestill.pipeline.report.terminal_screen import screen
from edgestill.pipeline.runs.run import open_report
from rich.console import Console

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
TERMINAL, REPORT, KEPT = "terminal.svg", "report.png", "report.json"
COLUMNS, WIDTH = 80, 1280
_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def terminal(folder: Path) -> str:
    """What `edgestill build` prints in the end, as SVG that asks for no font of another server."""
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True)
    console.print("$ edgestill build")
    console.print(screen(open_report(folder), columns=COLUMNS, lines=22))
    drawn = console.export_svg(title="edgestill", unique_id="edgestill")
    return _FONTS.sub("", drawn)


def draw(run: Path) -> None:
    """Both pictures of a run, and its record."""
    PICTURES.mkdir(exist_ok=True)
    shutil.copyfile(run / KEPT, PICTURES / KEPT)
    (PICTURES / TERMINAL).write_text(terminal(run), encoding="utf-8")
    with (
        tempfile.TemporaryDirectory() as folder,
        browser_tools.visited("about:blank", Path(folder)) as browser,
    ):
        look.shot(browser, (run / "report.html").as_uri(), PICTURES / REPORT, WIDTH)


def is_current() -> bool:
    """Whether the terminal's picture is what would be drawn now."""
    return (PICTURES / TERMINAL).read_text(encoding="utf-8") == terminal(PICTURES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--check", action="store_true")
    told = parser.parse_args()
    if told.check and not is_current():
        sys.exit(f"{PICTURES / TERMINAL} is not current; run: python tests/tools/pictures.py RUN")
    if told.run:
        draw(told.run)
