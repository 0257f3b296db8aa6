"""The stage that quantizes students which do not ship."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from edgestill.errors import NoEffectError
from edgestill.pipeline.compress import int8_plain
from edgestill.pipeline.compress.inputs import Int8PlainInputs
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.models import deployed
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.compress import Compress, StaticRanges
from edgestill.pipeline.records import DataRecord
from noted import Noted

DATA = DataRecord(
    source="test", task="classification", labels=tuple("abc"), sample_shape=(6,), layout="table",
    dtype="float32", mean=(0.5,), std=(2.0,), rows={}, counts={}, dropped=0, notes=(),
    fingerprint="",
)  # fmt: skip


def student(distilled, seed, score):
    record = SimpleNamespace(
        distilled=distilled, seed=seed, validation_score=score, selected_by=None, model="mlp1"
    )
    return SimpleNamespace(record=record)


@pytest.fixture
def quantized(tmp_path, monkeypatch):
    """The stage on small students; returns the record, what it wrote and its progress."""
    folder = tmp_path / "data"
    folder.mkdir()
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    np.save(folder / "x_calibration.npy", x)
    np.save(folder / "y_calibration.npy", np.arange(40) % 3)

    def restored(made, data):
        torch.manual_seed(made.record.seed)
        return deployed(Architecture(model="mlp1", width=16), data).eval()

    monkeypatch.setattr(int8_plain, "restored", restored)
    out = tmp_path / "out"
    out.mkdir()

    def run(students, plain):
        inputs = Int8PlainInputs(
            StaticRanges(calibration_samples=32),
            plan(Compress()),
            20,
            tuple(students),
            tuple(plain),
            SimpleNamespace(record=DATA, path=folder),
        )
        progress = Noted()
        return int8_plain.quantize_students(out, progress, inputs), out, progress

    return run


def test_a_plain_student_gets_its_file_and_the_same_in_int8(quantized):
    record, out, progress = quantized((), [student(False, 4, 0.9)])
    (one,) = record.students
    assert (one.distilled, one.seed) == (False, 4)
    kinds = [
        {node.op_type for node in onnx.load(out / name).graph.node} for name in (one.fp32, one.int8)
    ]
    assert "QuantizeLinear" not in kinds[0]
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds[1]
    assert sorted(path.name for path in out.iterdir()) == sorted([one.fp32, one.int8])
    assert (progress.begun, progress.told) == ([("int8-plain", 1)], ["plain-4"])


@pytest.mark.slow
def test_of_several_seeds_all_but_the_best_distilled_student_are_quantized(quantized):
    distilled = [student(True, 0, 0.8), student(True, 1, 0.9), student(True, 2, 0.9)]
    plain = [student(False, seed, 0.99) for seed in range(3)]
    record, out, _ = quantized(distilled, plain)
    told = [(one.distilled, one.seed) for one in record.students]
    # Of equals the first is the best, as for the variants.
    assert told == [(True, 0), (True, 2), (False, 0), (False, 1), (False, 2)]
    # Here a seed alone decides the weights.
    assert len({(out / one.int8).read_bytes() for one in record.students}) == 3


def test_students_without_a_layer_to_quantize_are_refused(quantized, monkeypatch):
    class Bare(torch.nn.Module):
        def forward(self, x):
            return x[:, :3] * 2.0

    monkeypatch.setattr(int8_plain, "restored", lambda *_: Bare().eval())
    with pytest.raises(NoEffectError, match="int8-static"):
        quantized((), [student(False, 0, 0.5)])
