"""The fresh process: what it imports, what it answers, how it dies."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgestill.devices.bench.inspection import inspect
from edgestill.devices.onboard.measure.job import (
    InspectJob,
    MeasureJob,
    ProbeJob,
    from_json,
    to_json,
)
from edgestill.devices.onboard.measure.latency import settle, time_queries
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.process.run_job import environment, run
from edgestill.devices.onboard.runtimes.onnxruntime import (
    inputs_of,
    make_inputs,
    open_session,
    resolve_shapes,
)
from edgestill.devices.onboard.settings import Feed, Session
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


def _relu(path, inputs):
    """A model that takes anything and gives it back as it is."""
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name, *_ in inputs]
    return save(path, nodes, inputs, [(f"{name}_out", *rest) for name, *rest in inputs])


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
    modules = run(_job(dense, tmp_path), timeout_s=60)["modules"]
    assert {"numpy", "onnxruntime"} <= set(modules)
    foreign = {"torch", "onnx", "scipy", "sklearn", "pydantic", "rich", "click"}
    assert not foreign & set(modules)
    assert not [one for one in modules if one.startswith(("edgestill.pipeline", "torch."))]


def test_an_answer_has_every_figure_and_the_raw_latencies_lie_beside_it(dense, tmp_path):
    answer = run(_job(dense, tmp_path), timeout_s=60)
    samples = np.load(tmp_path / "samples.npy", allow_pickle=False)
    assert samples.dtype == np.int64
    assert samples.shape == (answer["queries"],)
    assert answer["queries"] >= 20
    assert samples.min() > 0
    assert answer["load_ms"] > 0
    assert answer["first_inference_ms"] > 0
    assert answer["providers"] == ["CPUExecutionProvider"]
    assert answer["process_threads"] == 1
    assert answer["runtime"].startswith("onnxruntime ")
    assert (answer["peak_memory_bytes"] is None) == (answer["peak_memory_missing"] is not None)
    assert (answer["energy_uj"] is None) == (answer["energy_missing"] is not None)


def test_more_threads_are_the_threads_asked_for(dense, tmp_path):
    assert run(_job(dense, tmp_path, threads=2), timeout_s=60)["process_threads"] == 2


def test_bigger_weights_raise_the_peak_by_about_their_size(tmp_path):
    peaks = []
    for width in (8, 3200):
        answer = run(_job(_dense(tmp_path / f"{width}.onnx", width), tmp_path), timeout_s=60)
        if answer["peak_memory_missing"]:
            pytest.skip(answer["peak_memory_missing"])
        peaks.append(answer["peak_memory_bytes"])
    weights = 3200 * 3200 * 4
    # Up to three copies: the file read, the parsed weights, the packed ones.
    assert 0.9 * weights < peaks[1] - peaks[0] < 3.5 * weights


def test_room_for_the_latencies_is_not_taken_for_the_models_memory(tmp_path):
    peaks = []
    for most in (64, 1_000_000):
        job = _job(_dense(tmp_path / "m.onnx"), tmp_path, max_queries=most)
        answer = run(job, timeout_s=60)
        if answer["peak_memory_missing"]:
            pytest.skip(answer["peak_memory_missing"])
        peaks.append(answer["peak_memory_bytes"])
    assert abs(peaks[1] - peaks[0]) < 2**20


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (FLOAT, ["n", 3]),
        (TensorProto.FLOAT16, ["n", 3]),
        (TensorProto.DOUBLE, [1, 3]),
        (TensorProto.INT64, ["n", 5]),
        (TensorProto.INT32, ["n", 5]),
        (TensorProto.UINT8, ["n", 2, 2]),
        (TensorProto.INT8, ["n", 2]),
        (TensorProto.BOOL, ["n", 2]),
        (FLOAT, []),
    ],
)
def test_inputs_of_every_numeric_kind_are_made_up(tmp_path, kind, shape):
    session = open_session(_relu(tmp_path / "m.onnx", [("x", kind, shape)]))
    feed = make_inputs(inputs_of(session))
    assert feed["x"].shape == tuple(1 if one == "n" else one for one in shape)
    (out,) = session.run(None, feed)
    assert np.array_equal(out, feed["x"])
    if np.issubdtype(feed["x"].dtype, np.floating):
        assert np.all(np.isfinite(feed["x"]))
    else:
        assert set(np.unique(feed["x"]).tolist()) <= {0, 1}


def test_made_up_inputs_repeat_with_their_seed():
    schema = (Input("x", "tensor(float)", ("n", 4)),)
    first, again, other = (make_inputs(schema, 2, seed=seed)["x"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_made_up_mask_is_never_empty():
    mask = make_inputs((Input("mask", "tensor(int64)", ("n", 3)),), batch=200)["mask"]
    assert mask.any(axis=1).all()


def test_a_symbol_means_the_same_extent_in_every_input():
    schema = (
        Input("ids", "tensor(int64)", ("batch", "length")),
        Input("mask", "tensor(int64)", ("batch", "length")),
        Input("state", "tensor(float)", (1, "batch", 8)),
    )
    found = resolve_shapes(schema, 2, {"ids": (2, 7)})
    assert found == {"ids": (2, 7), "mask": (2, 7), "state": (1, 2, 8)}


@pytest.mark.parametrize(
    ("shape", "batch", "shapes", "words"),
    [
        (("n", "length"), 1, {}, r"no extent for axis 1 \('length'\) of input 'x'"),
        (("n", None), 1, {}, r"no extent for axis 1 \(unnamed\)"),
        (("n", 4), 1, {"y": (1, 4)}, r"a shape for 'y'.*expected one of 'x'"),
        (("n", 4), 1, {"x": (1, 5)}, "expected one that fits"),
        (("n", 4), 1, {"x": (4,)}, "expected one that fits"),
        (("n", 4), 1, {"x": (0, 4)}, "expected one that fits"),
        ((1, 4), 8, {}, "a fixed first axis of 1"),
    ],
)
def test_shapes_that_cannot_be_are_refused_by_name(shape, batch, shapes, words):
    with pytest.raises(UsageError, match=words):
        make_inputs((Input("x", "tensor(float)", shape),), batch, shapes)


def test_a_text_input_is_refused_clearly():
    with pytest.raises(UsageError, match=r"tensor\(string\)"):
        make_inputs((Input("x", "tensor(string)", ("n",)),))


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


def test_refusals_travel_back_from_the_child_as_what_they_are(dense, tmp_path):
    with pytest.raises(UsageError, match="execution provider NoSuchProvider"):
        run(_job(dense, tmp_path, providers=("NoSuchProvider",)), timeout_s=60)
    with pytest.raises(UsageError, match="threads: found -2 threads"):
        run(_job(dense, tmp_path, threads=-2), timeout_s=60)


def test_a_missing_and_a_broken_model_are_model_errors(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x09not a model at all")
    for path, words in [(broken, "does not load"), (tmp_path / "absent.onnx", "cannot be read")]:
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
    assert answer["feeds"] == 3
    np.savez(inputs, x=np.full((10, 8), np.inf, np.float32))
    with pytest.raises(ModelError, match="not finite"):
        run(_job(dense, tmp_path, inputs=str(inputs)), timeout_s=60)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y": np.ones((4, 8), np.float32)}, "arrays 'y', expected 'x'"),
        ({"x": np.ones((4, 8), np.float64)}, "float64 of shape"),
        ({"x": np.ones((4, 9), np.float32)}, "float32 of shape"),
        ({"x": np.ones((0, 8), np.float32)}, "arrays of 0 samples"),
        ({"x": np.float32(1)}, "arrays of 0 samples"),
        ({}, "arrays of no samples"),
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
    with pytest.raises(DataError, match="cannot be read"):
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


def _program(code):
    return (sys.executable, "-c", code)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL.*memory runs out"),
        ("import os; os.abort()", "SIGABRT"),
        ("import sys; sys.exit('went wrong')", r"status 1 \(went wrong\)"),
        ("pass", "without an answer"),
        (
            "import json,sys; open(json.load(sys.stdin)['answer'],'w').write('{')",
            "without an answer",
        ),
        (
            "import json,sys; open(json.load(sys.stdin)['answer'],'w').write('[]')",
            "without an answer",
        ),
    ],
)
def test_a_child_that_dies_or_says_nothing_is_a_measure_error(code, words):
    with pytest.raises(MeasureError, match=words):
        run(ProbeJob(), timeout_s=30, command=_program(code))


def test_a_child_that_cannot_be_started_is_a_measure_error():
    with pytest.raises(MeasureError, match="no process could be started"):
        run(ProbeJob(), timeout_s=30, command=("/no/such/program",))


def _gone(pid):
    """Whether a process has ended; waits for the kernel to say so."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_child_that_hangs_is_ended_when_its_time_is_up(tmp_path):
    noted = tmp_path / "pid"
    code = f"import os,time; open({str(noted)!r},'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(MeasureError, match="no answer after 1 s"):
        run(ProbeJob(), timeout_s=1, command=_program(code))
    assert _gone(int(noted.read_text()))


