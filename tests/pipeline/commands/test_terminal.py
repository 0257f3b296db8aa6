"""Commands on a real terminal of 80 columns and 24 lines, as a user has them."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from onnx_files import dense

pytestmark = pytest.mark.slow


def on_terminal(*words, columns=80, lines=24, **variables):
    """What a command writes to a terminal, and its exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    dropped = ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    with subprocess.Popen(
        [sys.executable, "-m", "edgestill", *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm-256color", **variables},
        close_fds=True,
    ) as command:
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says so where the other end is closed
                break
            if not part:
                break
            written += part
    os.close(ours)
    return written.decode(), command.returncode


def lines_of(written):
    """The lines that stay, without those that were written over."""
    stays = written.split("\x1b[?25h")[-1]
    stays = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stays)
    return [line for line in stays.replace("\r", "\n").split("\n") if line]


def test_the_verdict_of_a_run_stays_on_the_screen(own_build):
    run = own_build[0].run
    written, code = on_terminal("gate", run, "--set", "gate.min_accuracy=0.99999")
    shown = lines_of(written)
    assert code in (1, 5)
    assert len(shown) <= 23
    # What to type next and the path of the report, which come last, stay whole.
    assert max(len(line) for line in shown[:-1] if not line.startswith("try: ")) <= 80
    assert shown[0].startswith(("NOT READY: ", "UNDECIDED: "))
    assert any(line.startswith("accuracy") and "at least" in line for line in shown)
    assert re.search("\x1b\\[1;3[13]m(NOT READY|UNDECIDED)", written)


def test_figures_stay_on_the_screen_after_a_bench_that_showed_a_bar(tmp_path):
    models = [dense(tmp_path / f"{name}.onnx", 2) for name in "ab"]
    options = ("--processes", "2", "--seconds", "0.02", "--out", tmp_path / "out")
    written, code = on_terminal("bench", *models, *options)
    shown = lines_of(written)
    assert code == 0
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1
    assert re.search(r"benchmark.*━.*1/4", written)
    assert len(shown) <= 23
    assert any(line.startswith("p50 ") for line in shown)


@pytest.mark.parametrize("variables", [{"CI": "true"}, {"TERM": "dumb"}])
def test_where_lines_cannot_be_written_over_there_are_lines_alone(variables, tmp_path):
    model = dense(tmp_path / "a.onnx", 2)
    options = ("--processes", "2", "--seconds", "0.02", "--out", tmp_path / "out")
    written, code = on_terminal("bench", model, *options, **variables)
    assert code == 0
    assert "\x1b[?25l" not in written
    assert "benchmark 1/2, " in written
    if "TERM" in variables:
        assert "\x1b" not in written
