"""1 and 5 come from a verdict only: every way to end, of every command, has another code."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from edgestill.errors import DataError, HostError, StorageError
from edgestill.pipeline.commands import cli as commands
from edgestill.pipeline.commands.cli import COMMANDS, main
from edgestill.pipeline.commands.failures import failure_of
from edgestill.pipeline.engine.store import disk_errors
from onnx_files import dense

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
    "a full disk in Rust": (
        RuntimeError("Error while serializing: I/O error: No space left (os error 28)"),
        4,
    ),
    "a limit of files in Rust": (RuntimeError("I/O error: File too large (os error 27)"), 4),
    "another error in Rust": (RuntimeError("I/O error: No such process (os error 3)"), 70),
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


@pytest.fixture
def sigterm():
    """The handler of SIGTERM is put back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def killed(*_):
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("words", [("build",), ("bench",)])
def test_sigterm_while_a_failure_is_told_is_no_verdict(words, ends, monkeypatch, sigterm):
    monkeypatch.setattr(commands, "tell", killed)
    found, _, err = ends(words, DataError("no samples"))
    assert found == commands.TERMINATED
    assert "Traceback" not in err


def test_sigterm_behind_the_end_of_a_command_changes_no_code(ends, monkeypatch, sigterm):
    monkeypatch.setattr(sys.stdout, "flush", killed)
    assert ends(("bench",), DataError("no samples"))[0] == 3


def test_a_second_sigterm_does_not_break_into_the_cleanup(ends, monkeypatch, sigterm):
    told = []

    def again(*words):
        killed()
        told.append(words)

    monkeypatch.setattr(commands, "tell", again)
    monkeypatch.setattr(COMMANDS["bench"], "callback", lambda **_: killed())
    monkeypatch.setattr(COMMANDS["bench"], "params", [])
    monkeypatch.setattr(sys, "argv", ["edgestill", "bench"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == commands.TERMINATED
    assert told[0][0] == "interrupted"


def test_a_failure_keeps_its_cause():
    cause = OSError(errno.ENOSPC, "No space left on device", "/x")
    failure = failure_of(cause)
    assert isinstance(failure, StorageError)
    assert failure.__cause__ is cause
    assert "/x" in str(failure)
    assert failure_of(failure) is failure
    assert isinstance(failure_of(memory_of_torch()), HostError)


def test_a_copy_that_fails_names_what_could_not_be_written():
    copied = OSError(errno.ENOSPC, "No space left on device", "from.onnx", None, "to.onnx")
    assert str(failure_of(copied)).startswith("to.onnx: the disk is full")
    with pytest.raises(StorageError, match=r"to\.onnx: cannot write"), disk_errors(Path()):
        raise copied


@pytest.mark.parametrize("error", [errno.EFBIG, errno.ENOSPC, errno.EDQUOT])
def test_a_library_that_has_a_disks_error_in_its_text_alone_is_understood(error):
    said = RuntimeError(f"Error while serializing: {os.strerror(error)} (os error {error})")
    with pytest.raises(StorageError, match=os.strerror(error).lower()), disk_errors(Path()):
        raise said


@pytest.mark.slow
def test_samples_that_the_disk_does_not_take_are_the_environment(tmp_path):
    model = dense(tmp_path / "m.onnx", 2)
    command = 'ulimit -f 2; exec "$0" -m edgestill bench "$1" --processes 1 --seconds 1 --out "$2"'
    ended = subprocess.run(
        ["bash", "-c", command, sys.executable, str(model), str(tmp_path / "out")],
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 4
    line = ended.stderr.decode().splitlines()[-1]
    assert "its samples cannot be written (the limit of a file's size is too small)" in line


@pytest.mark.slow
def test_ctrl_c_again_and_again_ends_with_one_line(tmp_path):
    model = dense(tmp_path / "m.onnx", 2)
    words = [sys.executable, "-m", "edgestill", "bench", str(model), "--out", str(tmp_path / "out")]
    with subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True) as bench:
        time.sleep(3)
        for _ in range(3):
            os.killpg(bench.pid, signal.SIGINT)
            time.sleep(0.1)
        err = bench.communicate(timeout=30)[1].decode()
    assert bench.returncode in (130, -signal.SIGINT)
    assert err.split("\n")[-2] == "interrupted; finished results are kept"
    assert "Traceback" not in err


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
