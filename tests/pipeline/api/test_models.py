"""``quantize``, ``compare``, ``bench`` and ``export`` with what is in memory."""

import json

import edgestill
import numpy as np
import pytest
from edgestill.errors import DataError, RecipeError, UsageError
from edgestill.pipeline.api.bench import bench
from edgestill.pipeline.api.compare import compare
from edgestill.pipeline.api.export import export
from edgestill.pipeline.api.quantize import quantize
from edgestill.pipeline.finished import measure as measuring
from fake_place import FakePlace
from onnx_files import dense


@pytest.fixture
def model(tmp_path):
    return dense(tmp_path / "model.onnx", layers=2, width=8)


def test_arrays_calibrate_as_a_file_does(model, samples, tmp_path):
    np.savez(tmp_path / "x.npz", x=samples)
    told = {"methods": "int8-dynamic", "progress": False}
    by_arrays = edgestill.quantize(str(model), {"x": samples}, out=tmp_path / "a", **told)
    by_file = edgestill.quantize(model, tmp_path / "x.npz", out=tmp_path / "b", **told)
    assert (tmp_path / "a" / "model.int8-dynamic.onnx").read_bytes() == (
        tmp_path / "b" / "model.int8-dynamic.onnx"
    ).read_bytes()
    assert by_arrays.files[0].outputs == by_file.files[0].outputs
    document = by_arrays.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert "1 file made of" in repr(by_arrays)
    assert by_arrays.records()[0]["method"] == "int8-dynamic"
    assert "int8-dynamic" in by_arrays._repr_html_()
    with pytest.raises(UsageError, match="name another folder with out="):
        edgestill.quantize(model, {"x": samples}, out=tmp_path / "a", **told)


def test_what_is_wrong_is_refused_by_its_parameter(model, samples, tmp_path):
    with pytest.raises(DataError, match="calibration: found a ndarray"):
        edgestill.quantize(model, samples, out=tmp_path, progress=False)
    with pytest.raises(RecipeError, match="int9"):
        edgestill.quantize(model, {"x": samples}, methods=["int9"], progress=False)
    with pytest.raises(RecipeError, match="calibratoin"):
        edgestill.quantize(model, {"x": samples}, settings={"calibratoin": 1}, progress=False)
    with pytest.raises(UsageError, match="variant= with a model's file"):
        edgestill.export(model, "ort", variant="fp32", progress=False)
    with pytest.raises(UsageError, match="expected one of onnx"):
        edgestill.export(model, ["tflite"], progress=False)


def test_models_are_measured_in_turn_on_arrays(model, samples, tmp_path, monkeypatch):
    fake = FakePlace({"model.onnx": lambda _: 1_000_000, "b.onnx": lambda _: 2_000_000})
    monkeypatch.setattr(measuring, "place_of", lambda *_, **__: fake)
    other = dense(tmp_path / "b.onnx", layers=1, width=8)
    events = []
    found = edgestill.bench(
        [model, str(other)],
        inputs={"x": samples},
        processes=6,
        out=tmp_path / "out",
        progress=events.append,
    )
    assert isinstance(found, edgestill.Measured)
    assert found["b.onnx"].p50_ms.value == 2.0
    assert found.found.settings.feed.inputs.endswith("inputs.npz")
    assert {event.what for event in events} == {"benchmark"}
    assert events[-1].done == events[-1].total == 12
    assert len(repr(found).split("\n")) <= 24


def test_inside_the_package_errors_name_options_as_commands_have_them(model, samples, tmp_path):
    (tmp_path / "model.int8-dynamic.onnx").write_text("")
    with pytest.raises(UsageError, match="another folder with --out"):
        quantize(model, {"x": samples}, out=tmp_path, methods=["int8-dynamic"], progress=False)
    for function in (bench, compare):
        with pytest.raises(UsageError, match="--shape with --inputs"):
            function(model, model, inputs="x", shapes={"x": (1,)}) if function is compare else (
                function(model, inputs="x", shapes={"x": (1,)})
            )
    with pytest.raises(UsageError, match="--variant with"):
        export(model, "ort", variant="fp32", progress=False)


def test_options_of_a_scenario_are_checked(model):
    with pytest.raises(UsageError, match="rate= with scenario= single-stream"):
        edgestill.bench(model, rate=3.0, progress=False)
    with pytest.raises(UsageError, match="seconds= with scenario= server"):
        edgestill.bench(model, scenario="server", rate=3.0, seconds=1.0, progress=False)
    with pytest.raises(UsageError, match="expected one of single-stream"):
        edgestill.bench(model, scenario="nothing", progress=False)
