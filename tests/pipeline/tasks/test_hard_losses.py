"""The loss of each sample from its label, of every task, against scikit-learn and by hand."""

import numpy as np
import pytest
import torch
from edgestill.pipeline.recipe.training import Schedule
from edgestill.pipeline.tasks import of
from scipy import special
from sklearn.metrics import log_loss
from small_trainings import DATA

pytestmark = pytest.mark.usefixtures("one_thread")
Z = np.array([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5], [-1.0, 0.0, 3.0]])
Y = np.array([0, 2, 2])
THERE = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
COUNTS = (60, 24, 0)
ROWS = 96


def losses(task, z, y, schedule=None, **told):
    data = DATA.model_copy(update={"task": task, "counts": {"train": COUNTS}, **told})
    assert data.samples("train") == ROWS
    loss = of(task).hard_loss(data, schedule)
    found = loss(torch.from_numpy(z), torch.from_numpy(y))
    assert found.shape == (len(z),)
    return found.numpy()


def nats(target):
    return -(target * special.log_softmax(Z, 1)).sum(1)


def test_of_a_class_it_is_the_cross_entropy():
    expected = [log_loss([y], special.softmax(z)[None], labels=[0, 1, 2])
                for z, y in zip(Z, Y, strict=True)]  # fmt: skip
    assert losses("classification", Z, Y) == pytest.approx(expected)
    assert losses("classification", Z, Y, Schedule()) == pytest.approx(expected)


def test_smoothing_gives_a_share_of_the_label_to_all_classes():
    found = losses("classification", Z, Y, Schedule(label_smoothing=0.3))
    assert found == pytest.approx(nats(0.7 * np.eye(3)[Y] + 0.1))


def test_a_class_counts_by_the_inverse_of_its_share():
    found = losses("classification", Z, Y, Schedule(class_weights=True))
    # 96 samples of 3 classes; a class that no sample has counts as one of one sample.
    assert found == pytest.approx(nats(np.eye(3)[Y]) * np.array([96 / 180, 96 / 3, 96 / 3]))


def entropies(target, weights=1.0):
    of_set, of_not_set = np.log(special.expit(Z)), np.log(special.expit(-Z))
    return -(weights * target * of_set + (1 - target) * of_not_set).mean(1)


def test_of_labels_it_is_the_mean_binary_cross_entropy():
    expected = [log_loss(there, special.expit(z)) for z, there in zip(Z, THERE, strict=True)]
    assert losses("multi-label", Z, THERE) == pytest.approx(expected)
    assert losses("multi-label", Z, THERE, Schedule()) == pytest.approx(expected)
    smoothed = losses("multi-label", Z, THERE, Schedule(label_smoothing=0.3))
    assert smoothed == pytest.approx(entropies(0.7 * THERE + 0.15))


def test_a_label_that_is_set_counts_as_often_as_it_is_rarer_than_not_set():
    found = losses("multi-label", Z, THERE, Schedule(class_weights=True))
    assert found == pytest.approx(entropies(THERE, np.array([36 / 60, 72 / 24, 95 / 1])))
    always = {"counts": {"train": (96, 24, 1)}}
    found = losses("multi-label", Z, THERE, Schedule(class_weights=True), **always)
    # A label that all samples have is not set in none, which counts as one.
    assert found == pytest.approx(entropies(THERE, np.array([1 / 96, 72 / 24, 95 / 1])))


def test_of_numbers_it_is_the_mean_square_in_deviations_of_each():
    z, y = np.array([[1.0, 500.0], [0.0, 0.0]]), np.array([[0.0, -500.0], [2.0, 0.0]])
    found = losses("regression", z, y, answer_std=(0.5, 1000.0))
    assert found == pytest.approx([(2.0**2 + 1.0**2) / 2, 4.0**2 / 2])