def test_an_interrupted_parent_ends_its_child(tmp_path):
    noted = tmp_path / "pid"
    child = f"import os,time; open({str(noted)!r},'w').write(str(os.getpid())); time.sleep(600)"
    parent = (
        "import sys\n"
        "from edgestill.devices.onboard.measure.job import ProbeJob\n"
        "from edgestill.devices.onboard.process.run_job import run\n"
        f"run(ProbeJob(), timeout_s=600, command=(sys.executable, '-c', {child!r}))\n"
    )
    started = subprocess.Popen(_program(parent), stderr=subprocess.DEVNULL)
    while not (noted.exists() and noted.read_text()):
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    assert started.wait(timeout=60) == -signal.SIGINT
    assert _gone(int(noted.read_text()))


def test_a_worker_does_not_outlive_its_parent(tmp_path):
    noted = tmp_path / "pid"
    envelope = {"job": to_json(ProbeJob()), "answer": str(tmp_path / "a.json")}
    # The grandchild sets its death signal, then waits in a fifo that nobody opens.
    os.mkfifo(tmp_path / "never")
    grandchild = (
        "import os, sys\n"
        "from edgestill.devices.onboard.machine.confine import _die_with_parent\n"
        "_die_with_parent(os.getppid())\n"
        f"open({str(noted)!r}, 'w').write(str(os.getpid()))\n"
        f"open({str(tmp_path / 'never')!r})\n"
    )
    parent = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {grandchild!r}])\n"
        f"while not (os.path.exists({str(noted)!r}) and os.path.getsize({str(noted)!r})):\n"
        "    time.sleep(0.01)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(_program(parent), input=json.dumps(envelope), text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert _gone(int(noted.read_text()))


