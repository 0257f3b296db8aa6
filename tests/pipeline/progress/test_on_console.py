"""What a command says while it works: plain lines in a log, a bar on a terminal."""

import io

import pytest
from edgestill.pipeline.progress import OnConsole, measuring
from edgestill.pipeline.progress.duration import duration, roughly
from edgestill.pipeline.progress.on_console import is_live
from rich.console import Console


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _no_server(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("CI", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def log():
    """Progress in a log, and what is in it."""
    file = io.StringIO()
    return OnConsole(Console(file=file, width=80)), file.getvalue


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10.2, "10 s"),
        (59.6, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (9000, "2 h 30 min"),
    ],
)
def test_a_duration_is_told_in_the_units_that_people_use(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "10 s"), (41, "50 s"), (90, "90 s"), (91, "2 min"), (3000, "50 min"), (9000, "2.5 h")],
)
def test_an_estimate_is_told_no_more_exactly_than_it_is(seconds, said):
    assert roughly(seconds) == said


def test_the_time_left_of_all_stages_is_that_of_those_to_come_and_the_rest_of_this_one(log):
    progress, written = log
    progress.planned(("data", "teacher", "student"))
    assert progress.left() is None, "no earlier build, no time left"
    progress.expected((2.0, 300.0, 600.0))
    with progress.stage("data"):
        assert 901.0 < progress.left() <= 902.0
    with progress.stage("teacher"):
        assert 899.0 < progress.left() <= 900.0
    lines = written().splitlines()
    assert lines[0] == "stage 1 of 3, data … about 16 min left of all stages"
    assert lines[2] == "stage 2 of 3, teacher … about 15 min left of all stages"


def test_a_stage_without_an_earlier_time_leaves_no_time_left_until_it_is_over(log):
    progress, _ = log
    progress.expected((None, 300.0))
    with progress.stage("trial"):
        assert progress.left() is None
    with progress.stage("student"):
        assert progress.left() is not None


def test_a_last_stage_that_takes_longer_than_it_did_has_no_time_left(log):
    progress, _ = log
    progress.expected((0.0,))
    with progress.stage("report"):
        assert progress.left() is None


def test_stages_of_a_search_before_the_build_are_none_of_those_to_come(log):
    progress, _ = log
    for name in ("variants", "benchmark"):
        with progress.stage(name):
            pass
    progress.expected((100.0, 50.0))
    with progress.stage("student"):
        assert progress.left() > 140.0


def test_a_terminal_has_it_beside_the_time_since_the_beginning():
    file = Terminal()
    progress = OnConsole(Console(file=file, width=80, force_terminal=True), moves=True)
    progress.planned(("data", "teacher"))
    progress.expected((20.0, 300.0))
    with progress.stage("data"), progress.steps("rows", 2) as steps:
        steps.advance()
    assert "s, about 6 min left" in file.getvalue()


def test_lines_are_written_over_on_a_terminal_alone(monkeypatch):
    assert is_live(Console(file=Terminal()))
    assert not is_live(Console(file=io.StringIO()))
    assert not is_live(Console(file=io.StringIO(), force_terminal=True))
    for name, value in (("CI", "true"), ("TERM", "dumb")):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            assert not is_live(Console(file=Terminal()))
    monkeypatch.setenv("CI", "false")
    monkeypatch.setenv("NO_COLOR", "1")
    assert is_live(Console(file=Terminal()))


def test_a_log_has_the_stage_of_how_many_and_the_time_until_there(log):
    progress, written = log
    progress.planned(("data", "teacher"))
    for name in ("data", "teacher"):
        with progress.stage(name):
            pass
    progress.ended("build")
    assert written().splitlines() == [
        "stage 1 of 2, data …",
        "stage 1 of 2, data done in 0.0 s",
        "stage 2 of 2, teacher …",
        "stage 2 of 2, teacher done in 0.0 s, 0.0 s so far",
        "build done in 0.0 s",
    ]


def test_how_many_stages_there_are_is_said_once_it_is_known_and_as_long_as_it_is_true(log):
    """A search runs stages before it knows which follow, and a damaged one is run once more."""
    progress, written = log
    with progress.stage("data"):
        pass
    progress.planned(("teacher", "student"))
    for name in ("teacher", "student", "student"):
        with progress.stage(name):
            pass
    assert [line for line in written().splitlines() if line.endswith("…")] == [
        "stage 1, data …",
        "stage 2 of 3, teacher …",
        "stage 3 of 3, student …",
        "stage 4, student …",
    ]


def test_a_stage_that_fails_is_not_done(log):
    progress, written = log
    with pytest.raises(ZeroDivisionError), progress.stage("data"):
        raise ZeroDivisionError
    assert written() == "stage 1, data …\n"


def test_a_log_has_five_lines_of_any_number_of_steps_each_with_the_time_left(log):
    progress, written = log
    with progress.steps("targets", 1000) as steps:
        for number in range(1000):
            steps.advance(f"row {number}")
    lines = written().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"  targets {done}/1000" for done in (200, 400, 600, 800, 1000)
    ]
    assert lines[0].endswith("0.0 s left  row 199")
    assert lines[-1].endswith(", in 0.0 s  row 999")
    assert "\x1b" not in written()
    assert "\r" not in written()


def test_steps_beyond_those_that_were_to_be_are_noted_once(log):
    progress, written = log
    with measuring(progress, 4) as on_process:
        for done in range(1, 8):
            on_process(done, 4, "fp32")
    *lines, note = written().splitlines()
    assert [line.split()[1].rstrip(",") for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert note == "benchmark: not decided yet, going on with more processes"


def test_what_a_name_holds_stays_out_of_a_log(log):
    progress, written = log
    progress.note("a\x1b[31m")
    progress.warn("[red]b\x07")
    assert written() == "a\ufffd[31m\nwarning: [red]b\ufffd\n"
