"""What tests of the functions that users call share: a folder to work in, as a user has one."""

import numpy as np
import pytest
from onnx_files import dense


@pytest.fixture
def workplace(own_build, tmp_path, monkeypatch):
    """A folder with a recipe, its data and what it built, and a model; one works in it."""
    dense(tmp_path / "model.onnx", layers=2, width=8)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def samples():
    return np.random.default_rng(0).standard_normal((32, 8)).astype(np.float32)
