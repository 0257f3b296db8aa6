"""What is said where a library is not installed."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import without
from edgestill.pipeline.engine.extras import EXTRAS, missing

ROOT = Path(__file__).resolve().parents[3]


def test_a_library_is_named_with_what_brings_it():
    assert str(missing("torchao")) == "torchao is not installed; pip install 'edgestill[qat]'"


def test_all_that_the_extra_would_bring_are_named_at_once(tmp_path):
    code = "from edgestill.pipeline.engine.extras import missing; print(missing('sklearn'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=without.environment(tmp_path / "site", ["sklearn", "scikit-learn", "scipy"]),
        capture_output=True,
        text=True,
        check=True,
    )
    said = "scikit-learn and scipy are not installed; pip install 'edgestill[train]'\n"
    assert done.stdout == said


def test_the_table_is_that_of_pyproject():
    """A library that moves to another extra moves here, too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        extra: {wanted.partition(">")[0] for wanted in project["optional-dependencies"][extra]}
        for extra, _ in EXTRAS.values()
    }
    for extra, pip in EXTRAS.values():
        assert pip in extras[extra], json.dumps(sorted(extras[extra]))
    assert {pip for extra, pip in EXTRAS.values() if extra == "train"} == extras["train"]
    assert not {wanted.partition(">")[0] for wanted in project["dependencies"]} & extras["train"]
