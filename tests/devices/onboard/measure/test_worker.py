"""The fresh process: what it imports, what it answers, how it dies."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from edgestill.devices.bench.inspection import inspect
from edgestill.devices.onboard.measure import worker
from edgestill.devices.onboard.measure.answer import ColdStartAnswer, ProbeAnswer
from edgestill.devices.onboard.measure.job import (
    InspectJob,
    MeasureJob,
    ProbeJob,
    ScenarioJob,
    to_json,
)
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import DataError, MeasureError, ModelError, UsageError
from flat_options import flat_job
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


def _job(model, folder, **options):
    return flat_job(
        MeasureJob,
        model=str(model),
        samples=str(folder / "samples.npy"),
        **{"seconds": 0.01, "min_queries": 20, "warmup_seconds": 0.2, **options},
    )


@pytest.fixture
def dense(tmp_path):
    return _dense(tmp_path / "dense.onnx")


def test_a_measuring_process_holds_numpy_and_the_runtime_and_nothing_of_training(dense, tmp_path):
    modules = run(_job(dense, tmp_path), timeout_s=60).process.modules
    assert {"numpy", "onnxruntime"} <= set(modules)
    foreign = {"torch", "onnx", "scipy", "sklearn", "pydantic", "rich", "click"}
    assert not foreign & set(modules)
    assert not [one for one in modules if one.startswith(("edgestill.pipeline", "torch."))]


def test_an_answer_has_every_figure_and_the_raw_latencies_lie_beside_it(dense, tmp_path):
    answer = run(_job(dense, tmp_path), timeout_s=60)
    samples = np.load(tmp_path / "samples.npy", allow_pickle=False)
    assert samples.dtype == np.int64
    assert samples.shape == (answer.queries,)
    assert answer.queries >= 20
    assert samples.min() > 0
    assert answer.load_ms > 0
    assert answer.first_inference_ms > 0
    assert answer.providers == ("CPUExecutionProvider",)
    assert answer.process_threads == 1
    assert answer.runtime.startswith("onnxruntime ")
    assert (answer.peak_memory_bytes is None) == (answer.peak_memory_missing is not None)
    assert (answer.energy_uj is None) == (answer.energy_missing is not None)


def test_more_threads_are_the_threads_asked_for(dense, tmp_path):
    assert run(_job(dense, tmp_path, threads=2), timeout_s=60).process_threads == 2


def test_bigger_weights_raise_the_peak_by_about_their_size(tmp_path):
    peaks = []
    for width in (8, 3200):
        answer = run(_job(_dense(tmp_path / f"{width}.onnx", width), tmp_path), timeout_s=60)
        if answer.peak_memory_missing:
            pytest.skip(answer.peak_memory_missing)
        peaks.append(answer.peak_memory_bytes)
    weights = 3200 * 3200 * 4
    # Up to three copies: the file read, the parsed weights, the packed ones.
    assert 0.9 * weights < peaks[1] - peaks[0] < 3.5 * weights


def test_room_for_the_latencies_is_not_taken_for_the_models_memory(tmp_path):
    peaks = []
    for most in (64, 1_000_000):
        job = _job(_dense(tmp_path / "m.onnx"), tmp_path, max_queries=most)
        answer = run(job, timeout_s=60)
        if answer.peak_memory_missing:
            pytest.skip(answer.peak_memory_missing)
        peaks.append(answer.peak_memory_bytes)
    assert abs(peaks[1] - peaks[0]) < 2**20


def test_refusals_travel_back_from_the_child_as_what_they_are(dense, tmp_path):
    with pytest.raises(UsageError, match="execution provider NoSuchProvider"):
        run(_job(dense, tmp_path, providers=("NoSuchProvider",)), timeout_s=60)
    with pytest.raises(UsageError, match="threads: found -2 threads"):
        run(_job(dense, tmp_path, threads=-2), timeout_s=60)


def test_a_missing_and_a_broken_model_are_model_errors(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x09not a model at all")
    for path, words in [(broken, "does not load"), (tmp_path / "absent.onnx", "no such file")]:
        with pytest.raises(ModelError, match=words):
            run(_job(path, tmp_path), timeout_s=60)
        with pytest.raises(ModelError):
            inspect(path)


def test_outputs_that_are_not_finite_fail_the_measurement(tmp_path):
    model = _dense(tmp_path / "nan.onnx", weight=np.nan)
    with pytest.raises(ModelError, match="8 of 8 values in output 'h1' not finite"):
        run(_job(model, tmp_path), timeout_s=60)


def test_real_inputs_are_taken_in_batches(dense, tmp_path):
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, x=np.ones((10, 8), np.float32))
    answer = run(_job(dense, tmp_path, inputs=str(inputs), batch=4), timeout_s=60)
    assert answer.feeds == 3
    np.savez(inputs, x=np.full((10, 8), np.inf, np.float32))
    with pytest.raises(ModelError, match="not finite"):
        run(_job(dense, tmp_path, inputs=str(inputs)), timeout_s=60)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y": np.ones((4, 8), np.float32)}, "arrays 'y', expected 'x': float of shape"),
        ({"x": np.ones((4, 8), np.float64)}, "float64 of shape"),
        ({"x": np.ones((4, 9), np.float32)}, "float32 of shape"),
        ({"x": np.ones((0, 8), np.float32)}, "0 of 'x'"),
        ({"x": np.float32(1)}, r"float32 of shape \(\)"),
        ({}, "no array"),
    ],
)
def test_real_inputs_that_do_not_fit_are_data_errors(dense, tmp_path, arrays, words):
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, **arrays)
    with pytest.raises(DataError, match=words):
        run(_job(dense, tmp_path, inputs=str(inputs)), timeout_s=60)


def test_an_input_file_is_never_unpickled(dense, tmp_path):
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="of Python objects, which are pickled and not read"):
        run(_job(dense, tmp_path, inputs=str(inputs)), timeout_s=60)


def test_a_foreign_model_is_described_without_being_loaded_here(tmp_path):
    model = _dense(tmp_path / "m.onnx", layers=2)
    found = inspect(model, feed=Feed(batch=3))
    assert found.inputs == (Input("x", "tensor(float)", ("n", 8)),)
    assert found.outputs[0].name == "h2"
    assert found.cost.macs == 3 * 2 * 64
    assert found.file_bytes == model.stat().st_size
    assert (found.format, found.external_files, found.cost_missing) == ("onnx", (), None)


def test_a_foreign_model_that_reaches_outside_is_refused(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(16))
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2, 2], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../w.bin"
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", FLOAT, [1, 2])],
        [tensor],
    )
    path = folder / "m.onnx"
    path.write_bytes(helper.make_model(graph, ir_version=9).SerializeToString())
    with pytest.raises(ModelError, match="climbs out"):
        inspect(path)


def test_memory_beyond_the_limit_is_told_as_such(tmp_path):
    model = _dense(tmp_path / "big.onnx", 4000)
    with pytest.raises(MeasureError, match="out of memory at the limit of"):
        run(_job(model, tmp_path), timeout_s=60, memory_limit_bytes=250 * 2**20)


def test_the_worker_refuses_a_model_with_text_inputs(tmp_path):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    ends = [[(name, TensorProto.STRING, ["n"])] for name in "xy"]
    model = save(tmp_path / "text.onnx", nodes, *ends)
    with pytest.raises(ModelError, match=r"tensor\(string\)"):
        run(_job(model, tmp_path), timeout_s=60)


def test_an_ort_file_is_measured_and_has_no_cost(dense, tmp_path):
    code = (
        "import os; os.environ['ORT_DISABLE_TELEMETRY'] = '1'\n"
        "import sys, onnxruntime as ort\n"
        "options = ort.SessionOptions()\n"
        "options.optimized_model_filepath = sys.argv[2]\n"
        "options.add_session_config_entry('session.save_model_format', 'ORT')\n"
        "ort.InferenceSession(sys.argv[1], options, providers=['CPUExecutionProvider'])\n"
    )
    path = tmp_path / "dense.ort"
    subprocess.run([sys.executable, "-c", code, dense, path], check=True)
    assert run(_job(path, tmp_path), timeout_s=60).queries >= 20
    found = inspect(path)
    assert found.format == "ort"
    assert found.cost is None
    assert "own format" in found.cost_missing


def test_a_process_in_a_group_is_not_bounded_by_address_space_too(tmp_path):
    """64 MiB of address space do not hold the runtime; a group that is only paper does."""
    (tmp_path / "group").mkdir()
    for group, works in ((str(tmp_path / "group"), True), (None, False)):
        envelope = {
            "job": to_json(ProbeJob()),
            "answer": str(tmp_path / "answer.json"),
            "parent": os.getpid(),
            "memory_limit_bytes": 64 * 2**20,
            "memory_group": group,
        }
        done = subprocess.run(
            [sys.executable, "-P", "-m", "edgestill.devices.onboard.measure.worker"],
            input=json.dumps(envelope),
            capture_output=True,
            text=True,
        )
        answer = tmp_path / "answer.json"
        told = json.loads(answer.read_text()) if answer.exists() else {"error": done.stderr}
        assert ("error" not in told) is works
        if works:
            assert told["process"]["memory_limit"] == "control group"
        answer.unlink(missing_ok=True)


def test_the_kind_of_a_job_decides_which_module_does_it(dense):
    assert worker.answer(InspectJob(str(dense))).format == "onnx"
    assert isinstance(worker.answer(ProbeJob()), ProbeAnswer)
    cold = worker.answer(ScenarioJob(str(dense), "cold-start", ""))
    assert isinstance(cold, ColdStartAnswer)
    with pytest.raises(UsageError, match="the load 'dance', expected one of multi-stream"):
        worker.answer(ScenarioJob(str(dense), "dance", ""))
