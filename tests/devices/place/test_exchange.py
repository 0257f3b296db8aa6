"""One command: its stdin, what it writes, how it ends, what it cannot do."""

import sys

import pytest
from edgestill.devices.place.exchange import exchange
from edgestill.errors import DataError, ReachError


def _python(code, pieces=(), timeout_s=30.0):
    return exchange((sys.executable, "-c", code), pieces, timeout_s=timeout_s, where="the test")


def test_a_command_reads_the_pieces_and_its_outputs_and_status_come_back():
    code = (
        "import sys\n"
        "sys.stdout.write(sys.stdin.readline().upper())\n"
        "sys.stderr.write('a word')\n"
        "sys.exit(3)\n"
    )
    ended = _python(code, (b"ab", b"c\n"))
    assert (ended.status, ended.out, ended.stderr) == (3, b"ABC\n", "a word")


def test_a_command_that_a_signal_ends_has_its_negative_number():
    assert _python("import os; os.kill(os.getpid(), 9)").status == -9


def test_a_command_that_reads_nothing_is_no_failure():
    ended = _python("print('done')", (b"x" * (1 << 20),))
    assert (ended.status, ended.out) == (0, b"done\n")


def test_stdin_stays_open_until_the_command_ends():
    code = (
        "import select, sys\n"
        "sys.stdin.buffer.raw.read(1)\n"
        "print(select.select([sys.stdin], [], [], 0.1)[0])\n"
    )
    assert _python(code, (b"x",)).out == b"[]\n"


def test_a_command_that_takes_too_long_is_ended(tmp_path):
    code = f"import time; time.sleep(60); open({str(tmp_path / 'late')!r}, 'w')"
    with pytest.raises(ReachError, match=r"no answer after 0\.2 s") as refusal:
        _python(code, timeout_s=0.2)
    assert refusal.value.where == "the test"


def test_a_program_that_does_not_exist_is_named():
    with pytest.raises(ReachError, match="no program no-such-program-here"):
        exchange(("no-such-program-here",), (), timeout_s=1.0, where="the test")


def test_a_piece_that_cannot_be_read_is_a_data_error():
    def pieces():
        yield b"x"
        raise FileNotFoundError("gone.onnx")

    with pytest.raises(DataError, match=r"a file that cannot be read \(gone\.onnx\)"):
        _python("import sys; sys.stdin.buffer.raw.read(1)", pieces())
