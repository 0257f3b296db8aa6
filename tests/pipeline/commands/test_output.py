"""What leaves the program: it can be encoded, is shown and not obeyed, and its loss is told."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import edgestill
import pytest
from edgestill.pipeline.commands import output
from rich.table import Table

SAY = "from edgestill.pipeline.commands.output import *; take_streams(); "


def python(code, *, shell="", **variables):
    """A fresh process that runs code; ``shell`` is what a shell would write after it."""
    command = f'"$0" -c "$1" {shell}'
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command, sys.executable, code],
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8", "utf-16", "koi8-r"])
def test_any_text_can_be_printed_in_any_encoding(encoding):
    code = f"{SAY}say('1.27× µs … é ≤ 日本 \\udcff'); stdout().print('×…│ 日本 \\udcff')"
    ended = python(code, PYTHONIOENCODING=encoding)
    assert ended.returncode == 0, ended.stderr
    assert "1.27" in ended.stdout.decode(encoding)


def test_what_ascii_lacks_is_spelled_out():
    ended = python(f"{SAY}say('1.27× 3 µs … é ≤ R² ‖ 日')", PYTHONIOENCODING="ascii")
    assert ended.stdout == b"1.27x 3 us ... e <= R2 || ?\n"


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "xx_XX.bad"])
def test_no_locale_stops_it(locale):
    ended = python(f"{SAY}stdout().print('1.27× …')", LC_ALL=locale, LANG=locale)
    assert ended.returncode == 0, ended.stderr


def test_a_table_in_ascii_has_a_box_of_ascii():
    code = (
        f"from rich.table import Table; {SAY}t = Table('größe'); t.add_row('1×'); stdout().print(t)"
    )
    ended = python(code, PYTHONIOENCODING="ascii")
    assert b"+-" in ended.stdout
    assert b"?" not in ended.stdout


@pytest.mark.parametrize("name", ["[red]x[/red]", "[/]", "[link=http://a]", ":smile:", "a\\[b"])
def test_a_name_is_no_markup(name, capsys):
    table = Table("model")
    table.add_row(name)
    console = output.stdout()
    console.print(name)
    console.print(table)
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == name
    assert shown.count(name) == 2


@pytest.mark.parametrize("code", ["\x1b[31m", "\x9b31m", "\u202e", "\x07", "\x1b]0;title\x07"])
def test_no_control_character_of_a_name_reaches_a_terminal(code, capsys):
    name, table = f"model{code}.onnx", Table(f"head{code}", title=f"title{code}")
    table.add_row(name)
    output.say(name, f"second {name}")
    for console in (output.stdout(), output.stderr()):
        console.print(name)
        console.print(table)
        console.print(name, style="bold")
    out, err = capsys.readouterr()
    for character in code:
        if not character.isprintable():
            assert character not in out + err
    assert out.startswith("model\ufffd")


def test_a_name_cannot_begin_a_line_of_its_own(capsys):
    output.say("no such file: a\nREADY: fp32 ships")
    assert capsys.readouterr().out == "no such file: a READY: fp32 ships\n"


def test_colours_of_our_own_do_reach_a_terminal():
    code = f"{SAY}import rich.console; stdout().print('x', style='bold red')"
    ended = python(code, FORCE_COLOR="1", TERM="xterm")
    assert b"\x1b[1;31mx" in ended.stdout


def test_a_page_records_what_a_terminal_shows():
    console = output.recorder(width=40)
    console.print("[red]\x1b[31m")
    page = console.export_html()
    assert "[red]\ufffd[31m" in page
    assert "\x1b" not in page


SAID = (
    f"{SAY}\n"
    "from edgestill.errors import StorageError\n"
    "import sys\n"
    "try:\n"
    "    for i in range(3): say('a result ' * 10_000)\n"
    "except StorageError as error: say(str(error), file=sys.stderr); sys.exit(error.exit_code)\n"
    "say('afterwards', file=sys.stderr)\n"
)


def test_a_result_that_a_full_disk_does_not_take_is_an_error():
    ended = python(SAID, shell=">/dev/full")
    assert ended.returncode == 4
    assert ended.stderr == (
        b"stdout: the result cannot be written (the disk is full); send stdout elsewhere\n"
    )


def test_a_closed_stdout_is_an_error_and_no_file_gets_what_was_meant_for_it(tmp_path):
    code = SAID.replace("try:", f"open({str(tmp_path / 'other')!r}, 'w')\ntry:")
    ended = python(code, shell=">&-")
    assert ended.returncode == 4
    assert b"it is closed" in ended.stderr
    assert (tmp_path / "other").read_bytes() == b""


def test_a_stdout_that_takes_nothing_is_seen_before_the_work():
    code = f"{SAY}check_stdout(); say('done')"
    assert python(code).returncode == 0
    assert b"StorageError" in python(code, shell=">&-").stderr
    assert b"StorageError" in python(code, shell="1</dev/null").stderr


def test_a_reader_that_has_ended_is_no_error():
    ended = python(SAID, shell="| true")
    assert ended.returncode == 0
    assert ended.stderr == b"afterwards\n"


@pytest.mark.parametrize("shell", ["2>/dev/full", "2>&-", "2>&1 | true"])
def test_progress_that_cannot_be_written_stops_nothing(shell):
    code = f"{SAY}import sys; [say('p' * 10_000, file=sys.stderr) for _ in range(3)]"
    code += "\nstderr().print('more'); open('/dev/null').close(); say('the result')"
    ended = python(code, shell=shell)
    assert ended.returncode == 0
    assert ended.stdout == (b"" if "|" in shell else b"the result\n")


def test_a_closed_stdin_is_empty_and_no_terminal():
    ended = python(
        f"{SAY}import sys; say(str(sys.stdin.isatty()), repr(sys.stdin.read()))", shell="<&-"
    )
    assert ended.stdout == b"False\n''\n"


def test_streams_that_are_not_the_process_s_own_stay(capsys):
    before = sys.stdout, sys.stderr
    output.take_streams()
    output.check_stdout()
    assert (sys.stdout, sys.stderr) == before


def test_a_handler_of_encodings_gets_errors_of_encoding_alone():
    with pytest.raises(UnicodeDecodeError):
        output.spelled(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"))


def test_a_question_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "3")
    assert output.prompt("axis \x1b[31m of x") == "3"
    assert "\x1b" not in json.dumps(capsys.readouterr().err, ensure_ascii=False)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_sentences_broken_between_words_and_a_log_whole_lines(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    line = "found float32 of shape (32, 1, 8, 8) for a query, expected uint8"
    fitted = output.fitted(line, Terminal(), hang=4)
    assert fitted.split("\n    ") == [
        "found float32 of shape (32, 1,",
        "8, 8) for a query,",
        "expected uint8",
    ]
    assert output.fitted(line, io.StringIO()) == line
    assert output.fitted("/a/path-that/is-longer/than-the/terminal", Terminal()).count("\n") == 0


def test_a_document_is_never_broken(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    terminal = Terminal()
    output.say('{"a": "b c d e f g h i j k l m n o p q r"}', file=terminal)
    output.say("b c d e f g h i j k l m n o p q r s t", file=terminal, hang=0)
    assert terminal.getvalue().count("\n") == 3


def test_an_error_has_its_kind_in_colour_on_a_terminal_that_wants_it(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for variables, expected in (
        ({}, "\x1b[31m\x1b[1merror:\x1b[0m a\ufffd[1mb\n"),
        ({"NO_COLOR": "1"}, "error: a\ufffd[1mb\n"),
        ({"TERM": "dumb"}, "error: a\ufffd[1mb\n"),
    ):
        with monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value)
            patched.setattr(sys, "stderr", Terminal())
            output.tell("error:", " a\x1b[1mb", "red")
            assert sys.stderr.getvalue() == expected


def test_every_line_and_table_goes_through_this_module():
    # Progress of a call from Python is printable before it reaches the console.
    own = {"pipeline/commands/output.py", "pipeline/api/watching.py"}
    root = Path(edgestill.__file__).parent
    found = {
        f"{file.relative_to(root)}: {call}"
        for folder in ("pipeline", "devices", "exporters")
        for file in (root / folder).rglob("*.py")
        if file.relative_to(root).as_posix() not in own
        for call in re.findall(
            r"click\.(?:echo|secho|prompt|confirm)\(|(?<![\w.`])Console\(\w",
            file.read_text(encoding="utf-8"),
        )
    }
    assert found == set()
