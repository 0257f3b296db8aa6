"""The lines that are written over: they fit 80 columns with a bar in them, and leave nothing."""

import io
import re
import time

import pytest
from edgestill.pipeline.progress.live import Live
from edgestill.pipeline.progress.on_console import OnConsole
from rich.console import Console

LONG = "loss 0.0772  validation accuracy 0.9389 of a model with a very, very long name indeed"


def drawn(width, title="stage 3 of 9, student", done=7, total=10, detail=LONG, what="student"):
    """The lines as they stand on a terminal of that width."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    live = Live(console, title, time.monotonic() - 63, ticking=False)
    task = live.begin(what, total)
    for _ in range(done):
        live.advance(task, detail)
    for line in live._region.get_renderables():
        console.print(line)
    return console.file.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_every_width_has_the_stage_the_bar_the_steps_the_time_left_and_since(width):
    lines = drawn(width, what="student resnet8 distilled, seed 0")
    assert max(map(len, lines)) <= min(width, 100)
    head, bar, detail = lines
    assert head.startswith("stage 3 of 9, student")
    assert head.rstrip().endswith("1 min 03 s")
    assert len(re.findall("[━╸╺]", bar)) >= 12
    assert " 7/10 " in bar
    assert bar.rstrip().endswith("s left")
    assert detail.lstrip().startswith("loss 0.0772")


def test_a_long_name_leaves_the_bar_its_room_at_80_columns():
    _, bar, _ = drawn(80, what="answers of a teacher with a very long name on the train split " * 2)
    assert len(re.findall("[━╸╺]", bar)) >= 12
    assert "…" in bar


def test_without_a_stage_the_time_since_the_beginning_stands_below_the_bar():
    bar, detail = drawn(80, title="", what="benchmark", total=18, detail="fp32.onnx")
    assert " 7/18 " in bar
    assert detail.strip() == "1 min 03 s so far  fp32.onnx"


def test_steps_beyond_the_total_have_no_time_left():
    _, bar, _ = drawn(80, done=12, total=10)
    assert "12/?" in bar
    assert "left" not in bar


def run_live(body, width=80):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    progress = OnConsole(console, moves=True)
    body(progress)
    return console.file.getvalue()


def test_on_a_terminal_a_stage_ends_as_a_line_and_the_bar_is_erased():
    def body(progress):
        progress.planned(("student",))
        with progress.stage("student"), progress.steps("student", 3) as steps:
            for _ in range(3):
                steps.advance("loss 1")
            progress.warn("a loss that is high")

    written = run_live(body)
    assert "stage 1 of 1, student done in" in written.splitlines()[-1]
    assert "warning: a loss that is high" in written
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1  # the cursor is back


def test_a_name_reaches_no_terminal_as_an_escape_code():
    def body(progress):
        with progress.steps("a\x1b]0;title\x07", 2) as steps:
            steps.advance("b\x1b]0;title\x07")

    written = run_live(body)
    assert "\x1b]" not in written
    assert "\x07" not in written


def test_steps_outside_a_stage_end_as_a_line():
    def body(progress):
        with progress.steps("benchmark", 2) as steps:
            steps.advance("fp32")
            steps.advance("int8")

    assert re.search(r"benchmark done in 0\.\d s\n$", run_live(body))


def test_what_fails_leaves_the_cursor_and_says_nothing_of_being_done():
    def stopped(progress):
        with progress.stage("student"), progress.steps("student", 2) as steps:
            steps.advance()
            raise KeyboardInterrupt

    def body(progress):
        with pytest.raises(KeyboardInterrupt):
            stopped(progress)

    written = run_live(body)
    assert written.count("\x1b[?25h") == 1
    assert "done" not in written


def test_an_advance_draws_at_most_ten_times_a_second():
    def body(progress):
        with progress.steps("targets", 5000) as steps:
            for _ in range(5000):
                steps.advance("row")

    began = time.monotonic()
    written = run_live(body)
    assert written.count("targets") <= 4 + 10 * (time.monotonic() - began)
