"""Methods see the calibration split and nothing of test."""

from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.exporters.interface import INPUT
from edgestill.pipeline.compress import variants
from edgestill.pipeline.compress.method import Effect, Outputs
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.compress import Compress
from edgestill.pipeline.records import SPLITS
from small_trainings import DATA

ROWS = 40


@pytest.fixture
def job(tmp_path, monkeypatch):
    """What a method is given in a build whose splits hold numbers of their own."""
    for index, split in enumerate(SPLITS):
        numbers = 1000.0 * index + np.arange(ROWS)
        np.save(tmp_path / f"x_{split}.npy", np.broadcast_to(numbers[:, None, None], (ROWS, 6, 6)))
        np.save(tmp_path / f"y_{split}.npy", np.full(ROWS, index % 3))
    given = []

    def method(job):
        given.append(job)
        return Effect(1, ())

    def normalized(source, target, feeds):
        first = 1000.0 * SPLITS.index("calibration")
        assert all(first <= feed[INPUT].min() <= feed[INPUT].max() < first + ROWS for feed in feeds)
        return ()

    monkeypatch.setitem(variants.METHODS, "int8-static", method)
    monkeypatch.setattr(variants, "normalize", normalized)

    def of(**options):
        compress = Compress(variants=("int8-static",), **options)
        data = SimpleNamespace(path=tmp_path, record=DATA)
        inputs = SimpleNamespace(compress=compress, plan=plan(compress), data=data)
        models = SimpleNamespace(data=data, tuned={})
        with Silent().steps("variants", 1) as steps:
            variants._compressed(tmp_path, inputs, ["int8-static"], models, steps)
        return given.pop()

    return of


def numbers_of(job):
    return job.samples[INPUT][:, 0, 0]


def test_the_samples_of_a_method_are_the_calibration_split(job):
    first = 1000.0 * SPLITS.index("calibration")
    np.testing.assert_array_equal(numbers_of(job()), first + np.arange(ROWS))


def test_no_sample_of_a_method_is_one_of_test_or_of_another_split(job):
    drawn = set(numbers_of(job(calibration_samples=16)))
    assert len(drawn) == 16
    for index, split in enumerate(SPLITS):
        own = set(1000.0 * index + np.arange(ROWS))
        assert bool(drawn & own) == (split == "calibration")


def test_the_loss_of_mixed_precision_is_scored_by_the_labels_of_calibration(job):
    label = SPLITS.index("calibration") % 3
    assert label != SPLITS.index("test") % 3
    right = Outputs({"logits": [np.eye(3, dtype=np.float32)[np.full(ROWS, label)]]}, (ROWS,))
    wrong = Outputs({"logits": [np.eye(3, dtype=np.float32)[np.full(ROWS, label - 1)]]}, (ROWS,))
    assert job().lost(right, wrong) == 1.0
