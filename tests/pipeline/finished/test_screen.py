"""One screen: never wider than 80 columns or longer than 24 lines, and no name is obeyed."""

from pathlib import Path

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.finished.screen import (
    COLUMNS,
    LINES,
    Screen,
    cell,
    html,
    near,
    text,
    warned,
)
from edgestill.pipeline.report import numbers
from run_example import NASTY

MS = numbers.MILLISECONDS
TIME = Estimate(1.234, 1.2, 1.3, "a test", 9, unit="ms", kind="measured")


def lines_of(screen):
    lines = text(screen).split("\n")
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    return lines


def test_a_figure_has_its_interval_beside_it_where_there_is_room():
    assert lines_of(Screen("t", ("model", "p50"), (("m", cell(TIME, MS)),))) == [
        "t",
        "model  p50",
        "m      1.23 ms (1.20 to 1.30)",
    ]


def test_intervals_go_below_where_a_line_is_too_short():
    row = ("a-model", *[cell(TIME, MS)] * 4)
    screen = Screen("t", ("model", "p50", "p90", "p99", "load"), (row,))
    _, _, figures, intervals = lines_of(screen)
    assert figures.split() == ["a-model", *["1.23", "ms"] * 4]
    assert intervals.split() == ["1.20", "to", "1.30"] * 4


def test_what_is_not_known_is_said_so():
    assert cell(Estimate.unknown("no counter"), MS) == "unknown"


@pytest.mark.parametrize("rows", [1, 19, 20, 21, 300])
def test_rows_beyond_the_screen_are_counted(rows):
    shown = lines_of(
        Screen(
            "t",
            ("model", "size"),
            tuple((f"m{number}", "1 KiB") for number in range(rows)),
            below=("a sentence",),
            paths=(("report", "/a/b"),),
        )
    )
    assert shown[-2:] == ["a sentence", "report: /a/b"]
    told = [line for line in shown if "more" in line]
    listed = sum(line.startswith("m") and "KiB" in line for line in shown)
    assert listed + (int(told[0].split()[2]) if told else 0) == rows


def test_of_many_warnings_the_rest_is_counted():
    assert warned(["a"]) == ("warning: a",)
    assert warned("abcde")[-2:] == ("warning: c", "and 2 more warnings")


def test_long_names_sentences_and_paths_are_cut():
    screen = Screen(
        "x" * 200,
        ("model", "p50"),
        (("n" * 200, cell(TIME, MS)),),
        above=("word " * 100,),
        paths=(("report", "/folder" * 40 + "/report.html"),),
    )
    shown = lines_of(screen)
    assert shown[-1].startswith("report: …")
    assert shown[-1].endswith("/report.html")
    assert "1.23 ms (1.20 to 1.30)" in text(screen)


def test_no_name_is_obeyed():
    screen = Screen(NASTY, (NASTY,), ((NASTY,),), (NASTY,), (NASTY,), (("report", NASTY),))
    for shown in (text(screen), html(screen)):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "<script" not in html(screen)
    assert "&lt;script&gt;" in html(screen)


def test_a_path_below_the_current_folder_is_shown_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert near(tmp_path / "a" / "b") == "a/b"
    assert near(Path("/elsewhere/b")) == "/elsewhere/b"
    assert near(Path("a/b")) == "a/b"


def test_the_table_in_html_has_heads_and_intervals():
    shown = html(Screen("t", ("model", "p50"), (("m", cell(TIME, MS)),), paths=(("at", "/a"),)))
    assert '<th scope="col">model</th>' in shown
    assert "<td>1.23 ms<br><small>1.20 to 1.30</small></td>" in shown
    assert "style" not in shown


def test_a_path_and_a_command_in_a_sentence_stay_whole():
    path, command = f"/data/{'a-long-name/' * 9}model.onnx", "`edgestill gate RUN --baseline OTHER`"
    lines = text(Screen("t", below=(f"see {path} and then, what is next, {command} says it",)))
    assert path in lines.split("\n")
    assert command in lines
    assert "\x00" not in lines
