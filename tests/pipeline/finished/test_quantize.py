"""``edgestill quantize``: any ONNX model, whatever made it, and every refusal in one line."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from edgestill.devices.onboard.runtimes import load
from edgestill.devices.onboard.runtimes.onnxruntime import open_session
from edgestill.devices.onboard.settings import Session
from edgestill.errors import DataError, ModelError, UsageError
from edgestill.pipeline.compress import method
from edgestill.pipeline.compress.foreign_model import ForeignModel
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.finished.quantize import quantize
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.files import compress_part
from in_process_child import InProcess
from onnx import TensorProto, helper, numpy_helper
from onnx_files import model

RANDOM = np.random.default_rng(0)


def convnet(opset, *, constants):
    """Two convolutions, a mean and a layer, weights as initializers or as Constant nodes."""
    stored = {
        "w1": RANDOM.normal(0, 0.4, (16, 3, 3, 3)),
        "b1": RANDOM.normal(0, 0.1, 16),
        "w2": RANDOM.normal(0, 0.1, (16, 16, 3, 3)),
        "w3": RANDOM.normal(0, 0.5, (16, 5)),
    }
    stored = {name: array.astype(np.float32) for name, array in stored.items()}
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], pads=[1] * 4),
        helper.make_node("Add", ["b", "c"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("MatMul", ["f", "w3"], ["y"]),
    ]
    if constants:
        made = [
            helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array))
            for name, array in stored.items()
        ]
        nodes, stored = [*made, *nodes], {}
    return model(
        nodes, [("x", TensorProto.FLOAT, ["n", 3, 8, 8])], [("y", TensorProto.FLOAT, ["n", 5])],
        list(stored.items()), opset=opset, ir_version=10,
    )  # fmt: skip


def two_inputs():
    """Ids and a mask, int64, as text models take them."""
    stored = [
        ("table", RANDOM.normal(size=(50, 16)).astype(np.float32)),
        ("w", RANDOM.normal(size=(16, 4)).astype(np.float32)),
        ("axes", np.array([2], np.int64)),
        ("one", np.array([1], np.int64)),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        helper.make_node("Cast", ["mask"], ["m"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["m", "axes"], ["mu"]),
        helper.make_node("Mul", ["e", "mu"], ["em"]),
        helper.make_node("ReduceMean", ["em"], ["p"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["p", "w"], ["y"]),
    ]
    taken = [(name, TensorProto.INT64, ["n", 12]) for name in ("ids", "mask")]
    return model(nodes, taken, [("y", TensorProto.FLOAT, ["n", 4])], stored, opset=17)


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A convnet and data for it, and a way to quantize them, without a process for each."""
    monkeypatch.setattr("edgestill.pipeline.finished.quantize.Child", InProcess)
    path, data = tmp_path / "m.onnx", tmp_path / "c.npz"
    path.write_bytes(convnet(17, constants=False).SerializeToString())
    x = RANDOM.normal(size=(40, 3, 8, 8)).astype(np.float32)
    np.savez(data, x=x)

    def run(*methods, settings=(), target="host", out=tmp_path / "out"):
        part = compress_part(methods or ("int8-static",), target, settings)
        return quantize(path, data, out, part, Silent())

    return SimpleNamespace(path=path, data=data, x=x, run=run, out=tmp_path / "out")


def run(path, feed):
    return open_session(Path(path), Session(precise=True)).run(None, feed)[0]


@pytest.mark.parametrize("constants", [False, True])
@pytest.mark.parametrize("opset", [10, 11, 12, 13, 17, 21, 23, 24])
def test_any_opset_and_any_place_of_weights(given, opset, constants):
    given.path.write_bytes(convnet(opset, constants=constants).SerializeToString())
    (file,) = given.run().files
    made = onnx.load(file.path)
    onnx.checker.check_model(made, full_check=True)
    kinds = [node.op_type for node in made.graph.node]
    assert kinds.count("Conv") == 2
    stored = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert list(stored.values()).count(TensorProto.INT8) >= 3, "each layer's weights are int8"
    fp32, int8 = (run(path, {"x": given.x}) for path in (given.path, file.path))
    assert 0 < np.abs(fp32 - int8).max() < 0.2 * np.abs(fp32).max()
    assert file.bytes < 0.75 * given.path.stat().st_size


def test_several_inputs_of_whole_numbers(given, tmp_path):
    given.path.write_bytes(two_inputs().SerializeToString())
    ids = RANDOM.integers(0, 50, (40, 12))
    np.savez(given.data, ids=ids, mask=np.ones_like(ids), y=RANDOM.integers(0, 4, 40))
    made = given.run("int8-static", "int8-dynamic")
    assert made.labels
    for file in made.files:
        assert file.changed_nodes > 0
        answers = run(file.path, {"ids": ids, "mask": np.ones_like(ids)})
        assert answers.shape == (40, 4)


def test_the_model_itself_is_run_once_whatever_the_number_of_methods(given, monkeypatch):
    opened = []

    def counted(path, session):
        opened.append(path)
        return load(path, session)

    monkeypatch.setattr(method, "load", counted)
    asked = compress_part(("int8-static", "int8-mixed"), "host", ())
    given.out.mkdir()
    request = {
        "model": str(given.path), "calibration": str(given.data), "folder": str(given.out),
        "asked": asked.model_dump_json(), "plan": plan(asked).model_dump_json(),
    }  # fmt: skip
    work = ForeignModel.open(request)
    for name in asked.variants:
        work.compress(name, given.out / f"{name}.onnx")
    assert opened.count(given.path) == 1
    assert len(opened) > 3


