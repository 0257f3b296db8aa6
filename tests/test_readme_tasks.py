"""The README's five tasks, word for word: every line of their blocks is run by a shell.

A folder has what the tasks name: a model, its inputs, a recipe, and an ssh configuration by which
`board.local` is this machine.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sshd
import tiny
from onnx_files import dense
from sklearn.datasets import load_digits
from toolchain_tools import python_of

pytestmark = pytest.mark.slow
README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
SHORTER = {
    'model = "resnet20"': 'model = "resnet8"',
    "epochs = 20": "epochs = 1",
    "processes = 12": "processes = 2",
    "max_seconds = 300": "max_seconds = 0",
}
VERDICTS = {0, 1, 5}
"""Exit codes of a command that judges; any other one is a failure."""


def lines_of(task):
    """The lines of a task's block of code."""
    section = README.split("## Five tasks")[1].split("\n## ")[0]
    (block,) = re.findall(rf"\*\*{re.escape(task)}.*?```\n(.*?)```", section, re.DOTALL)[:1]
    return block.strip().splitlines()


@pytest.fixture
def folder(tmp_path):
    tiny.write(tmp_path)
    dense(tmp_path / "model.onnx", 3)
    inputs = np.random.default_rng(0).normal(size=(64, 128)).astype(np.float32)
    np.savez(tmp_path / "inputs.npz", x=inputs)
    return tmp_path


def run(line, folder, codes=(0,), **environment):
    """Run one line as a user's shell does."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, **environment},
        check=False,
    )
    assert done.returncode in codes, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_my_data_my_model(folder):
    init, plan, build = lines_of("My data, my PyTorch model")
    run(init, folder)
    recipe = folder / "my-model" / "recipe.toml"
    assert run(plan, folder, codes=(3,)) == ""  # there are no data yet
    digits = load_digits()
    x, y = digits.images.astype(np.uint8)[:600], digits.target[:600]
    np.savez(recipe.with_name("my-data.npz"), x=x, y=y)
    run(plan, folder)
    text = recipe.read_text()
    for old, new in SHORTER.items():
        assert old in text
        text = text.replace(old, new)
    recipe.write_text(text)
    assert "report:" in run(build, folder, VERDICTS)
    assert list(folder.glob("artifacts/runs/my-model/*/report.html"))


def test_only_an_onnx_file(folder):
    quantize, compare, explain = lines_of("I only have an .onnx file")
    run(quantize, folder)
    assert (folder / "small" / "model.int8-static.onnx").is_file()
    run(compare, folder, VERDICTS)
    run(explain, folder)


def test_a_phone(folder):
    python_of("litert")  # skips where it is absent, but in CI
    setup, build, bundle = lines_of("A phone")
    run(setup, folder)
    run(build.replace("recipe.toml", "recipe.toml --set name=my-model"), folder, VERDICTS)
    run(bundle, folder)
    assert list(folder.glob("*.zip")) or list(folder.glob("artifacts/**/*.zip"))


def test_a_board_over_ssh(folder, tmp_path_factory):
    write, bench, build = lines_of("A board over ssh")
    with sshd.serve(tmp_path_factory.mktemp("ssh")) as (table, _):
        config = folder / "config"
        config.write_text(
            f"Host board.local\n HostName 127.0.0.1\n Port {table['port']}\n"
            f" User {table['user']}\n IdentityFile {table['identity']}\n"
            f" UserKnownHostsFile {table['known_hosts']}\n"
        )
        programs = folder / "bin"
        programs.mkdir()
        here = Path(sys.executable).parent
        (programs / "ssh").write_text(
            f"#!{sys.executable}\nimport os, sys\n"
            "*words, host, command = sys.argv[1:]\n"
            f"command = 'export PATH={here}:$PATH; ' + command\n"
            f"words[words.index('-l') + 1] = {table['user']!r}\n"
            f"words = ['ssh', '-F', {str(config)!r}, *words, host, command]\n"
            "os.execv('/usr/bin/ssh', words)\n"
        )
        (programs / "ssh").chmod(0o755)
        path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        run(write, folder)
        board = folder / "board.toml"
        ours = f'title = "Board"\narch = "{os.uname().machine}"\nfeatures = []\nsource = "s"'
        assert 'like = "raspberry-pi-5"' in board.read_text()  # whose processor is another
        board.write_text(board.read_text().replace('like = "raspberry-pi-5"', ours))
        run(bench, folder, PATH=path)
        run(build, folder, VERDICTS, PATH=path)


def test_in_ci(folder):
    (build,) = lines_of("In CI")
    run(build, folder, VERDICTS)
    assert '"verdict"' in (folder / "verdict.json").read_text()
