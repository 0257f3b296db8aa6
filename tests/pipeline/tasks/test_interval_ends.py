"""Where an interval by jackknife ends: the formula, worked apart with scipy's moments."""

import math

import numpy as np
import pytest
from edgestill.pipeline.tasks.jackknife import (
    Figure,
    blocks_of_units,
    interval,
    mean,
    mean_share_figure,
    of_sums,
    of_weights,
    ratio,
    share_figure,
)
from edgestill.pipeline.tasks.sampling import Sampling
from scipy import stats

ANY = Sampling(0.95)
SKEWED = np.array([0.0, 0.1, 0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.9, 2.5])
EVEN = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])


def reach(units, floor, n=None, confidence=0.95):
    """Deviations to the lower and to the upper end: Student's t and a step of Cornish & Fisher."""
    m = len(units)
    n = n or m
    freedom = 2 * m / (stats.kurtosis(units, fisher=False) - 1 + 2 / (m - 1))
    t = stats.t.ppf((1 + confidence) / 2, min(m - 1, max(1, freedom)))
    step = (2 * t * t + 1) / (6 * math.sqrt(m))
    least = floor * math.sqrt(m / n) * (1 + 5 / n)
    skewness = 1.5 * stats.skew(units, bias=False)
    return t + step * max(least, -skewness), t + step * max(least, skewness)


@pytest.mark.parametrize("values", [SKEWED, -SKEWED, SKEWED**3, EVEN, EVEN[:4], [1.0, 2.0, 4.0]])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_the_ends_of_a_difference_are_a_step_further_where_it_is_skewed(values, confidence):
    values = np.array(values)
    down, up = reach(values, math.sqrt(8), confidence=confidence)
    deviation = values.std(ddof=1) / math.sqrt(len(values))
    found = mean(values, Figure("mean"), Sampling(confidence))
    assert found.low == pytest.approx(values.mean() - down * deviation)
    assert found.high == pytest.approx(values.mean() + up * deviation)


def test_of_blocks_the_least_skewness_is_that_of_a_mean_of_units():
    left_out = np.linspace(-1.0, 1.0, 100)
    down, _ = reach(left_out, math.sqrt(8), 5000)
    found = interval(0.0, left_out, Figure("figure"), ANY, 5000)
    deviation = math.sqrt(99 / 100 * (left_out**2).sum())
    assert (found.low, found.n) == (pytest.approx(-down * deviation), 5000)


@pytest.mark.parametrize(("perfect", "sign"), [(0.0, 1.0), (1.0, -1.0), (-2.0, 1.0)])
def test_short_of_perfection_the_logarithm_has_the_ends(perfect, sign):
    """What a model loses is at its value times or over exp of so many relative deviations."""
    down, up = reach(SKEWED, 1.5)
    lost = SKEWED.mean()
    relative = SKEWED.std(ddof=1) / math.sqrt(10) / lost
    found = mean(perfect + sign * SKEWED, Figure("loss", perfect=perfect), ANY)
    near, far = lost * math.exp(-down * relative), lost * math.exp(up * relative)
    expected = sorted((perfect + sign * near, perfect + sign * far))
    assert (found.low, found.high) == (pytest.approx(expected[0]), pytest.approx(expected[1]))


def test_bounds_hold_the_ends_and_a_thousandfold_is_the_most_without():
    wild = np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    free = mean(wild, Figure("difference"), ANY)
    assert free.low < -0.3 < 0.9 < free.high
    held = mean(wild, Figure("difference", bounds=(-0.3, 0.9)), ANY)
    assert (held.low, held.high) == (-0.3, 0.9)
    surer = Sampling(0.99999)
    assert mean(wild, Figure("error", perfect=0.0), surer).missing == "the samples differ too much"
    bounded = mean(wild, Figure("error", perfect=0.0, bounds=(0.0, 1e9)), surer)
    # With bounds it ends at a thousand times what is lost.
    assert bounded.high == pytest.approx(0.2 * 1000)


def test_a_share_of_few_may_be_none_and_is_never_all():
    found = mean([1.0, 1.0, 1.0, 0.0], share_figure("share"), ANY)
    assert 0.0 == found.low < found.value == 0.75 < found.high < 1.0


def unseen(n, confidence=0.95):
    return 1 - ((1 - confidence) / 2) ** (1 / n)


def test_what_was_not_met_may_be_as_far_away_as_the_bounds():
    found = mean(np.full(20, 0.5), Figure("difference", "share", bounds=(-1.0, 1.0)), ANY)
    assert found.low == pytest.approx(0.5 - 1.5 * unseen(20))
    assert found.high == pytest.approx(0.5 + 0.5 * unseen(20))
    assert found.method == "difference, 95 % interval of what 20 samples may not show"
    assert (found.n, found.unit, found.kind) == (20, "share", "measured")


def test_every_part_may_hide_its_own():
    found = mean(np.ones(20), share_figure("share", 4), ANY)
    assert found.low == pytest.approx(1 - unseen(20) / 2)
    told = mean(np.ones(20), share_figure("share", 2, (5, 15)), ANY)
    assert told.low == pytest.approx(1 - math.hypot(unseen(5), unseen(15)) / 2)


