"""Batches of texts: sorted by length within pools, padded little, each text once an epoch."""

import numpy as np
import pytest
import torch
from edgestill.pipeline.distill.batches import Batches, lengths_of, trimmed
from edgestill.pipeline.distill.hard_labels import hard_labels
from edgestill.pipeline.models import deployed
from edgestill.pipeline.recipe.architecture import Architecture
from small_trainings import PLAIN, TEXTS, texts

pytestmark = pytest.mark.usefixtures("one_thread")


# --- texts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [96, 101, 3000])
def test_texts_are_seen_at_most_once_an_epoch_and_all_of_them_over_epochs(samples):
    batches = Batches(TEXTS, texts(samples), PLAIN, 0)
    seen = set()
    for epoch in range(6):
        order = batches.order(16, 3, epoch)
        assert order.shape == (samples // 16, 16)
        assert len(np.unique(order)) == order.size
        assert np.array_equal(order, batches.order(16, 3, epoch))
        assert not np.array_equal(order, batches.order(16, 4, epoch))
        seen |= set(order.ravel())
    assert len(seen) == samples, "the longest texts must not always be those that wait"


def test_batches_of_texts_are_padded_little_and_come_in_no_order_of_length():
    batches = Batches(TEXTS, texts(3000), PLAIN, 0)
    lengths = lengths_of(batches.train.x, 0)
    order = batches.order(16, 0, 0)
    width = np.array([batches(rows, 0).x.shape[1] for rows in order])
    assert set(width) == {8, 16, 24}
    words = lengths[order].sum()
    assert words / (16 * width.sum()) > 0.75  # 0.54 where all are padded to the longest
    assert abs(np.corrcoef(np.arange(len(width)), width)[0, 1]) < 0.2
    for rows in order[:50]:
        found = batches(rows, 0)
        assert np.array_equal(found.y.numpy(), batches.train.y[rows])
        expected = batches.train.x[rows]
        assert np.array_equal(found.x.numpy(), expected[:, : found.x.shape[1]])
        assert not expected[:, found.x.shape[1] :].any()


def test_a_text_of_padding_alone_has_no_length_and_still_a_shape():
    x = np.zeros((3, 24), np.int32)
    x[0, 5] = 4
    assert lengths_of(x, 0).tolist() == [6, 0, 0]
    assert trimmed(x[1:], 0).shape == (2, 8)
    assert trimmed(x[:, :3], 0).shape == (3, 3)


def test_a_trimmed_batch_teaches_what_the_padded_one_does():
    torch.manual_seed(0)
    net = deployed(Architecture(model="transformer1", width=4), TEXTS).eval()
    batches = Batches(TEXTS, texts(), PLAIN, 0)
    rows = np.argsort(lengths_of(batches.train.x, 0))[:16]
    found = batches(rows, 0)
    assert found.x.shape[1] == 8
    loss, gradients = hard_labels(TEXTS), []
    for x in (found.x, torch.from_numpy(batches.train.x[rows])):
        net.zero_grad()
        loss(net(x), found).backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
