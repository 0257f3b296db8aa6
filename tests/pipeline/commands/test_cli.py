"""The table of commands: a new command is a function and a line, and nothing more."""

import json
import sys

import click
import pytest
from edgestill.errors import DataError, RecipeError, together
from edgestill.pipeline.commands import cli as command_line
from edgestill.pipeline.commands.cli import COMMANDS, cli, main
from edgestill.pipeline.commands.shared import Invocation, command, print_result


@pytest.fixture
def toy(monkeypatch):
    """A thirteenth command, added to the table."""

    @command()
    @click.argument("count", type=int)
    @click.pass_obj
    def double(invocation, count):
        """Double COUNT."""
        if count < 0:
            raise DataError(str(count), expected="at least 0", where="COUNT", fix="give another")
        print_result(invocation, {"double": 2 * count}, f"twice {count} is {2 * count}")

    monkeypatch.setitem(COMMANDS, "double", double)
    monkeypatch.setitem(cli.commands, "double", double)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["edgestill", "double", *words])
        with pytest.raises(SystemExit) as exit_:
            main()
        return exit_.value.code

    return run


def test_a_command_of_the_table_has_text_json_and_help(toy, capsys):
    assert toy("3") == 0
    assert capsys.readouterr().out == "twice 3 is 6\n"
    assert toy("3", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"double": 6}
    assert toy("--help") == 0
    assert "Double COUNT." in capsys.readouterr().out


def test_a_failure_of_a_command_is_one_line_one_document_and_an_exit_code(toy, capsys):
    assert toy("--json", "--", "-1") == DataError.exit_code
    captured = capsys.readouterr()
    assert captured.err == "error: COUNT: found -1, expected at least 0; give another\n"
    parts = {
        "found": "-1",
        "expected": "at least 0",
        "where": "COUNT",
        "fix": "give another",
    }
    assert json.loads(captured.out) == {
        "error": {"kind": "DataError", **parts, "problems": [parts]},
        "exit_code": 3,
    }


def test_several_failures_are_a_line_and_an_entry_each(toy, monkeypatch, capsys):
    def refused(*words, **more):
        raise together([RecipeError("a", where="x"), RecipeError("b\nc")])

    monkeypatch.setattr(command_line.cli, "main", refused)
    assert toy("1", "--json") == RecipeError.exit_code
    captured = capsys.readouterr()
    assert captured.err == "error: x: a\nerror: b c\n"
    error = json.loads(captured.out)["error"]
    assert [one["found"] for one in error["problems"]] == ["a", "b\nc"]
    assert error["found"] == "a"


def test_help_lists_the_commands_in_the_order_of_the_table():
    context = click.Context(cli)
    assert cli.list_commands(context) == list(COMMANDS)
    assert next(iter(COMMANDS)) == "build"


def test_an_exception_that_is_not_ours_is_reported_as_a_bug(toy, monkeypatch, capsys):
    def broken(*words, **more):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(command_line.cli, "main", broken)
    assert toy("1") == 70
    assert capsys.readouterr().err == (
        "error: a bug in edgestill: ZeroDivisionError: division by zero; "
        "run again with --debug and report what it prints\n"
    )


def test_the_exit_code_is_the_one_that_the_command_set(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["edgestill", "x"])

    def judged(*, obj, **more):
        assert obj == Invocation()
        obj.code = 5

    monkeypatch.setattr(command_line.cli, "main", judged)
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 5
