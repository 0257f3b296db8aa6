"""Tests that need a toolchain: skipped where it is not set up, but never in CI."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from edgestill import toolchains


def python_of(name):
    """The interpreter of a toolchain that is set up.

    CI sets these up itself (`.ci/run`); where one is missing there, the test fails.
    """
    python = toolchains.python_of(name)
    if python is None:
        reason = f"the toolchain {name} is not set up: edgestill toolchains setup {name}"
        if os.environ.get("CI") and name in ("litert", "openvino"):
            pytest.fail(reason)
        pytest.skip(reason)
    return python


def run_in(name, code, *arguments):
    """Run some code in a toolchain; what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text(code)
        words = [str(python_of(name)), "-P", str(script), *map(str, arguments)]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout
