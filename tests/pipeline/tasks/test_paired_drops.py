"""The difference of two drops on the same samples, and its interval."""

import numpy as np
import pytest
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.paired_drops import difference_of_drops
from edgestill.pipeline.tasks.sampling import Sampling

N = 400
SURE = Sampling(0.95)


def answers(wrong):
    """Logits of two classes and their labels, wrong on some of the samples."""
    labels = np.arange(N) % 2
    given = labels.copy()
    given[wrong] = 1 - given[wrong]
    return np.eye(2)[given]


TRUTH = np.arange(N) % 2
ACCURACY = of("classification").metric


def of_wrong(first, second, sampling=SURE, metric=ACCURACY):
    pairs = [tuple(answers(np.array(wrong, int)) for wrong in pair) for pair in (first, second)]
    return difference_of_drops(metric, *pairs, TRUTH, sampling)


def test_it_is_what_the_first_pair_loses_beyond_the_second():
    found = of_wrong(([], range(40)), (range(4), range(8)))
    assert found.value == pytest.approx((40 - 4) / N)
    assert 0.05 < found.low < found.value < found.high < 0.15
    assert (found.n, found.unit, found.kind) == (N, "share", "measured")
    assert found.method.startswith("difference of paired differences of accuracy, 95 % interval")
    other_way = of_wrong((range(4), range(8)), ([], range(40)))
    ends = (other_way.value, other_way.low, other_way.high)
    assert ends == pytest.approx((-found.value, -found.high, -found.low))


def test_what_both_pairs_lose_alike_cancels_out():
    assert of_wrong(([], range(40)), ([], range(40))).value == 0.0
    apart = of_wrong(([], range(40)), ([], range(200, 240)))
    assert apart.value == 0.0
    assert apart.low < -0.03 < 0.03 < apart.high


def test_pairs_that_lose_nothing_may_still_differ_on_other_samples():
    found = of_wrong(([], []), (range(9), range(9)))
    # Up to 1 - 0.025^(1/n) of other samples, each 2 apart at most.
    most = 2.0 * (1.0 - 0.025 ** (1.0 / N))
    assert (found.value, found.low, found.high) == (0.0, pytest.approx(-most), pytest.approx(most))


def test_samples_of_one_group_are_one_observation():
    groups = np.arange(N) // 20
    found = (
        of_wrong(([], range(40)), ([], [])),
        of_wrong(([], range(40)), ([], []), Sampling(0.95, groups)),
    )
    assert found[1].n == 20
    assert found[1].high - found[1].low > 2 * (found[0].high - found[0].low)


def test_a_score_without_bounds_has_no_interval_where_nothing_differs():
    truth = np.random.default_rng(0).normal(size=(N, 1))
    pair = (truth + 0.1, truth + 0.1)
    found = difference_of_drops(of("regression").metric, pair, pair, truth, SURE)
    assert (found.value, found.low, found.unit) == (0.0, None, "")
    noisy = truth + np.random.default_rng(1).normal(0.0, 0.3, size=(N, 1))
    lost = difference_of_drops(of("regression").metric, (truth, noisy), pair, truth, SURE)
    assert 0.03 < lost.low < lost.value < lost.high < 0.3


def test_the_interval_errs_about_as_often_as_it_says():
    """True drops of 4 and 2 points in hundreds of drawn test sets."""
    rng, missed, rounds = np.random.default_rng(3), 0, 200
    for _ in range(rounds):
        hard = rng.random(N)
        first = (np.flatnonzero(hard < 0.02), np.flatnonzero(hard < 0.06))
        second = (np.flatnonzero(hard < 0.03), np.flatnonzero(hard < 0.05))
        found = of_wrong(first, second)
        missed += not found.low <= 0.02 <= found.high
    assert missed <= 0.08 * rounds
