"""What the converter is asked for where a file is to take and give int8."""

import numpy as np
import pytest
import torch
from edgestill.errors import ModelError
from edgestill.exporters import int8_io
from edgestill.exporters.package import Finished, Job


@pytest.fixture
def asked(monkeypatch):
    """The request that the converter gets, and the samples that lie beside it."""
    found = {}

    def convert(toolchain, request, work, log):
        with np.load(work / "calibration.npz") as stored:
            found.update(request, toolchain=toolchain, x=stored["x"], log=log)
        return {"refused": {}}

    monkeypatch.setattr(int8_io, "convert", convert)
    return found


def job(tmp_path, samples, **more):
    models = (
        Finished("fp32", tmp_path / "fp32.onnx", torch.nn.Flatten()),
        Finished("int8-static", tmp_path / "int8-static.onnx"),
    )
    return Job(tmp_path, models, calibration=samples, **more)


@pytest.mark.parametrize(
    ("kind", "dtype", "limits"),
    [
        ("uint8", "float32", (0.0, 255.0)),
        ("int16", "float32", None),
        ("float32", "float32", None),
        ("int32", "int32", None),
    ],
)
def test_samples_are_floats_but_for_token_ids_and_bytes_keep_every_value(
    tmp_path, asked, kind, dtype, limits
):
    samples = np.arange(12).reshape(6, 2).astype(kind)
    int8_io.convert_static(job(tmp_path, samples, batch=3), ("int8-static",), ".tflite")
    assert (asked["x"].dtype, asked["limits"]) == (dtype, limits)
    np.testing.assert_array_equal(asked["x"], samples)
    (model,) = asked["models"]
    assert (model["name"], model["scheme"]) == ("int8-static", "int8-static-inputs")
    assert model["target"].endswith("int8-static.tflite")
    assert (asked["toolchain"], asked["batch"]) == ("litert", 3)


def test_without_samples_there_are_no_ranges(tmp_path):
    with pytest.raises(ModelError, match="no calibration samples"):
        int8_io.convert_static(job(tmp_path, None), ("int8-static",), ".tflite")
