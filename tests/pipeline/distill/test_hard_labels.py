"""The loss from labels: its formula for each task, weights, smoothing and mixed samples."""

import numpy as np
import pytest
import torch
from edgestill.pipeline.distill.batches import Batch
from edgestill.pipeline.distill.hard_labels import hard_labels
from edgestill.pipeline.recipe.training import Schedule
from small_trainings import DATA, SHORT

pytestmark = pytest.mark.usefixtures("one_thread")


# --- learning from labels ---------------------------------------------------------------------


def batch_of(y, partners=None, share=None):
    of = torch.from_numpy
    return Batch(torch.zeros(0), of(y), np.arange(len(y)), 0, *(
        (None, None) if share is None else (of(partners), of(share))
    ))  # fmt: skip


def log_softmax(z):
    shifted = z - z.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


COUNTS = (48, 32, 16)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("mixed", [False, True])
def test_the_loss_of_classes_is_that_of_its_formula(smoothing, weighted, mixed):
    rng = np.random.default_rng(0)
    z = rng.normal(0, 3, (20, 3))
    y, partners = rng.integers(0, 3, (2, 20))
    share = rng.uniform(0.5, 1, 20)
    data = DATA.model_copy(update={"counts": {"train": COUNTS}})

    def by_sample(answers):
        target = (1 - smoothing) * np.eye(3)[answers] + smoothing / 3
        weights = 96 / (3 * np.array(COUNTS)) if weighted else np.ones(3)
        return -(target * log_softmax(z)).sum(1) * weights[answers]

    expected = by_sample(y)
    if mixed:
        expected = share * expected + (1 - share) * by_sample(partners)
    loss = hard_labels(data, Schedule(label_smoothing=smoothing, class_weights=weighted))
    found = loss(torch.from_numpy(z), batch_of(y, partners, share if mixed else None))
    assert found.item() == pytest.approx(expected.mean(), rel=1e-6)


@pytest.mark.parametrize("mixed", [False, True])
def test_samples_without_a_label_have_no_loss_from_labels(mixed):
    rng = np.random.default_rng(0)
    z = rng.normal(0, 3, (20, 3))
    y, partners = rng.integers(0, 3, (2, 20))
    share = rng.uniform(0.5, 1, 20) if mixed else np.ones(20)
    own, of_partner = rng.uniform(size=(2, 20)) < 0.5
    losses = -np.log(np.exp(z) / np.exp(z).sum(1, keepdims=True))
    weights = share * own, (1 - share) * of_partner
    expected = weights[0] * losses[range(20), y] + weights[1] * losses[range(20), partners]
    expected = expected.sum() / sum(weights).sum()
    batch = batch_of(y, partners, share if mixed else None)._replace(
        labelled=torch.from_numpy(own),
        labelled_partners=torch.from_numpy(of_partner) if mixed else None,
    )
    assert hard_labels(DATA)(torch.from_numpy(z), batch).item() == pytest.approx(expected)
    nothing = batch._replace(labelled=torch.zeros(20, dtype=torch.bool), partners=None, share=None)
    assert hard_labels(DATA)(torch.from_numpy(z), nothing).item() == 0.0


def test_weights_of_classes_leave_the_mean_sample_as_it_was():
    data = DATA.model_copy(update={"counts": {"train": COUNTS}})
    y = np.repeat(np.arange(3), COUNTS)
    found = hard_labels(data, Schedule(class_weights=True))(torch.zeros(96, 3), batch_of(y))
    assert found.item() == pytest.approx(np.log(3), rel=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("mixed", [False, True])
def test_the_loss_of_labels_is_that_of_its_formula(weighted, mixed):
    rng = np.random.default_rng(0)
    z = rng.normal(0, 3, (20, 3))
    y, partners = (rng.random((2, 20, 3)) < 0.4).astype(np.float64)
    share = rng.uniform(0.5, 1, 20)
    counts = (60, 24, 0)
    data = DATA.model_copy(update={"task": "multi-label", "counts": {"train": counts}})
    # A label that no sample has counts as one that one sample has.
    weights = np.array([36 / 60, 72 / 24, 95 / 1]) if weighted else np.ones(3)

    def by_sample(answers):
        target = 0.8 * answers + 0.1
        holds, holds_not = -np.log1p(np.exp(-z)), -np.log1p(np.exp(z))
        return -(weights * target * holds + (1 - target) * holds_not).mean(1)

    expected = by_sample(y)
    if mixed:
        expected = share * expected + (1 - share) * by_sample(partners)
    loss = hard_labels(data, Schedule(label_smoothing=0.2, class_weights=weighted))
    found = loss(torch.from_numpy(z), batch_of(y, partners, share if mixed else None))
    assert found.item() == pytest.approx(expected.mean(), rel=1e-6)


def test_the_loss_of_numbers_is_in_deviations_of_each():
    rng = np.random.default_rng(0)
    z, y = rng.normal(0, 3, (2, 20, 2)).astype(np.float32)
    told = {"task": "regression", "labels": ("a", "b"), "answer_std": (0.5, 1000.0)}
    loss = hard_labels(DATA.model_copy(update={**told, "answer_mean": (0.0, 0.0)}))
    expected = (((z - y) / np.array([0.5, 1000.0])) ** 2).mean()
    found = loss(torch.from_numpy(z), batch_of(y))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_embeddings_have_no_loss_of_labels():
    loss = hard_labels(DATA.model_copy(update={"task": "embedding"}), SHORT)
    assert loss(torch.ones(4, 3), batch_of(np.zeros((4, 0)))).item() == 0.0
