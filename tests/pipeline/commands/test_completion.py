"""What a shell completes, asked of bash as it asks: by COMP_WORDS and COMP_CWORD."""

import os
import shutil
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete
from edgestill.pipeline.commands.cli import cli
from edgestill.pipeline.commands.completion import VARIABLE

# A real shell offers compopt only while it completes.
ASK = """
eval "$(edgestill completion bash)"
compopt() { echo "as: ${*: -1}"; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_edgestill_completion edgestill
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def shell(tmp_path):
    """An environment in which ``edgestill`` is this source."""
    program = tmp_path / "bin" / "edgestill"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgestill "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("edgestill ben", ["bench"]),
        ("edgestill bench --precis", ["--precision"]),
        ("edgestill bench mod", ["as: default"]),
        ("edgestill build --artifacts art", ["as: dirnames"]),
    ],
)
def test_bash_is_offered(words, offered, shell):
    ended = subprocess.run(
        ["bash", "--norc", "-c", ASK, "bash", *words.split()],
        env=shell,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == " ".join(offered).split(), ended.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("devices s", ["show", "setup-emulator"]),
        ("bench --device raspberry-pi-5", ["raspberry-pi-5"]),
        ("bench m.onnx --scenario off", ["offline"]),
        ("build --until teac", ["teacher"]),
        ("export RUN --to ort,lite", ["ort,litert"]),
        ("quantize m.onnx --method int8-m", ["int8-mixed"]),
        ("toolchains setup lite", ["litert"]),
        ("build --until x", []),
    ],
)
def test_names_are_offered(words, offered):
    *before, text = words.split()
    found = BashComplete(cli, {}, "edgestill", VARIABLE).get_completions(before, text)
    assert [item.value for item in found] == offered


def test_a_file_stands_in_place_of_a_name():
    (item,) = BashComplete(cli, {}, "edgestill", VARIABLE).get_completions(
        ["bench", "--device"], "boards/mine"
    )
    assert item.type == "file"


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_parses(name, shell):
    script = subprocess.run(
        ["edgestill", "completion", name], env=shell, capture_output=True, text=True, check=True
    ).stdout
    assert "_EDGESTILL_COMPLETE" in script
    assert "_edgestill_completion" in script
    if shutil.which(name):
        subprocess.run([name, "-n"], input=script, text=True, check=True)