def test_what_is_told_is_what_the_files_are(given):
    made = given.run("int8-static", "int8-mixed")
    assert [file.method for file in made.files] == ["int8-static", "int8-mixed"]
    assert made.samples == 40
    for file in made.files:
        nodes = [node.op_type for node in onnx.load(file.path).graph.node]
        assert file.bytes == given.out.joinpath(f"m.{file.method}.onnx").stat().st_size
        assert file.changed_nodes == sum(kind.endswith("eLinear") for kind in nodes)
        session = open_session(Path(file.path), Session(precise=made.plan.precise))
        fp32, own = run(given.path, {"x": given.x}), session.run(None, {"x": given.x})[0]
        (loss,) = file.outputs
        assert loss.max_abs_difference == pytest.approx(np.abs(fp32 - own).max(), rel=1e-3)
        assert loss.changed == int((fp32.argmax(1) != own.argmax(1)).sum())
        assert file.lost == pytest.approx(loss.changed / 40)
    assert sorted(p.name for p in given.out.iterdir()) == [
        "m.int8-mixed.onnx",
        "m.int8-static.onnx",
    ]


@pytest.mark.parametrize("method", ["average", "percentile", "entropy", "mse"])
def test_each_way_of_calibration_gives_a_file_of_its_own(given, method):
    (plain,) = given.run().files
    (file,) = given.run(out=given.out / method, settings=[f"calibration={method}"]).files
    assert Path(plain.path).read_bytes() != Path(file.path).read_bytes()
    assert file.outputs[0].max_abs_difference < 1.5


@pytest.mark.parametrize(
    ("target", "settings", "zero", "bits", "saturates"),
    [
        ("x86-avx2", [], TensorProto.UINT8, 8, False),
        ("x86-avx2", ["reduce_range=always"], TensorProto.UINT8, 7, False),
        ("x86-avx2", ["reduce_range=never"], TensorProto.UINT8, 8, True),
        ("x86-vnni", [], TensorProto.UINT8, 8, True),
        ("raspberry-pi-4", [], TensorProto.INT8, 8, True),
    ],
)
def test_the_target_decides_about_types_and_bits(given, target, settings, zero, bits, saturates):
    made = given.run(target=target, settings=settings)
    graph = onnx.load(made.files[0].path).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    zeros = {
        stored[node.input[2]].data_type for node in graph.node if node.op_type == "QuantizeLinear"
    }
    assert zeros == {zero}
    largest = max(
        np.abs(numpy_helper.to_array(tensor).astype(int)).max()
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) > 1
    )
    assert (largest > 64) == (bits == 8)
    assert made.plan.weight_bits == bits
    assert bool(made.files[0].saturable) is saturates
    assert any(f"{bits}-bit weights" in why for why in made.plan.why)


def test_what_cannot_be_quantized_is_refused_with_what_to_do(given):
    def refused(kind, said, **more):
        with pytest.raises(kind) as refusal:
            given.run(**more)
        assert said in str(refusal.value)

    refused(UsageError, "did you mean 'x86-avx2'", target="x86-avx")
    given.path.write_bytes(b"not a model")
    refused(ModelError, "m.onnx")
    given.path.unlink()
    refused(ModelError, "no such file")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"z": np.zeros((4, 3, 8, 8), np.float32)}, "found the arrays 'z', expected one for each"),
        ({"x": np.zeros((4, 3, 8, 8))}, "found float64 of shape (4, 3, 8, 8)"),
        ({"x": np.zeros((4, 3, 9), np.float32)}, "of shape (4, 3, 9)"),
        ({"x": np.zeros((0, 3, 8, 8), np.float32)}, "at least one"),
        ({"x": np.zeros((4, 3, 8, 8), np.float32), "y": np.zeros(3)}, "4 of 'x', 3 of 'y'"),
    ],
)
def test_calibration_data_that_do_not_fit_are_refused(given, arrays, said):
    np.savez(given.data, **arrays)
    with pytest.raises(DataError) as refusal:
        given.run()
    assert said in str(refusal.value)
    assert "c.npz" in str(refusal.value)


def test_nothing_is_overwritten_and_a_failure_leaves_nothing_behind(given):
    given.run()
    with pytest.raises(UsageError, match="found a file that exists, expected a new file"):
        given.run()
    nothing = model(
        [helper.make_node("Tanh", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", 3, 8, 8])], [("y", TensorProto.FLOAT, ["n", 3, 8, 8])],
    )  # fmt: skip
    given.path.write_bytes(nothing.SerializeToString())
    with pytest.raises(ModelError, match="changed none of 1 nodes"):
        given.run(out=given.out / "other")
    assert list((given.out / "other").iterdir()) == []


def test_the_command_prints_one_document(given, tmp_path):
    command = [
        sys.executable,
        "-m",
        "edgestill",
        "quantize",
        given.path,
        "--calibration",
        given.data,
    ]
    ended = subprocess.run(
        [*command, "--out", tmp_path / "o", "--json"], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["files"][0]["bytes"] == (tmp_path / "o/m.int8-static.onnx").stat().st_size
    ended = subprocess.run(
        [*command, "--out", tmp_path / "p", "--set", "calibraton=mse"],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert "did you mean 'calibration'?" in ended.stderr
