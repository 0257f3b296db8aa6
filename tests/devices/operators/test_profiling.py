"""Times operator by operator: what the runtime writes, what is taken off, and where it belongs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from edgestill.devices.onboard.measure.job import OperatorsJob
from edgestill.devices.onboard.measure.operators import Call, calls_by_run, summarize
from edgestill.devices.onboard.model.outline import from_json, of_model, outline, to_json
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.onboard.settings import Feed
from edgestill.devices.operators.profiling import Operator, merge, net, profile
from edgestill.errors import DataError, MeasureError, ModelError
from onnx import TensorProto, helper
from onnx_files import model, save

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
pytestmark = pytest.mark.slow

RUNS = 20


def convolution(path, size=24):
    """Conv and Relu, which the runtime fuses, and a Softplus, which it does not."""
    w = np.random.default_rng(0).normal(size=(16, 8, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Softplus", ["r"], ["y"], name="soft"),
    ]
    ends = [("x", FLOAT, ["n", 8, size, size])], [("y", FLOAT, ["n", 16, size, size])]
    return save(path, nodes, *ends, [("w", w)])


@pytest.fixture(scope="module")
def profiled(tmp_path_factory):
    return profile(convolution(tmp_path_factory.mktemp("p") / "m.onnx"), runs=RUNS)


def test_the_operators_of_a_model_take_no_longer_than_its_query(profiled):
    assert profiled.runs == RUNS
    assert 0 < profiled.p10_us <= profiled.p50_us
    assert 0 < profiled.operators_us <= profiled.p50_us * 1.001
    assert sum(one.profiled_us for one in profiled.operators) <= profiled.p50_profiled_us * 1.1
    assert sum(one.share for one in profiled.operators) == pytest.approx(1)


def test_each_operator_has_its_place_in_the_graph_that_ran_and_says_what_it_is(profiled):
    assert [one.node for one in profiled.operators] == list(range(len(profiled.optimized.nodes)))
    for one in profiled.operators:
        assert one.op == profiled.optimized.nodes[one.node].op
        assert one.provider == "CPUExecutionProvider"
        assert one.calls == 1
        assert one.type == "float"
    assert profiled.operators[0].elements == 8 * 24 * 24


def test_the_graph_that_ran_is_the_optimized_one(profiled):
    assert [one.op for one in profiled.source.nodes] == ["Conv", "Relu", "Softplus"]
    ran = [one.op for one in profiled.optimized.nodes]
    assert "Relu" not in ran
    assert len([op for op in ran if "Conv" in op]) == 1


def test_a_profiling_process_holds_no_torch_and_leaves_no_file(tmp_path, monkeypatch):
    path = convolution(tmp_path / "m.onnx", size=4)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    answer = run(OperatorsJob(model=str(path), runs=RUNS), timeout_s=60)
    assert "torch" not in answer["modules"]
    assert list(scratch.iterdir()) == []


def test_several_inputs_and_ids_of_an_old_opset_are_profiled(tmp_path):
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["g"]),
        helper.make_node("Add", ["g", "x"], ["y"]),
    ]
    made = model(
        nodes,
        [("ids", INT64, ["n", "s"]), ("x", FLOAT, ["n", "s", 4])],
        [("y", FLOAT, ["n", "s", 4])],
        [("table", np.ones((2, 4), np.float32))],
        opset=11,
        ir_version=6,
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    found = profile(path, feed=Feed(batch=2, shapes={"ids": (2, 5), "x": (2, 5, 4)}), runs=RUNS)
    assert [one.op for one in found.operators] == ["Gather", "Add"]
    assert found.operators[1].elements == 2 * 5 * 4
    assert found.source.shapes["y"] == (2, 5, 4)
    np.savez(tmp_path / "x.npz", ids=np.zeros((3, 5), np.int64), x=np.zeros((3, 5, 4), np.float32))
    again = profile(path, feed=Feed(str(tmp_path / "x.npz")), runs=RUNS)
    assert again.operators[1].elements == 5 * 4
    np.savez(tmp_path / "x.npz", ids=np.zeros((3, 5), np.int32), x=np.zeros((3, 5, 4), np.float32))
    with pytest.raises(DataError, match="found int32"):
        profile(path, feed=Feed(str(tmp_path / "x.npz")), runs=RUNS)


def test_a_missing_file_and_one_without_a_source_are_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        profile(tmp_path / "none.onnx", runs=RUNS)
    (tmp_path / "m.ort").write_bytes(b"\0\0\0\0ORTM" + bytes(32))
    with pytest.raises(ModelError, match="expected the ONNX file it was made from"):
        profile(tmp_path / "m.ort", runs=RUNS)


# --- what the runtime writes --------------------------------------------------------------------


def event(name, ts, dur, op, taken=None):
    facts = {"op_name": op, "provider": "CPU", "input_type_shape": taken or [{"float": [2, 3]}]}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": facts}


def a_run(ts, dur):
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": dur}


def test_a_profile_is_cut_into_runs_and_what_is_no_kernel_left_out():
    fence = {"cat": "Node", "name": "a_fence_before", "ts": 1, "dur": 9, "args": {}}
    events = [
        event("early", 0, 1, "Conv"), fence, event("b", 14, 3, "Add"), event("a", 11, 2, "Conv"),
        a_run(10, 9), event("a", 31, 4, "Conv", [{}]), a_run(30, 9),
    ]  # fmt: skip
    first, second = calls_by_run(json.dumps(events), "m.onnx")
    assert first == [
        Call("a", "Conv", "CPU", 2, "float", 6),
        Call("b", "Add", "CPU", 3, "float", 6),
    ]
    assert second == [Call("a", "Conv", "CPU", 4, "", None)]


@pytest.mark.parametrize("text", ["{", "[1]", '[{"cat": "Session", "name": "model_run"}]', "[]"])
def test_a_broken_profile_is_a_failed_measurement(text):
    with pytest.raises(MeasureError) as refusal:
        calls_by_run(text, "m.onnx")
    assert refusal.value.where == "m.onnx"
    assert refusal.value.exit_code == 4


def graph(*names):
    """Operators of one kind one after another, by name."""
    nodes = [
        helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"], name=name)
        for i, name in enumerate(names)
    ]
    ends = [("t0", FLOAT, [1])], [(f"t{len(names)}", FLOAT, [1])]
    return of_model(model(nodes, *ends), 1, {})


def call(name, us):
    return Call(name, "Relu", "CPU", us, "float", 1)


def test_the_time_of_an_operator_is_its_median_and_whole_microseconds_are_seen_through():
    runs = [[call("", 3), call("", us)] for us in (10, 10, 11, 11, 500)]
    first, second = summarize(runs, graph("", ""))
    assert (first["node"], second["node"]) == (0, 1)
    assert first["us"] == pytest.approx(3.5)  # every time from 3 to 4
    assert 10.5 < second["us"] < 11.5


def test_where_a_graph_branches_an_operator_is_placed_by_a_name_that_is_its_own_or_not_at_all():
    runs = [[call("b", 5), call("b", 6), call("twice", 1)], [call("b", 5), call("twice", 1)]]
    found = {one["name"]: one for one in summarize(runs, graph("twice", "twice", "b"))}
    assert found["b"]["node"] == 2
    assert found["b"]["calls"] == 1.5
    assert found["twice"]["node"] is None


def test_a_branch_that_most_runs_do_not_take_takes_no_time():
    runs = [[call("a", 5)], [call("a", 5)], [call("a", 5), call("b", 50)]]
    found = {one["name"]: one["us"] for one in summarize(runs, graph("a", "b"))}
    assert found["b"] == 0
    assert found["a"] > 5


# --- what profiling costs -----------------------------------------------------------------------


def operator(us, calls=1.0, node=0):
    return Operator(node, "n", "Relu", "CPU", calls, us, us, 0.0, "float", 1)


def test_profiling_is_taken_off_each_call_until_the_operators_fill_the_query():
    found = net([operator(10.0), operator(30.0), operator(44.0, calls=2)], 60.0)
    assert [one.us for one in found] == pytest.approx([4.0, 24.0, 32.0])
    assert [one.share for one in found] == pytest.approx([4 / 60, 24 / 60, 32 / 60])
    assert [one.profiled_us for one in found] == [10.0, 30.0, 44.0]


def test_no_operator_falls_below_nothing():
    found = net([operator(2.0), operator(30.0)], 20.0)
    assert [one.us for one in found] == pytest.approx([0.0, 20.0])


def test_nothing_is_taken_off_operators_that_fit_into_the_query():
    assert [one.us for one in net([operator(10.0), operator(30.0)], 41.0)] == [10.0, 30.0]


def test_several_profiles_give_the_median_of_each_figure(profiled):
    def slower(factor):
        times = [replace(one, profiled_us=one.profiled_us * factor) for one in profiled.operators]
        return replace(
            profiled,
            operators=tuple(times),
            p10_us=1e9,
            p50_us=profiled.p50_us * factor,
        )

    found = merge([slower(9), slower(1), slower(2)])
    assert found.p50_us == profiled.p50_us * 2
    for one, was in zip(found.operators, profiled.operators, strict=True):
        assert one.us == pytest.approx(2 * was.profiled_us)
    assert found.runs == 3 * RUNS


# --- outlines -----------------------------------------------------------------------------------


def test_an_outline_survives_its_way_through_json(profiled):
    assert from_json(json.loads(json.dumps(to_json(profiled.source)))) == profiled.source


def test_a_weight_keeps_its_fingerprint_in_another_order_and_loses_it_with_a_value(tmp_path):
    w = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    other = w.copy()
    other[0, 0] += 0.5
    prints, samples = [], []
    for index, values in enumerate((w, np.pad(w.T, 1), other)):
        rows, columns = values.shape
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
        ends = [("x", FLOAT, [1, rows])], [("y", FLOAT, [1, columns])]
        path = save(tmp_path / f"{index}.onnx", nodes, *ends, [("w", values)])
        weight = outline(path).nodes[0].weight
        prints.append(weight.fingerprint)
        samples.append(weight)
    assert prints[0] == prints[1] != prints[2]
    assert samples[0].sample == pytest.approx(w.reshape(-1).tolist())
    assert samples[0].transposed == pytest.approx(w.T.reshape(-1).tolist())


def test_an_int8_weight_is_sampled_as_the_numbers_it_stands_for():
    q = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
    scale, zero = np.array([0.5, 1.0, 2.0], np.float32), np.array([0, 1, -1], np.int8)
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    ends = [("x", FLOAT, [1, 3])], [("y", FLOAT, [1, 4])]
    found = of_model(model(nodes, *ends, [("q", q), ("s", scale), ("z", zero)]), 1, {})
    real = (q.astype(float) - zero[:, None]) * scale[:, None]
    assert found.nodes[1].weight.sample == pytest.approx(real.reshape(-1).tolist())
    assert found.nodes[1].weight.name == "q"
