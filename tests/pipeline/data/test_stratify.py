"""Several labels a sample: every split has its part of each label."""

import numpy as np
import pytest
from edgestill.pipeline.data import shares, splits
from edgestill.pipeline.data.stratify import iterative
from edgestill.pipeline.recipe.data import Data

FRACTIONS = {"test": 0.2, "validation": 0.1, "calibration": 0.1}


def labels_of(samples=1000, seed=0):
    """Twelve labels, from one in two samples to one in 200, some of them together."""
    random = np.random.default_rng(seed)
    rates = np.geomspace(0.5, 0.005, 12)
    labels = random.random((samples, 12)) < rates
    labels[:, 11] |= labels[:, 10] & (random.random(samples) < 0.3)
    return labels.astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_every_label_has_its_share_in_every_split(seed):
    labels = labels_of(seed=seed)
    rows = splits.cut(1000, labels, FRACTIONS, seed)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(1000))
    for split, share in [*FRACTIONS.items(), ("train", 0.6)]:
        assert abs(len(rows[split]) - 1000 * share) <= 6
        wanted = labels.sum(0) * share
        assert np.abs(labels[rows[split]].sum(0) - wanted).max() <= 2.0, split


def test_a_random_split_would_have_lost_a_label():
    """The example that failed: labels of few samples without a positive one in test."""
    labels = np.zeros((200, 8), np.float32)
    labels[np.arange(200), np.arange(200) % 7] = 1.0
    labels[[3, 77, 150], 7] = 1.0
    lost = 0
    for seed in range(50):
        rows = splits.cut(200, labels, FRACTIONS, seed)
        assert labels[rows["test"], 7].sum() >= 1.0
        assert labels[rows["train"], 7].sum() >= 1.0
        random = np.random.default_rng(seed).permutation(200)[:40]
        lost += labels[random, 7].sum() == 0
    assert lost > 10


def test_a_label_of_one_sample_stays_in_train_and_two_reach_test():
    labels = np.zeros((100, 2), np.float32)
    labels[5, 0] = labels[[8, 9], 1] = 1.0
    rows = splits.cut(100, labels, FRACTIONS, 0)
    assert 5 in rows["train"]
    assert len({8, 9} & set(rows["test"])) == len({8, 9} & set(rows["train"])) == 1


def test_the_same_seed_gives_the_same_splits_and_another_others():
    labels = labels_of(300)
    first, again, other = (iterative(labels, (0.7, 0.3), seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_label_that_test_lacks_is_a_warning():
    data = Data(source="npz:d.npz", task="multi-label")
    said = list(shares.unjudged({"test": (3, 0, 0)}, ("a", "b", "c"), data))
    assert said == [
        "2 labels have no positive sample in test and cannot be judged: 'b', 'c'; add samples, or "
        "raise data.test"
    ]
    assert list(shares.unjudged({"test": (3, 1, 2)}, ("a", "b", "c"), data)) == []
