"""One step of a set-up: its last line, its failure, its time."""

import sys

import pytest
from edgestill.errors import HostError
from edgestill.toolchains.step import run_step


def step(code, **more):
    return run_step((sys.executable, "-c", code), where="a step", fix="again", **more)


def test_the_last_line_that_says_something_is_returned():
    assert step("print('a'); print('b'); print()") == "b"


def test_variables_reach_the_program_beside_ours():
    code = "import os; print(os.environ['X'], 'PATH' in os.environ)"
    assert step(code, environment={"X": "1"}) == "1 True"


def test_a_failure_has_its_last_line_or_its_status():
    with pytest.raises(HostError, match="a step: no such thing; again"):
        step("import sys; sys.exit('no such thing')")
    with pytest.raises(HostError, match="a step: status 3; again"):
        step("raise SystemExit(3)")


def test_what_does_not_end_is_ended():
    with pytest.raises(HostError, match="a step: no end after 0 minutes; again"):
        step("import time; time.sleep(60)", minutes=0)
