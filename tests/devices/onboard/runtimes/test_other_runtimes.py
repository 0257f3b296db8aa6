"""LiteRT and OpenVINO, each in its own interpreter, by the same jobs as ONNX Runtime."""

from pathlib import Path

import numpy as np
import pytest
import toolchain_tools
from edgestill.devices.bench.inspection import inspect
from edgestill.devices.onboard.measure.job import AnswersJob, MeasureJob, ScenarioJob
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.runtimes import RUNTIMES, check_traces
from edgestill.devices.onboard.settings import Feed, Session, Timing
from edgestill.devices.operators.profiling import profile
from edgestill.devices.place.place import Local
from edgestill.errors import HostError, ModelError, UsageError
from onnx import TensorProto, helper
from onnx_files import save
from shared_data import SHARED

TINY = SHARED / "mlperf_tiny"
TO_IR = """
import sys, openvino
openvino.save_model(openvino.Core().read_model(sys.argv[1]), sys.argv[2], compress_to_fp16=False)
"""


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("litert", "edgestill.devices.onboard.runtimes.litert"),
        ("openvino", "edgestill.devices.onboard.runtimes.openvino"),
    ],
)
def test_a_row_names_its_module(name, module):
    assert RUNTIMES[name].module == module


@pytest.fixture
def onnx(tmp_path):
    """y = x w, with an open batch."""
    w = np.arange(12, dtype=np.float32).reshape(4, 3)
    return save(
        tmp_path / "m.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", 4])],
        [("y", TensorProto.FLOAT, ["n", 3])],
        [("w", w)],
    )


@pytest.fixture
def ir(onnx, tmp_path):
    toolchain_tools.run_in("openvino", TO_IR, onnx, tmp_path / "m.xml")
    return tmp_path / "m.xml"


def answers(path, inputs, tmp_path, **session):
    np.savez(tmp_path / "inputs.npz", **inputs)
    feed = Feed(str(tmp_path / "inputs.npz"), batch=len(next(iter(inputs.values()))))
    job = AnswersJob(str(path), str(tmp_path / "outputs.npz"), feed, Session(**session))
    answer = Local().run(job, timeout_s=120)
    with np.load(tmp_path / "outputs.npz") as stored:
        return answer.runtime, stored["output_0"]


def test_openvino_answers_as_the_graph_says(ir, tmp_path):
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    runtime, found = answers(ir, {"x": x}, tmp_path)
    assert runtime.startswith("openvino 2026")
    w = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_allclose(found, x @ w, rtol=1e-5)


def test_openvino_reads_an_onnx_file_where_a_session_names_it(onnx, tmp_path):
    toolchain_tools.python_of("openvino")
    x = np.eye(4, dtype=np.float32)
    runtime, found = answers(onnx, {"x": x}, tmp_path, runtime="openvino")
    assert runtime.startswith("openvino")
    np.testing.assert_array_equal(found, np.arange(12, dtype=np.float32).reshape(4, 3))


def test_an_ir_is_inspected_with_its_weights_beside_it(ir):
    seen = inspect(ir)
    assert seen.format == "xml"
    assert seen.inputs == (Input("x", "tensor(float)", (None, 4)),)
    assert seen.external_files == (ir.with_suffix(".bin"),)
    assert seen.file_bytes == ir.stat().st_size + ir.with_suffix(".bin").stat().st_size


def test_a_broken_ir_is_refused_with_openvinos_words(tmp_path):
    toolchain_tools.python_of("openvino")
    (tmp_path / "m.xml").write_text("<net/>")
    with pytest.raises(ModelError, match="a model that does not load"):
        inspect(tmp_path / "m.xml")


@pytest.mark.skipif(not TINY.exists(), reason="needs shared/data/mlperf_tiny")
def test_litert_runs_a_reference_model_of_another_framework(tmp_path):
    toolchain_tools.python_of("litert")
    seen = inspect(TINY / "pretrainedResnet_quant.tflite")
    assert seen.format == "tflite"
    assert [port.type for port in (*seen.inputs, *seen.outputs)] == ["tensor(int8)"] * 2
    assert seen.inputs[0].shape == (None, 32, 32, 3)
    x = np.zeros((1, 32, 32, 3), np.float32)
    runtime, found = answers(
        TINY / "pretrainedResnet.tflite", {inspect_name("pretrainedResnet.tflite"): x}, tmp_path
    )
    assert runtime.startswith("litert 2")
    assert found.shape == (1, 10)
    assert found.sum() == pytest.approx(1.0, abs=1e-5)  # it ends in a softmax


def inspect_name(name):
    return inspect(TINY / name).inputs[0].name


@pytest.mark.skipif(not TINY.exists(), reason="needs shared/data/mlperf_tiny")
def test_litert_is_timed_like_any_other(tmp_path):
    toolchain_tools.python_of("litert")
    samples = tmp_path / "samples.npy"
    job = MeasureJob(
        str(TINY / "kws_ref_model.tflite"), str(samples), timing=Timing(0.05, 64, 200, 0.1)
    )
    answer = Local().run(job, timeout_s=120)
    assert answer.runtime.startswith("litert 2")
    assert len(np.load(samples)) >= 64
    assert answer.providers == ("XNNPACK",)


def test_a_broken_tflite_is_refused(tmp_path):
    toolchain_tools.python_of("litert")
    (tmp_path / "m.tflite").write_bytes(b"no model")
    with pytest.raises(ModelError, match="a model that does not load"):
        inspect(tmp_path / "m.tflite")


def test_what_no_interpreter_has_is_one_line_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGESTILL_TOOLCHAINS", str(tmp_path))
    (tmp_path / "m.tflite").write_bytes(b"no model")
    with pytest.raises(HostError, match=r"m\.tflite.*edgestill toolchains setup litert"):
        inspect(tmp_path / "m.tflite")


def test_an_option_that_a_runtime_lacks_is_refused(tmp_path):
    toolchain_tools.python_of("openvino")
    (tmp_path / "m.xml").write_text("<net/>")
    job = MeasureJob(str(tmp_path / "m.xml"), str(tmp_path / "s.npy"), Session(precise=True))
    with pytest.raises(UsageError, match="openvino has no such option"):
        Local().run(job, timeout_s=120)


@pytest.mark.parametrize("scenario", ["multi-stream", "server"])
def test_several_streams_have_an_openvino_model_each(ir, tmp_path, scenario):
    job = ScenarioJob(
        str(ir), scenario, str(tmp_path / "s.npy"),
        timing=Timing(0.05, min_queries=30, max_queries=200, warmup_seconds=0.05),
        streams=3, rate_per_s=1000.0,
    )  # fmt: skip
    answer = Local().run(job, timeout_s=120)
    assert answer.queries >= 30
    assert answer.runtime.startswith("openvino ")


def test_several_streams_have_a_litert_interpreter_each(tmp_path):
    toolchain_tools.python_of("litert")
    path = TINY / "kws_ref_model.tflite"
    if not path.exists():
        pytest.skip("needs MLPerf Tiny's models")
    timing = Timing(0.05, min_queries=30, max_queries=200, warmup_seconds=0.05)
    job = ScenarioJob(str(path), "multi-stream", str(tmp_path / "s.npy"), timing=timing, streams=3)
    assert Local().run(job, timeout_s=120).queries >= 30


def test_what_needs_the_graph_that_runs_names_the_runtime_before_it_is_looked_for():
    with pytest.raises(UsageError, match="found litert, which does not write down the graph"):
        profile(Path("m.tflite"))
    with pytest.raises(UsageError, match="found openvino, which does not"):
        check_traces(Path("m.xml"))
