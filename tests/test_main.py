"""``python -m edgestill`` that cannot be imported: Python's own code would be a verdict."""

import subprocess
import sys

import pytest

CUT = """
import runpy, sys
class Cut:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise {error}
sys.meta_path.insert(0, Cut())
sys.argv = ["edgestill", "--help"]
runpy.run_module("edgestill", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ImportError('No module named click')", 4),
        ("OSError(12, 'Cannot allocate memory')", 4),
        ("MemoryError()", 4),
        ("SyntaxError('invalid \\x1b[31m syntax')", 70),
        ("SystemExit(1)", 70),
        ("KeyboardInterrupt()", 130),
    ],
)
@pytest.mark.parametrize("name", ["click", "edgestill.pipeline.commands.builds"])
def test_an_import_that_fails_ends_with_no_verdict_s_code(name, error, code):
    script = CUT.format(name=name, error=error)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert ended.returncode == code, ended.stderr
    assert ended.stderr.count(b"\n") == 1
    assert b"Traceback" not in ended.stderr
    assert b"\x1b" not in ended.stderr


def test_the_command_is_run_by_the_module():
    ended = subprocess.run(
        [sys.executable, "-m", "edgestill", "--version"], capture_output=True, check=True
    )
    assert ended.stdout.startswith(b"edgestill, version ")
