"""Every training step runs on any device: a device of paper finds a tensor left on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils import backend_registration
from training_steps import OTHERS, TRAININGS

TESTS = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
        reason="this torch takes no backend in Python",
    ),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What was trained on paper, in a process of its own: a backend stays registered."""
    folder = tmp_path_factory.mktemp("paper")
    told = subprocess.run(
        [sys.executable, TESTS / "paper_device.py", folder],
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-3000:]
    return json.loads(told.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [*TRAININGS, *OTHERS, "killed"])
def test_a_training_on_another_device_gives_what_one_on_the_cpu_gives(found, name):
    """Bit for bit, since this one computes with the CPU's kernels."""
    trained = found["trained"][name]
    assert trained["apart"] == 0.0
    of_cpu, of_other = trained["curve"]
    assert of_cpu == of_other
    assert len(of_cpu) > 1


def test_a_tensor_that_is_left_on_the_cpu_is_found(found):
    assert len(found["strays"]) == 3
    for what, error in found["strays"].items():
        assert "expected all tensors on paper" in (error or ""), what
