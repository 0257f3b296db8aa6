"""Times operator by operator: what is taken off for profiling, and where it belongs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from edgestill.devices.onboard.measure.job import OperatorsJob
from edgestill.devices.onboard.model.outline import from_json, to_json
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.onboard.settings import Feed
from edgestill.devices.operators.profiling import Operator, merge, net, profile
from edgestill.errors import DataError, ModelError
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
    assert "torch" not in answer.process.modules
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
    with pytest.raises(ModelError, match=r"none\.onnx: no such file"):
        profile(tmp_path / "none.onnx", runs=RUNS)
    (tmp_path / "m.ort").write_bytes(b"\0\0\0\0ORTM" + bytes(32))
    with pytest.raises(ModelError, match="expected the ONNX file it was made from"):
        profile(tmp_path / "m.ort", runs=RUNS)


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
