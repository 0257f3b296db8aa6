"""The arena of a model: only of a runtime that has one."""

import pytest
from edgestill.devices.onboard.measure.arena import measure
from edgestill.devices.onboard.measure.job import ArenaJob
from edgestill.devices.onboard.settings import Session
from edgestill.errors import UsageError
from onnx import TensorProto, helper
from onnx_files import save


def test_a_runtime_without_an_arena_is_refused(tmp_path):
    file = save(
        tmp_path / "m.onnx",
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", 4])],
        [("y", TensorProto.FLOAT, ["n", 4])],
        [],
    )
    with pytest.raises(UsageError, match=r"onnxruntime, which has no arena"):
        measure(ArenaJob(str(file), Session()))
