"""Arenas as a result: a row a file in bytes, and what was counted."""

from types import SimpleNamespace

import pytest
from edgestill.devices.bench.settings import Subject
from edgestill.errors import UsageError
from edgestill.pipeline.finished.arena import ArenaCounted, look
from edgestill.pipeline.progress import Silent


def test_a_row_a_file_and_other_formats_are_refused(tmp_path):
    file = tmp_path / "m.tflite"
    file.write_bytes(b"0" * 2048)
    arena = SimpleNamespace(total_bytes=55_984, tensors_bytes=49_152, kept_bytes=6_832)
    answer = SimpleNamespace(arena=arena, runtime="tflite-micro 0.1", takes=(), gives=())
    found = ArenaCounted(((Subject("m.tflite", file), answer),))
    assert "55,984 B" in repr(found)
    assert "tflite-micro 0.1" in repr(found)
    assert found["m.tflite"].arena.kept_bytes == 6_832
    assert found.records()[0]["file_bytes"] == 2048
    assert found.to_dict()["models"][0]["arena_bytes"] == 55_984
    with pytest.raises(KeyError):
        found["other"]
    with pytest.raises(UsageError, match="which microcontrollers run"):
        look([Subject("m.onnx", tmp_path / "m.onnx")], Silent())
