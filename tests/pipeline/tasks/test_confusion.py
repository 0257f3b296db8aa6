"""Counts of answers by truth."""

import numpy as np
from edgestill.pipeline.tasks import confusion


def test_each_sample_is_counted_once_in_the_row_of_its_truth():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 4, 200), rng.normal(size=(200, 4))
    table = np.array(confusion.counts(logits, labels, 4))
    assert table.sum() == 200
    assert np.array_equal(table.sum(1), np.bincount(labels, minlength=4))
    assert np.trace(table) == (logits.argmax(1) == labels).sum()
    assert table[1, 3] == ((labels == 1) & (logits.argmax(1) == 3)).sum()


def test_a_class_that_is_neither_there_nor_answered_has_a_row_and_a_column():
    assert confusion.counts(np.eye(3)[[0, 0]], np.array([0, 1]), 3) == (
        (1, 0, 0),
        (1, 0, 0),
        (0, 0, 0),
    )


def test_of_more_than_fifty_classes_there_is_none():
    assert confusion.counts(np.eye(51), np.arange(51), 51) is None
    assert confusion.counts(np.eye(50), np.arange(50), 50) is not None
