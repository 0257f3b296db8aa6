"""What `edgestill export` takes of a run, and what of a model's file."""

import shutil

import numpy as np
import pytest
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import MaterialError, ModelError, UsageError
from edgestill.exporters.package import NotCarried
from edgestill.pipeline.finished.export_source import Torch, open_model, open_run
from onnx import TensorProto, helper
from onnx_files import dense, save


def opened(run, variant, scratch, inputs=None):
    warned = []
    return open_run(run, variant, inputs, scratch, warned.append)


def test_the_student_comes_from_the_store_with_calibration_samples(built, tmp_path):
    import torch

    source = opened(built[0].run, "int8-static", tmp_path)
    assert (source.stem, source.method) == ("tiny-int8-static", "int8-static")
    assert source.reduced
    found = source.torch()
    assert isinstance(found, Torch)
    golden = np.load(built[0].run / "records" / "golden.npz")
    with torch.no_grad():
        answers = found.module(torch.from_numpy(golden["input"])).numpy()
    assert np.allclose(answers, golden["fp32.onnx"], atol=1e-4)
    assert found.calibration.shape[1:] == golden["input"].shape[1:]


def test_samples_are_of_the_test_split(built, tmp_path):
    source = opened(built[0].run, "fp32", tmp_path)
    assert source.queried == "queries of the test split"
    assert not source.reduced
    with np.load(source.feed.inputs) as stored:
        assert len(stored["input"]) == 64


def test_without_a_store_there_is_no_student_and_golden_samples(built, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(built[0].run, moved)
    source = opened(moved, "fp32", tmp_path)
    assert isinstance(source.torch(), NotCarried)
    with np.load(source.feed.inputs) as stored:
        assert len(stored["input"]) == 16


def test_a_variant_in_another_format_is_exported_from_its_onnx_file(built, tmp_path):
    report = built[0].report
    shipped = opened(built[0].run, None, tmp_path)
    assert shipped.method == report.verdict.ship.partition("@")[0]
    with pytest.raises(UsageError, match="'pruned', expected one of fp32"):
        opened(built[0].run, "pruned", tmp_path)


def test_a_run_that_changed_is_refused(built, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(built[0].run, moved)
    (moved / "variants" / "fp32.onnx").write_bytes(b"other")
    with pytest.raises(MaterialError, match=r"variants/fp32\.onnx changed"):
        opened(moved, "fp32", tmp_path)


def test_a_model_is_inspected_and_has_no_torch_module(tmp_path):
    source = open_model(dense(tmp_path / "m.onnx", layers=1, width=8), Feed(), "amd64")
    assert isinstance(source.torch(), NotCarried)
    assert (source.stem, source.cpu, source.queried) == ("m", "amd64", "generated queries")
    assert source.reduced is None
    with pytest.raises(ModelError, match="no such file"):
        open_model(tmp_path / "missing.onnx", Feed(), "arm")


def test_a_model_that_acts_as_in_training_is_refused(tmp_path):
    ends = [("x", TensorProto.FLOAT, ["n", 8])], [("y", TensorProto.FLOAT, ["n", 8])]
    drawing = [helper.make_node("RandomNormalLike", ["x"], ["y"])]
    with pytest.raises(ModelError, match="acts as in training"):
        open_model(save(tmp_path / "r.onnx", drawing, *ends), Feed(), "arm")
