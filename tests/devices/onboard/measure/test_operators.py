"""Times of operators: what the runtime writes, and the figures and places made of it."""

import json

import foreign_graphs
import pytest
from edgestill.devices.onboard.measure import operators
from edgestill.devices.onboard.measure.job import OperatorsJob
from edgestill.devices.onboard.measure.operators import (
    Call,
    calls_by_run,
    summarize,
    time_operators,
)
from edgestill.devices.onboard.model.outline import of_model
from edgestill.errors import MeasureError, ModelError
from onnx import TensorProto, helper
from onnx_files import dense, model

FLOAT = TensorProto.FLOAT


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
    assert (first.node, second.node) == (0, 1)
    assert first.us == pytest.approx(3.5)  # every time from 3 to 4
    assert 10.5 < second.us < 11.5


def test_where_a_graph_branches_an_operator_is_placed_by_a_name_that_is_its_own_or_not_at_all():
    runs = [[call("b", 5), call("b", 6), call("twice", 1)], [call("b", 5), call("twice", 1)]]
    found = {one.name: one for one in summarize(runs, graph("twice", "twice", "b"))}
    assert found["b"].node == 2
    assert found["b"].calls == 1.5
    assert found["twice"].node is None


def test_a_branch_that_most_runs_do_not_take_takes_no_time():
    runs = [[call("a", 5)], [call("a", 5)], [call("a", 5), call("b", 50)]]
    found = {one.name: one.us for one in summarize(runs, graph("a", "b"))}
    assert found["b"] == 0
    assert found["a"] > 5


def test_bytes_are_those_the_runtime_hands_over_and_a_view_or_a_part_moves_no_more():
    def event(ts, op, read, weights, written):
        sizes = {"activation_size": read, "parameter_size": weights, "output_size": written}
        facts = {"op_name": op, "provider": "CPU", **{k: str(v) for k, v in sizes.items()}}
        return {"cat": "Node", "name": f"{op}_kernel_time", "ts": ts, "dur": 1, "args": facts}

    run = {"cat": "Session", "name": "model_run", "ts": 0, "dur": 9}
    events = [run, event(1, "Conv", 10, 7, 20), event(2, "Reshape", 20, 8, 20)]
    events += [event(3, "Gather", 8, 10**6, 16), {**event(4, "Relu", 1, 0, 1), "args": {}}]
    (calls,) = calls_by_run(json.dumps(events), "m.onnx")
    assert [one.bytes for one in calls] == [37, 0, 32, None]


def test_the_operators_of_a_file_are_timed_in_its_order(tmp_path):
    path = dense(tmp_path / "m.onnx", layers=2, width=8)
    found = time_operators(OperatorsJob(str(path), runs=5, warmup_seconds=0.01))
    assert found.runs == 5
    assert [one.op for one in found.operators] == ["MatMul", "MatMul"]
    assert [one.node for one in found.operators] == [0, 1]
    assert [one.elements for one in found.operators] == [8, 8]
    assert [one.macs for one in found.costs] == [64, 64]
    assert [node.op for node in found.source.nodes] == ["MatMul", "MatMul"]
    assert found.p10_us <= found.p50_us


def test_a_model_with_weights_in_another_file_is_timed_as_well(tmp_path):
    graph = foreign_graphs.GRAPHS["external_data"]()
    path, _ = foreign_graphs.write(graph, tmp_path, "net")
    answer = time_operators(OperatorsJob(model=str(path), runs=3))
    assert {"Conv", "Gemm"} <= {operator.op for operator in answer.operators}


def test_a_file_of_the_runtimes_own_format_has_no_source_to_time(tmp_path):
    path = tmp_path / "m.ort"
    path.write_bytes(b"\0\0\0\0ORTM" + bytes(32))
    with pytest.raises(ModelError, match="expected the ONNX file it was made from"):
        time_operators(OperatorsJob(str(path)))


@pytest.mark.parametrize(("seconds", "runs", "asked"), [(0.0, 30, 10), (0.0, 4, 4), (60.0, 30, 30)])
def test_a_model_that_takes_long_is_asked_less(tmp_path, monkeypatch, seconds, runs, asked):
    monkeypatch.setattr(operators, "_SECONDS", seconds)
    path = dense(tmp_path / "m.onnx", layers=1, width=8)
    answer = time_operators(OperatorsJob(str(path), runs=runs))
    assert answer.runs == asked
    assert answer.operators
