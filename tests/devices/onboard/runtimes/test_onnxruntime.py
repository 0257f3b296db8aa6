"""ONNX Runtime: options that it would misunderstand, and errors that it does not name."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.devices.onboard.runtimes.contract import OPTIMIZED
from edgestill.devices.onboard.runtimes.onnxruntime import load_traced, open_session
from edgestill.devices.onboard.settings import Session
from edgestill.errors import ModelError, StorageError, UsageError
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT


def _dense(path, width=8, layers=1, weight=0.01):
    nodes = [
        helper.make_node("MatMul", [f"h{i}" if i else "x", f"w{i}"], [f"h{i + 1}"])
        for i in range(layers)
    ]
    stored = [(f"w{i}", np.full((width, width), weight, np.float32)) for i in range(layers)]
    ends = [("x", FLOAT, ["n", width])], [(f"h{layers}", FLOAT, ["n", width])]
    return save(path, nodes, *ends, stored)


@pytest.fixture
def dense(tmp_path):
    return _dense(tmp_path / "dense.onnx")


@pytest.mark.parametrize("threads", [0, -1, 1.5, True])
def test_threads_that_onnxruntime_would_take_silently_are_refused(dense, threads):
    with pytest.raises(UsageError, match="whole number above 0"):
        open_session(dense, Session(threads=threads))


def test_unknown_options_are_refused(dense):
    with pytest.raises(UsageError, match="one of none, basic, extended, all"):
        open_session(dense, Session(optimization="fast"))
    with pytest.raises(UsageError, match="execution provider NoSuchProvider"):
        open_session(dense, Session(providers=("NoSuchProvider", "CPUExecutionProvider")))
    with pytest.raises(UsageError, match="execution provider none"):
        open_session(dense, Session(providers=()))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    ("free", "error", "says"),
    [(0, StorageError, "let TMPDIR name a folder"), (2**40, ModelError, "does not load")],
)
def test_a_full_disk_is_no_fault_of_the_model(dense, tmp_path, monkeypatch, free, error, says):
    """It says no more than that a protobuf cannot be written."""
    folder = tmp_path / "traces"
    folder.mkdir()
    (folder / OPTIMIZED).symlink_to("/dev/full")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(error, match=says):
        load_traced(dense, Session(), folder)
