"""How a student and its control are trained: the views that each epoch shows."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from edgestill.pipeline.distill import student, targets
from edgestill.pipeline.distill.inputs import Distillation, Samples, TargetsInputs, Training
from edgestill.pipeline.distill.soft_losses import SOFT_LOSSES
from edgestill.pipeline.distill.student import open_training
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.distill import SoftLosses, SoftTargets
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


LABELLED = 24
"""Of 48 samples of train; 40 in batches of 16 are 2 steps an epoch, all of them 3."""


@pytest.fixture
def partly(data):
    """The same data set with labels for the first half of train."""
    y = np.load(data.path / "y_train.npy")
    np.save(data.path / "y_train.npy", y[:LABELLED])
    rows = {"train": LABELLED}
    record = DATA.model_copy(update={"rows": rows, "unlabelled": 48 - LABELLED})
    return SimpleNamespace(path=data.path, record=record)


def test_the_student_sees_unlabelled_samples_and_its_control_does_not(partly, stored):
    training = Training(Samples(partly, NOISY, 0), SHORT, Distillation(SoftLosses(), stored(2)))
    with open_training(fresh(), training, seed=0) as setup:
        rows = np.arange(20, 36)
        batch = setup.batches(rows, 0)
        assert (batch.labelled.numpy() == (rows < LABELLED)).all()
        seen = {int(row) for steps in (setup.batches.order(16, 0, 0),) for row in steps.ravel()}
        assert (seen, setup.schedule) == (set(range(48)), SHORT)
    with open_training(fresh(), Training(Samples(partly, NOISY, 0), SHORT), seed=0) as setup:
        assert setup.batches(np.arange(8), 0).labelled is None
        order = setup.batches.order(16, 0, 0)
        assert max(order.ravel()) < LABELLED
        # 3 epochs of 3 steps; the control has a step an epoch.
        assert (len(order) * setup.schedule.epochs) == 9


@pytest.mark.parametrize("views", [2, 0])
def test_a_control_learns_the_answers_to_labelled_samples_alone_for_as_many_steps(
    partly, stored, views
):
    made = stored(max(views, 1))
    answers = np.random.default_rng(3).normal(size=(max(views, 1), 48, 3)).astype(np.float16)
    np.save(made.path / targets.LOGITS, answers)
    soft = SoftLosses(alpha=1.0)
    teachers = None
    if not views:
        made.record = made.record.model_copy(update={"views": 0})
        teachers = SimpleNamespace(models=(), shares=())
    of_all = Distillation(soft, made, teachers=teachers)
    of_labelled = Distillation(soft, made, teachers=teachers, labelled_only=True)
    losses = []
    rows = np.arange(8)
    outputs = torch.from_numpy(np.random.default_rng(4).normal(size=(8, 3)).astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(student, "TeacherAnswers", Brightness)
        for distillation in (of_all, of_labelled):
            training = Training(Samples(partly, Augment(), 0), SHORT, distillation)
            with open_training(fresh(), training, seed=0) as setup:
                order = setup.batches.order(16, 0, 0)
                steps = len(order) * setup.schedule.epochs
                assert steps == 9
                assert (max(order.ravel()) < LABELLED) == distillation.labelled_only
                losses.append(setup.loss(outputs, setup.batches(rows, 0)).item())
                assert setup.view_of(1) == 1
    # The same answers to the same samples.
    assert losses[0] == losses[1]


def test_the_class_of_an_unlabelled_sample_is_the_teachers_in_losses_that_need_one(partly, stored):
    """DKD's target class: of labelled samples the label, of others the likeliest answer."""
    made = stored(1)
    answers = np.random.default_rng(3).normal(size=(1, 48, 3)).astype(np.float16)
    np.save(made.path / targets.LOGITS, answers)
    soft = SoftLosses(alpha=1.0, losses={"dkd": 1.0})
    training = Training(Samples(partly, Augment(), 0), SHORT, Distillation(soft, made))
    rows = np.arange(LABELLED - 8, LABELLED + 8)
    outputs = torch.from_numpy(np.random.default_rng(4).normal(size=(16, 3)).astype(np.float32))
    with open_training(fresh(), training, seed=0) as setup:
        found = setup.loss(outputs, setup.batches(rows, 0))
    known = np.load(partly.path / "y_train.npy")
    classes = answers[0].argmax(1)
    classes[:LABELLED] = known
    expected = SOFT_LOSSES["dkd"](
        outputs,
        torch.from_numpy(answers[0][rows].astype(np.float32)),
        torch.from_numpy(classes[rows]),
        soft,
    )
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_teachers_answers_to_unlabelled_samples_are_stored(partly, tmp_path):
    y = np.load(partly.path / "y_train.npy")
    y[:6] = (y[:6] + 1) % 3
    np.save(partly.path / "y_train.npy", y)
    teacher = SimpleNamespace(models=(), shares=())
    out, work = tmp_path / "out", tmp_path / "work"
    out.mkdir()
    work.mkdir()
    inputs = TargetsInputs(teacher, SoftTargets(views=2), Samples(partly, NOISY, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "TeacherAnswers", Brightness)
        record = targets.make_targets(out, Silent(), inputs, work)
    assert np.load(out / targets.LOGITS).shape == (2, 48, 3)
    assert record.rows == 48
    assert record.train_score == pytest.approx(18 / LABELLED)


class Brightness:
    """A teacher that tells classes by the mean of an image."""

    outputs = 3

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def close(self):
        pass

    def __call__(self, x, split, rows):
        return -np.abs(x.mean((1, 2))[:, None] - np.arange(3)).astype(np.float32)
