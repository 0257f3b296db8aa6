"""What a file answers in another runtime: every sample, in order, again and in another process."""

import numpy as np
import pytest
import toolchain_tools
from edgestill.errors import ModelError
from edgestill.pipeline.judge.answers import logits
from edgestill.pipeline.judge.other_runtimes import outputs, runs_elsewhere
from edgestill.pipeline.judge.steadiness import steadiness
from onnx import TensorProto, helper
from onnx_files import save

TO_IR = """
import sys, openvino
openvino.save_model(openvino.Core().read_model(sys.argv[1]), sys.argv[2], compress_to_fp16=False)
"""
W = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def ir(tmp_path):
    file = save(
        tmp_path / "m.onnx",
        [helper.make_node("MatMul", ["input", "w"], ["logits"])],
        [("input", TensorProto.FLOAT, ["n", 4])],
        [("logits", TensorProto.FLOAT, ["n", 3])],
        [("w", W)],
    )
    toolchain_tools.run_in("openvino", TO_IR, file, tmp_path / "m.xml")
    return tmp_path / "m.xml"


def test_the_suffix_tells_which_files_run_elsewhere(tmp_path):
    assert runs_elsewhere(tmp_path / "a.tflite")
    assert runs_elsewhere(tmp_path / "a.xml")
    assert not runs_elsewhere(tmp_path / "a.onnx")
    assert not runs_elsewhere(tmp_path / "a.ort")


def test_all_samples_are_answered_in_order_however_many(ir):
    """More queries than a measurement takes, and a last one that is not full."""
    x = np.random.default_rng(0).normal(size=(203, 4)).astype(np.float32)
    np.testing.assert_allclose(outputs(ir, x, batch=2), x @ W, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logits(ir, x[:3], batch=2), x[:3] @ W, rtol=1e-4, atol=1e-4)


def test_not_a_number_is_refused_with_the_sample(ir):
    x = np.zeros((3, 4), np.float32)
    x[1] = np.inf
    with pytest.raises(ModelError, match="NaN or infinity for sample 1"):
        logits(ir, x, batch=1)


def test_it_is_asked_again_and_in_another_process(ir):
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    found = steadiness(ir, {"input": x}, None, alone=True, batch=2)
    assert (found.samples, found.again, found.session, found.alone) == (6, 0.0, 0.0, None)