def test_memory_beyond_the_limit_is_told_as_such(tmp_path):
    model = _dense(tmp_path / "big.onnx", 4000)
    with pytest.raises(MeasureError, match="out of memory at the limit of"):
        run(_job(model, tmp_path), timeout_s=60, memory_limit_bytes=250 * 2**20)


def test_a_child_sees_none_of_our_switches():
    found = environment(3, {"PATH": "/bin", "LD_PRELOAD": "x.so", "OMP_NUM_THREADS": "64"})
    assert found["PATH"] == "/bin"
    assert found["OMP_NUM_THREADS"] == "3"
    assert found["OPENBLAS_NUM_THREADS"] == "1"
    assert found["ORT_DISABLE_TELEMETRY"] == "1"
    assert "LD_PRELOAD" not in found


def test_a_job_survives_its_journey():
    job = flat_job(MeasureJob, "m", "s", shapes={"x": (1, 2)}, batch=4)
    assert from_json(to_json(job)) == job
    assert from_json(to_json(InspectJob("m"))) == InspectJob("m")


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "dance"}', '{"kind": "probe", "extra": 1}'])
def test_a_job_that_is_none_is_refused(text):
    with pytest.raises(UsageError):
        from_json(text)


class _Session:
    """Answers after as many nanoseconds as told, the last for ever."""

    def __init__(self, *nanoseconds):
        self.nanoseconds = list(nanoseconds)
        self.fed = []

    def run(self, _, feed, /):
        self.fed.append(feed["x"])
        takes = self.nanoseconds.pop(0) if len(self.nanoseconds) > 1 else self.nanoseconds[0]
        end = time.perf_counter_ns() + takes
        while time.perf_counter_ns() < end:
            pass


def test_queries_take_the_inputs_in_turn():
    session = _Session(0)
    samples = time_queries(
        session, [{"x": 0}, {"x": 1}, {"x": 2}], seconds=60, min_queries=1, max_queries=7
    )
    assert session.fed == [0, 1, 2, 0, 1, 2, 0]
    assert samples.shape == (7,)


def test_the_fewest_queries_are_run_however_long_they_take():
    samples = time_queries(_Session(0), [{"x": 0}], seconds=1e-9, min_queries=5, max_queries=9)
    assert samples.shape == (5,)


def test_a_latency_is_at_least_what_the_query_took():
    samples = time_queries(_Session(100_000), [{"x": 0}], seconds=0, min_queries=9, max_queries=9)
    assert samples.min() >= 100_000


@pytest.mark.parametrize(("fewest", "most"), [(0, 5), (6, 5)])
def test_query_counts_that_contradict_each_other_are_refused(fewest, most):
    with pytest.raises(ValueError, match="expected 1 <="):
        time_queries(_Session(0), [{"x": 0}], seconds=1, min_queries=fewest, max_queries=most)
    with pytest.raises(ValueError, match="no inputs"):
        time_queries(_Session(0), [], seconds=1, min_queries=1, max_queries=1)


def test_a_warm_up_that_never_settles_ends_at_its_cap_and_says_so():
    doubling = _Session(*(2**n * 1000 for n in range(14)))
    warm = settle(doubling, [{"x": 0}], cap_seconds=60, cap_queries=14, window_seconds=0)
    assert not warm.settled
    assert warm.queries == 14


def test_a_slow_drift_is_no_settling():
    # Each window is 2 % slower than the last: neighbours agree, four in a row do not.
    drifting = _Session(*(int(200_000 * 1.02 ** (n // 5)) for n in range(60)))
    warm = settle(drifting, [{"x": 0}], cap_seconds=60, cap_queries=60, window_seconds=0)
    assert not warm.settled


def test_the_worker_refuses_a_model_with_text_inputs(tmp_path):
    model = _relu(tmp_path / "text.onnx", [("x", TensorProto.STRING, ["n"])])
    with pytest.raises(UsageError, match=r"tensor\(string\)"):
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
    subprocess.run([*_program(code), dense, path], check=True)
    assert run(_job(path, tmp_path), timeout_s=60)["queries"] >= 20
    found = inspect(path)
    assert found.format == "ort"
    assert found.cost is None
    assert "own format" in found.cost_missing


def test_jobs_are_data_that_cannot_be_changed(dense, tmp_path):
    job = _job(dense, tmp_path)
    with pytest.raises(AttributeError):
        job.session = Session(threads=2)
    with pytest.raises(AttributeError):
        job.session.threads = 2
    assert replace(job, session=Session(threads=2)).session.threads == 2
