"""The formats that are asked for; what is written of them: see test_export.py of the commands."""

import pytest
from edgestill import toolchains
from edgestill.errors import HostError, UsageError
from edgestill.pipeline.finished.export import formats_of


def test_formats_are_refused_before_anything_is_read(monkeypatch):
    assert formats_of("ort, onnx,ort") == ("ort", "onnx")
    with pytest.raises(UsageError, match="found 'tflite', expected one of onnx, ort, litert"):
        formats_of("ort,tflite")
    monkeypatch.setattr(toolchains, "python_of", lambda _: None)
    monkeypatch.setenv("EDGESTILL_TOOLCHAINS", "/nonexistent")
    with pytest.raises(HostError, match="edgestill toolchains setup openvino"):
        formats_of("openvino")
