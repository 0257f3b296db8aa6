"""Small graphs of kinds that failed once, made by the scripts beside the repository.

folder = made("second_output.py", tmp_path)     # a test skips where they are absent
"""

import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"


def made(script, folder):
    """The folder with the models and samples that a script writes."""
    if not (CASES / script).is_file():
        pytest.skip(f"no {script} in shared/cases beside the repository")
    subprocess.run([sys.executable, CASES / script, folder], check=True, cwd=CASES)
    return folder
