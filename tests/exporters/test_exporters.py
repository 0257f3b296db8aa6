"""Exported files: right in every setting, the same each time, with nothing of this machine."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx as onnx_format
import onnxruntime
import pytest
import torch
from edgestill.errors import ModelError
from edgestill.exporters import metadata, onnx, ort
from edgestill.pipeline.models import deployed, example
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.records import DataRecord

ROOT = Path(__file__).resolve().parents[2]
FACTS = {"labels": ("ä", "b"), "input": {"shape": ["batch", 6]}, "normalization": {"mean": [0.1]}}


def record(shape, layout, dtype):
    return DataRecord(
        source="test", task="classification", labels=tuple("abcd"), sample_shape=shape,
        layout=layout, dtype=dtype,
        mean=(100.0,), std=(50.0,), rows={}, counts={}, dropped=0, notes=(), fingerprint="",
    )  # fmt: skip


KINDS = {
    "mlp1": record((6,), "table", "float32"),
    "resnet8": record((9, 7, 3), "hwc", "uint8"),
    "mobilenet3": record((3, 9, 7), "chw", "float32"),
    "dscnn2": record((21, 10), "hw", "int16"),
}


@pytest.fixture(scope="module", params=KINDS)
def exported(request, tmp_path_factory):
    """A small model exported twice, to folders of their own."""
    data, folder = KINDS[request.param], tmp_path_factory.mktemp("export")
    torch.manual_seed(0)
    model = deployed(Architecture(model=request.param, width=4), data)
    paths = [folder / name / "m.onnx" for name in ("first", "second")]
    for path in paths:
        path.parent.mkdir()
        onnx.export(model, example(data), path, opset=20)
    return SimpleNamespace(
        name=request.param, model=model, data=data, path=paths[0], again=paths[1]
    )


def session(path, level="ORT_ENABLE_ALL"):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def samples(data, count):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, *data.sample_shape)).astype(data.dtype)


def test_a_model_takes_any_batch_under_its_own_names(exported):
    graph = onnx_format.load(exported.path).graph
    (taken,), (given,) = graph.input, graph.output
    assert (taken.name, given.name) == (onnx.INPUT, onnx.OUTPUT)
    assert taken.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert given.type.tensor_type.shape.dim[0].dim_param == "batch"
    rest = [dim.dim_value for dim in taken.type.tensor_type.shape.dim[1:]]
    assert tuple(rest) == exported.data.sample_shape
    for batch in (1, 2, 5):
        found = session(exported.path).run(None, {onnx.INPUT: samples(exported.data, batch)})
        assert found[0].shape == (batch, 4)


def test_a_model_takes_what_the_data_set_holds(exported):
    kind = session(exported.path).get_inputs()[0].type
    kinds = {"float32": "tensor(float)", "uint8": "tensor(uint8)", "int16": "tensor(int16)"}
    assert kind == kinds[exported.data.dtype]


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_ALL"])
def test_a_model_answers_as_in_torch(exported, batch, level):
    x = samples(exported.data, batch)
    with torch.no_grad():
        expected = exported.model.eval()(torch.from_numpy(x)).numpy()
    (found,) = session(exported.path, level).run(None, {onnx.INPUT: x})
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_model_is_valid_and_of_the_opset_asked_for(exported):
    model = onnx_format.load(exported.path)
    onnx_format.checker.check_model(model, full_check=True)
    assert {o.domain: o.version for o in model.opset_import}[""] == 20


def test_batch_norm_is_folded_into_its_convolution(exported):
    kinds = {node.op_type for node in onnx_format.load(exported.path).graph.node}
    assert "BatchNormalization" not in kinds


def test_a_model_exported_twice_is_the_same_file(exported):
    assert exported.path.read_bytes() == exported.again.read_bytes()


def test_nothing_of_this_machine_is_in_the_file(exported):
    content = exported.path.read_bytes()
    for trace in (
        str(ROOT),
        str(Path.home()),
        sys.prefix,
        "site-packages",
        ".py",
        'File "',
        "/tmp",
    ):
        assert trace.encode() not in content, trace
    assert re.findall(rb"/[a-z]+/[\w./-]{3,}", content) == []
    model = onnx_format.load(exported.path)
    for part in (model, model.graph, *model.graph.node, *model.graph.initializer):
        assert not part.doc_string
        assert not part.metadata_props


def test_a_module_that_cannot_be_exported_is_refused_with_the_reason(tmp_path):
    class Branching(torch.nn.Module):
        def forward(self, x):
            return x + 1 if x.sum() > 0 else x - 1

    with pytest.raises(ModelError, match="Branching: cannot be exported to ONNX"):
        onnx.export(Branching(), torch.zeros(2, 3), tmp_path / "m.onnx", opset=20)
    assert not (tmp_path / "m.onnx").exists()


# --- metadata ---------------------------------------------------------------------------------


def copied(path, folder):
    (folder / "m.onnx").write_bytes(path.read_bytes())
    return folder / "m.onnx"


def test_facts_come_back_as_they_were_stamped(exported, tmp_path):
    path = copied(exported.path, tmp_path)
    metadata.stamp(path, FACTS)
    assert metadata.read(path) == {**FACTS, "labels": ["ä", "b"]}
    metadata.stamp(path, {"labels": ["other"]})
    assert metadata.read(path) == {"labels": ["other"]}


def test_a_stamp_changes_no_answer_and_is_the_same_each_time(exported, tmp_path):
    path = copied(exported.path, tmp_path)
    metadata.stamp(path, FACTS)
    once = path.read_bytes()
    metadata.stamp(path, FACTS)
    assert path.read_bytes() == once
    x = {onnx.INPUT: samples(exported.data, 3)}
    assert np.array_equal(session(path).run(None, x)[0], session(exported.path).run(None, x)[0])


def test_facts_that_are_no_json_are_refused(exported, tmp_path):
    path = copied(exported.path, tmp_path)
    with pytest.raises(ValueError, match="JSON compliant"):
        metadata.stamp(path, {"loss": float("nan")})
    assert path.read_bytes() == exported.path.read_bytes()


def test_a_model_of_others_carries_no_facts(exported):
    assert metadata.read(exported.path) == {}


# --- .ort -------------------------------------------------------------------------------------


def test_an_ort_file_loads_and_answers_as_its_model_does(exported, tmp_path):
    path = copied(exported.path, tmp_path)
    metadata.stamp(path, FACTS)
    (made,) = ort.convert(tmp_path, target="arm")
    assert made.name == "m.ort"
    assert made.read_bytes()[4:8] == b"ORTM"
    x = {onnx.INPUT: samples(exported.data, 5)}
    (found,), (expected,) = session(made).run(None, x), session(path).run(None, x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_operators_a_small_runtime_needs_are_named(exported, tmp_path):
    copied(exported.path, tmp_path)
    ort.convert(tmp_path, target="arm")
    needed = (tmp_path / ort.OPERATORS).read_text()
    assert "Gemm" in needed
    assert ("Conv" in needed) == (exported.name != "mlp1")
    assert "# - m.ort" in needed
    assert str(tmp_path) not in needed


def test_a_file_that_cannot_be_converted_is_refused_and_said_once(tmp_path, capfd):
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"cannot be converted to \.ort"):
        ort.convert(tmp_path, target="arm")
    assert capfd.readouterr().out == ""
