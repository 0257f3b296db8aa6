"""How a student and its control are trained: the views that each epoch shows."""

from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.pipeline.distill import targets
from edgestill.pipeline.distill.inputs import Distillation, Samples, Training
from edgestill.pipeline.distill.student import open_training
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.distill import SoftLosses
from edgestill.pipeline.records import SPLITS, TargetsRecord
from small_trainings import DATA, SHORT, drawn, fresh

NOISY = Augment(noise=0.5)
"""Each view of a sample is another array."""


@pytest.fixture
def data(tmp_path):
    """The data stage's output, small."""
    for index, split in enumerate(SPLITS):
        arrays = drawn(48, index)
        np.save(tmp_path / f"x_{split}.npy", arrays.x)
        np.save(tmp_path / f"y_{split}.npy", arrays.y)
    return SimpleNamespace(path=tmp_path, record=DATA)


@pytest.fixture
def stored(tmp_path):
    """Stored answers to some views of train."""

    def answers(views):
        folder = tmp_path / "targets"
        folder.mkdir()
        x = drawn(48, SPLITS.index("train")).x
        np.save(folder / targets.LOGITS, np.zeros((views, 48, 3), np.float16))
        np.save(folder / targets.ROWS, targets.identities(x))
        record = TargetsRecord(
            views=views, rows=48, outputs=3, kept=3, bytes=0, train_score=1.0, answered=()
        )
        return SimpleNamespace(path=folder, record=record)

    return answers


def shown(data, distillation=None, epochs=5):
    """The samples that each epoch shows, and the number of its view."""
    training = Training(Samples(data, NOISY, 0), SHORT, distillation)
    rows = np.arange(8)
    with open_training(fresh(), training, seed=0) as setup:
        views = [setup.view_of(epoch) for epoch in range(epochs)]
        return views, [setup.batches(rows, view).x.numpy() for view in views]


def test_the_control_sees_a_new_view_of_each_sample_in_every_epoch(data):
    views, samples = shown(data)
    assert views == [0, 1, 2, 3, 4]
    for epoch, one in enumerate(samples):
        assert all(np.abs(one - other).max() > 0.1 for other in samples[:epoch])


def test_a_student_of_stored_answers_sees_the_views_that_were_answered_in_turn(data, stored):
    views, _ = shown(data, Distillation(SoftLosses(), stored(2)))
    assert views == [0, 1, 0, 1, 0]


def test_the_control_sees_the_same_samples_as_the_student_in_its_first_epochs(data, stored):
    _, of_control = shown(data, epochs=2)
    _, of_student = shown(data, Distillation(SoftLosses(), stored(2)), epochs=2)
    for one, other in zip(of_control, of_student, strict=True):
        np.testing.assert_array_equal(one, other)
