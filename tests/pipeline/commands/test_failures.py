"""1 and 5 come from a verdict only: every way to end, of every command, has another code."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from edgestill.errors import DataError, HostError, StorageError
from edgestill.pipeline.commands.cli import COMMANDS, main
from edgestill.pipeline.commands.failures import failure_of

GROUPS = {name: one for name, one in COMMANDS.items() if isinstance(one, click.Group)}
NAMES = [(name,) for name in COMMANDS if name not in GROUPS] + [
    (name, inner) for name, group in GROUPS.items() for inner in group.commands
]
"""The words of every command."""


class RustPanicError(BaseException):
    """As pyo3 raises a panic: no ``Exception``."""


def memory_of_torch():
    return RuntimeError(
        "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"
    )


ENDS = {
    "a bug": (ZeroDivisionError("x"), 70),
    "recursion": (RecursionError("maximum recursion depth exceeded"), 70),
    "a panic": (RustPanicError("called unwrap() on None"), 70),
    "an exit of a module": (SystemExit(1), 70),
    "an exit with 5": (SystemExit(5), 70),
    "an exit with 0": (SystemExit(0), 70),
    "a pipe of a child": (BrokenPipeError(errno.EPIPE, "Broken pipe"), 70),
    "text of another encoding": (UnicodeEncodeError("ascii", "×", 0, 1, "ordinal"), 70),
    "a missing file": (FileNotFoundError(errno.ENOENT, "No such file", "x"), 70),
    "no memory": (MemoryError(), 4),
    "no memory in torch": (memory_of_torch(), 4),
    "no memory in the kernel": (OSError(errno.ENOMEM, "Cannot allocate memory"), 4),
    "a full disk": (OSError(errno.ENOSPC, "No space left on device", "/x"), 4),
    "a quota": (OSError(errno.EDQUOT, "Disk quota exceeded"), 4),
    "a limit of files": (OSError(errno.EFBIG, "File too large"), 4),
    "a broken disk": (OSError(errno.EIO, "Input/output error"), 4),
    "a disk to read": (OSError(errno.EROFS, "Read-only file system"), 4),
    "too many files": (OSError(errno.EMFILE, "Too many open files"), 4),
    "a missing library": (ModuleNotFoundError("No module named 'torch'", name="torch"), 4),
    "a module of ours": (ImportError("no", name="edgestill.pipeline"), 70),
    "an error of ours": (DataError("x"), 3),
    "usage": (click.UsageError("x"), 2),
    "a file of click": (click.FileError("x"), 2),
    "an end of click": (click.ClickException("x"), 2),
    "Ctrl-C": (KeyboardInterrupt(), 130),
    "an abort": (click.Abort(), 130),
    "the end of stdin": (EOFError(), 2),
}


@pytest.fixture
def ends(monkeypatch, capsys):
    """Runs a command whose work ends in an exception: code, stdout, stderr."""

    def run(words, error, *more):
        command = COMMANDS[words[0]]
        if len(words) == 2:
            command = GROUPS[words[0]].commands[words[1]]

        def stop(**_):
            raise error

        monkeypatch.setattr(command, "callback", stop)
        # Only what ends it counts: no argument is needed.
        kept = [option for option in command.params if {"--debug", "--json"} & {*option.opts}]
        monkeypatch.setattr(command, "params", kept)
        monkeypatch.setattr(sys, "argv", ["edgestill", *words, *more])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return run


@pytest.mark.parametrize("words", NAMES, ids=" ".join)
@pytest.mark.parametrize("end", ENDS)
def test_no_end_of_any_command_carries_a_verdict_by_accident(words, end, ends):
    error, code = ENDS[end]
    found, out, err = ends(words, error)
    assert found == code
    assert out == ""
    assert "Traceback" not in err
    assert err.strip()


@pytest.mark.parametrize("end", ENDS)
def test_with_json_a_failure_is_one_document_with_its_code(end, ends):
    error, code = ENDS[end]
    found, out, _ = ends(("plan",), error, "--json")
    assert found == code
    document = json.loads(out)
    assert document["exit_code"] == code
    assert document["error"]["kind"]


@pytest.mark.parametrize("end", ENDS)
def test_with_debug_the_code_is_the_same_and_the_traceback_is_shown(end, ends):
    error, code = ENDS[end]
    found, _, err = ends(("plan",), error, "--debug")
    assert found == code
    assert "Traceback" in err or "Error" in err


@pytest.mark.parametrize("end", ["a bug", "an error of ours", "a full disk"])
def test_what_a_name_holds_does_not_reach_the_terminal_in_an_error(end, ends):
    bad = {"a bug": KeyError, "an error of ours": DataError, "a full disk": None}[end]
    name = "a\x1b[31m\u202e\n\x9bb"
    error = bad(name) if bad else OSError(errno.ENOSPC, "No space left on device", name)
    _, _, err = ends(("plan",), error, "--debug")
    assert not {"\x1b", "\u202e", "\x9b"} & {*err}


def test_a_failure_keeps_its_cause():
    cause = OSError(errno.ENOSPC, "No space left on device", "/x")
    failure = failure_of(cause)
    assert isinstance(failure, StorageError)
    assert failure.__cause__ is cause
    assert "/x" in str(failure)
    assert failure_of(failure) is failure
    assert isinstance(failure_of(memory_of_torch()), HostError)


def edgestill(*words, shell="", **variables):
    """The command in a process of its own, with what a shell would write after it."""
    command = f'"$0" -m edgestill "$@" {shell}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, *words],
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
    )


PRINTS = [
    *((*words, "--help") for words in NAMES),
    ("--version",),
    ("plan",),
    ("plan", "--json"),
    ("schema",),
    ("devices", "list"),
    ("devices", "list", "--json"),
    ("devices", "show", "host", "--json"),
]


@pytest.mark.slow
@pytest.mark.parametrize("words", PRINTS, ids=" ".join)
def test_a_result_that_cannot_be_written_is_the_environment(words, tmp_path):
    for shell in (">/dev/full", ">&-", ">/dev/full 2>&1"):
        ended = edgestill(*words, shell=shell)
        assert ended.returncode == 4, shell
        assert b"Traceback" not in ended.stderr
    assert edgestill(*words, shell="| true; exit ${PIPESTATUS[0]}").returncode == 0


def test_a_document_that_a_full_disk_does_not_take_is_the_environment():
    ended = edgestill("plan", "--json", shell=">/dev/full")
    assert ended.returncode == 4
    assert ended.stderr.startswith(b"error: stdout: the result cannot be written")
    assert ended.stderr.count(b"\n") == 1


def test_a_failure_whose_document_cannot_be_written_keeps_its_code():
    ended = edgestill("plan", "no-such.toml", "--json", shell=">/dev/full")
    assert ended.returncode == 2
    assert b"no-such.toml" in ended.stderr


def test_a_reader_that_has_ended_changes_no_code():
    ended = edgestill("schema", shell="| head -1; exit ${PIPESTATUS[0]}")
    assert ended.returncode == 0
    assert ended.stdout == b"{\n"
    assert ended.stderr == b""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_an_encoding_stops_no_command(encoding):
    ended = edgestill("devices", "list", PYTHONIOENCODING=encoding)
    assert ended.returncode == 0, ended.stderr


def test_what_a_module_of_the_user_prints_is_no_part_of_the_document(tmp_path):
    (tmp_path / "mine.py").write_text("print('hello'); import sys; sys.exit(1)")
    (tmp_path / "r.toml").write_text(
        'name = "m"\n[data]\nsource = "mine:data"\n[teacher]\nmodel = "mlp1"\n'
        '[student]\nmodel = "mlp1"\n[gate]\nmin_accuracy = 0.5\n'
    )
    recipe, store = str(tmp_path / "r.toml"), str(tmp_path / "a")
    ended = edgestill(
        "build", recipe, "--json", "--artifacts", store, PYTHONPATH=f"{tmp_path}:{Path.cwd()}"
    )
    document = json.loads(ended.stdout)
    assert ended.returncode == document["exit_code"] == 3, ended.stderr
    assert b"hello" in ended.stderr
