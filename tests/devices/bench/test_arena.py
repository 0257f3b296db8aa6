"""The arena of .tflite files, counted in a child process of TensorFlow Lite Micro."""

import pytest
import toolchain_tools
from edgestill.devices.bench.arena import arena_of
from edgestill.errors import ModelError
from shared_data import SHARED

TINY = SHARED / "mlperf_tiny"
needs_tiny = pytest.mark.skipif(not TINY.exists(), reason="needs shared/data/mlperf_tiny")


@needs_tiny
@pytest.mark.parametrize(
    ("name", "total", "tensors"),
    [("pretrainedResnet_quant", 55_984, 49_152), ("kws_ref_model", 24_272, 16_000)],
)
def test_the_arena_of_reference_models_is_the_known_one(name, total, tensors):
    toolchain_tools.python_of("tflite-micro")
    found = arena_of(TINY / f"{name}.tflite")
    assert (found.arena.total_bytes, found.arena.tensors_bytes) == (total, tensors)
    assert found.arena.kept_bytes == total - tensors
    assert found.gives[0].scale == 1 / 256
    assert found.gives[0].zero_point == -128
    assert found.runtime.startswith("tflite-micro 0")


@needs_tiny
def test_a_model_that_it_cannot_run_is_refused_with_its_words():
    toolchain_tools.python_of("tflite-micro")
    with pytest.raises(ModelError, match="Hybrid models are not supported"):
        arena_of(TINY / "kws_ref_model_float32.tflite")


def test_what_is_no_model_is_refused(tmp_path):
    toolchain_tools.python_of("tflite-micro")
    (tmp_path / "m.tflite").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"does not load \(no \.tflite file\)"):
        arena_of(tmp_path / "m.tflite")
    with pytest.raises(ModelError, match="No such file"):
        arena_of(tmp_path / "absent.tflite")