def test_hidden_parts_widen_both_ends():
    values = np.r_[np.zeros(5), np.ones(15)]
    plain = mean(values, share_figure("share", 2), ANY)
    found = mean(values, share_figure("share", 2, (8,)), ANY)
    hidden = unseen(8) / 2
    assert found.low == pytest.approx(0.75 - math.hypot(0.75 - plain.low, 0.75 * hidden))
    assert found.high == pytest.approx(0.75 + math.hypot(plain.high - 0.75, 0.25 * hidden))
    sure = mean(values, share_figure("share", 1, (1,)), Sampling(0.9999))
    assert (sure.low, sure.high) == (0.0, 1.0)


def test_parts_are_those_with_samples_and_hide_where_all_are_alike():
    rows = [np.arange(2), np.arange(2, 5), np.arange(5, 9), np.arange(0)]
    flags = [[True, True], [False] * 3, [True, False, True, True], []]
    holds = list(zip(rows, map(np.array, flags), strict=True))
    found = mean_share_figure("share", holds, ANY)
    assert found == Figure("share", "share", 1.0, (0.0, 1.0), 3, (2, 3))
    assert mean_share_figure("share", [], ANY) == share_figure("share")
    assert share_figure("share") == Figure("share", "share", 1.0, (0.0, 1.0), 1, ())


def test_why_there_is_no_interval_is_said_with_what_is_known():
    figure = Figure("error", "label unit")
    two = mean([1.0, 3.0], figure, ANY)
    assert (two.value, two.low, two.high, two.n) == (2.0, None, None, 2)
    assert two.missing == "an interval takes at least 3 samples, there were 2"
    assert (two.unit, two.kind) == ("label unit", "measured")
    assert two.method == "error, 95 % interval by jackknife over 2 samples"
    assert mean([1.0, 2.0, 3.0], figure, ANY).low is not None
    none = mean([], figure, ANY)
    assert (none.value, none.missing, none.n) == (None, "no observations", 0)
    assert (none.unit, none.method) == ("label unit", two.method.replace("2 s", "0 s"))
    alike = mean([2.0, 2.0, 2.0], figure, Sampling(0.95, np.arange(3)))
    assert alike.missing == "all groups give the same, which says nothing of others"
    undefined = interval(math.nan, np.ones(4), figure, ANY, 4)
    assert undefined.missing == "it is not defined on these samples"
    assert (undefined.n, undefined.unit) == (4, "label unit")
    partly = interval(1.0, np.array([1.0, math.inf, 2.0, 1.0]), figure, ANY, 4)
    assert partly.missing == "it does not exist without some of the samples"
    many = mean(np.arange(1200.0), figure, ANY)
    assert many.method == "error, 95 % interval by jackknife over 1,200 samples"


def test_rounding_is_no_difference_at_any_size():
    for size in (1e-3, 1.0, 1e9):
        near = size * (1.0 + 1e-16 * np.arange(5))
        assert mean(near, Figure("mean"), ANY).low is None
    assert mean(1e9 + np.arange(5), Figure("mean"), ANY).low is not None
    assert interval(0.5, np.array([0.0, 2e-12, 0.0]), Figure("m"), ANY, 3).low is not None
    assert interval(0.5, np.array([0.0, 0.9e-12, 0.0]), Figure("m"), ANY, 3).low is None


def test_a_figure_under_weights_leaves_out_each_unit_once():
    seen = []

    def watched(weights):
        seen.extend(weights.tolist())
        return weights @ np.array([1.0, 2.0, 4.0, 5.0]) / weights.sum(1)

    found = of_weights(watched, 4, Figure("mean"), Sampling(0.95, np.array([7, 7, 8, 9])))
    assert seen == [[1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]
    assert (found.value, found.n) == (3.0, 3)
    grouped = of_sums(
        np.array([[1.0, 1.0], [2.0, 1.0], [4.0, 1.0], [5.0, 1.0]]),
        ratio, Figure("mean"), Sampling(0.95, np.array([7, 7, 8, 9])),
    )  # fmt: skip
    assert (found.low, found.high) == (pytest.approx(grouped.low), pytest.approx(grouped.high))
    none = of_weights(watched, 0, Figure("mean"), ANY)
    assert none.missing == "no observations"


def test_many_units_are_left_out_in_a_hundred_blocks_of_one_size():
    units, count = blocks_of_units(ANY, 100)
    assert (units.tolist(), count) == (list(range(100)), 100)
    units, count = blocks_of_units(ANY, 1000)
    assert (np.bincount(units).tolist(), count) == ([10] * 100, 100)
    assert len(set(units[:100].tolist())) < 90, "at random, not one after another"
    groups = np.repeat(np.arange(250), 2)
    units, count = blocks_of_units(Sampling(0.95, groups), 500)
    assert count == 100
    assert (units[::2] == units[1::2]).all()


def test_a_ratio_is_of_sums_and_does_not_exist_over_0():
    with np.errstate(all="raise"):
        found = ratio(np.array([[1.0, 4.0], [1.0, 0.0], [0.0, 0.5], [3.0, 0.5]]))
    assert found.tolist() == [0.25, pytest.approx(np.nan, nan_ok=True), 0.0, 6.0]
