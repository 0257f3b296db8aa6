"""Torch programs in files: the same wherever they are made, of any batch where that is wanted."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from edgestill.exporters.program import load_program, save_program

MAKE = """
import pathlib, sys, numpy as np, torch
from edgestill.exporters.program import save_program
torch.manual_seed(0)
module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
save_program(module, np.ones((1, 3), np.float32), 2, pathlib.Path(sys.argv[1]), any_batch=True)
"""


@pytest.mark.slow
def test_it_is_the_same_file_wherever_it_is_made(tmp_path):
    made = []
    for place in ("one", "another/place"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        script = folder / f"{folder.name}.py"
        script.write_text(MAKE)
        words = [sys.executable, "-P", str(script), str(folder / "program.pt2")]
        subprocess.run(words, check=True, cwd=folder)
        made.append((folder / "program.pt2").read_bytes())
    assert made[0] == made[1]
    assert str(tmp_path).encode() not in made[0]


def test_a_program_of_any_batch_answers_as_its_module_and_is_captured_again(tmp_path):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3), torch.nn.BatchNorm1d(4)).eval()
    x = np.random.default_rng(0).normal(size=(5, 2, 8)).astype(np.float32)
    save_program(module, x[:1], 2, tmp_path / "program.pt2", any_batch=True)
    loaded = load_program(tmp_path / "program.pt2")
    save_program(loaded, x[:1], 1, tmp_path / "again.pt2")
    again = load_program(tmp_path / "again.pt2")
    with torch.no_grad():
        torch.testing.assert_close(loaded(torch.from_numpy(x)), module(torch.from_numpy(x)))
        torch.testing.assert_close(again(torch.from_numpy(x[:1])), module(torch.from_numpy(x[:1])))


class Parts(torch.nn.Module):
    """Weights with their channels last, two parts of one tensor, and one tensor under two names."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 4, 3).to(memory_format=torch.channels_last)
        large = torch.arange(4000.0)
        self.first = torch.nn.Parameter(large[:4])
        self.register_buffer("last", large[-4:])
        self.register_buffer("shared", self.last)

    def forward(self, x):
        return self.conv(x).mean((2, 3)) * self.first + self.last + self.shared


def test_weights_in_any_layout_are_written_whole_and_alone(tmp_path):
    torch.manual_seed(0)
    module, x = Parts().eval(), np.ones((1, 2, 5, 5), np.float32)
    save_program(module, x, 1, tmp_path / "program.pt2")
    with torch.no_grad():
        given = torch.from_numpy(x)
        torch.testing.assert_close(load_program(tmp_path / "program.pt2")(given), module(given))
    assert (tmp_path / "program.pt2").stat().st_size < 4000 * 4
