"""Recall by class: the worst class, and how surely it is known."""

import numpy as np
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.tasks.class_recall import (
    WORST_RECALL,
    Recalled,
    mean_recall,
    recalls,
    together,
    worst_drop,
    worst_of,
)
from edgestill.pipeline.tasks.proportions import proportion
from edgestill.pipeline.tasks.sampling import Sampling

ANY = Sampling(0.95)
SINGLE = [Estimate(0.1, 0.05, 0.15, "m", 9), Estimate(0.0, -0.5, 0.5, "m", 2)]
FAMILY = [Estimate(0.1, 0.04, 0.16, "m", 9), Estimate(0.0, -0.6, 0.6, "m", 2)]


def test_the_worst_lies_between_the_largest_ends():
    found = worst_of(SINGLE, FAMILY, 11)
    assert (found.value, found.low, found.high, found.n) == (0.1, 0.04, 0.5, 11)


def test_what_could_not_be_had_may_be_the_worst():
    found = worst_of(SINGLE[:1], FAMILY[:1], 9, unseen=1)
    assert (found.value, found.low, found.high) == (0.1, 0.04, 1.0)
    assert "; not available, so anything up to 1: 1" in found.method
    half = [Estimate(0.1, None, None, "m", 1, "only one")]
    found = worst_of(half, half, 1)
    assert (found.value, found.low, found.missing) == (0.1, None, "only one")


def test_intervals_that_hold_together_share_the_error():
    assert together(0.99, 4) == pytest.approx(0.9975)
    assert together(0.99, 0) == 0.99


def test_the_worst_class_drop_covers_the_worst():
    random = np.random.default_rng(9)
    drops, rows = np.array([0.0, 0.02, 0.05, 0.05]), np.arange(150)
    missed = np.zeros(2)
    for _ in range(500):
        lost = random.random((4, 150)) < (0.03 + drops)[:, None]
        won = ~lost & (random.random((4, 150)) < 0.03 / (0.97 - drops)[:, None])
        recalled = [Recalled(rows, ~w, ~one) for one, w in zip(lost, won, strict=True)]
        worst = worst_drop(recalled, ANY, "class")
        missed += [worst.high < drops.max(), worst.low > drops.max()]
    assert (missed / 500 <= 0.025).all()


def test_the_lowest_recall_is_that_of_the_worst_class_and_no_surer():
    right = [np.arange(100) < 95, np.arange(20) < 14]
    rows = [np.arange(100), np.arange(100, 120)]
    found = recalls(list(zip(rows, right, strict=True)), ANY)
    assert found["recall[1]"] == proportion(14, 20, 0.95)
    worst = found[WORST_RECALL]
    assert (worst.value, worst.n) == (0.7, 120)
    assert worst.low == pytest.approx(proportion(14, 20, 0.95).low)
    assert worst.high == pytest.approx(proportion(14, 20, 0.975).high)
    assert recalls([(rows[0][:0], right[0][:0])], ANY) == {}


def _halves(wrong, samples=24):
    rows = np.arange(samples)
    return [(rows + samples * i, rows >= missed) for i, missed in enumerate(wrong)]


def test_few_wrong_samples_of_a_mean_recall_are_known_by_the_classes_exact_intervals():
    recalled = _halves([1, 1, 1])
    wide = Estimate(23 / 24, 0.0, 0.998, "m", 72)
    found = mean_recall(lambda _: wide, recalled, ANY)
    exact = proportion(23, 24, together(together(0.95, 2), 3))
    assert (found.value, found.high) == (wide.value, 0.998)
    assert found.low == pytest.approx(exact.low)
    assert exact.low > 0.7
    unknown = Estimate(23 / 24, None, None, "m", 72, "they differ too much")
    assert mean_recall(lambda _: unknown, recalled, ANY).missing is None
    near = Estimate(23 / 24, 0.9, 0.97, "m", 72)
    found = mean_recall(lambda _: near, recalled, ANY)
    assert (found.value, found.low, found.high) == (near.value, near.low, near.high)
    asked = []
    mean_recall(lambda sampling: asked.append(sampling.confidence) or near, recalled, ANY)
    assert asked == [together(0.95, 2)], "each of two intervals has half of the error"


def test_samples_of_one_person_are_no_trials_of_a_class():
    wide = Estimate(23 / 24, 0.0, 1.0, "m", 9)
    people = Sampling(0.95, np.arange(72) % 9)
    assert mean_recall(lambda _: wide, _halves([1, 1, 1]), people) == wide


def test_a_class_of_one_person_has_no_interval():
    people = np.repeat([0, 1, 2, 3], 10)
    rows, right = np.arange(10), np.arange(10) < 9
    found = recalls(
        [(rows, right), (np.arange(10, 40), np.arange(30) < 28)], Sampling(0.95, people)
    )
    assert found["recall[0]"].missing == "an interval takes at least 3 groups, there were 1"
    assert (found[WORST_RECALL].value, found[WORST_RECALL].low) == (0.9, None)
