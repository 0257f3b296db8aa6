"""Histograms and the ranges chosen from them, against sums written out by hand."""

import itertools

import numpy as np
import pytest
from edgestill.pipeline.compress.int8 import histogram
from edgestill.pipeline.compress.int8.histogram import Histogram


def counted(first, last, counts):
    """A histogram with these counts."""
    made = Histogram(first, last, len(counts))
    made.counts[:] = counts
    return made


def test_a_value_counts_in_its_bin_and_one_outside_in_the_nearest():
    made = Histogram(-1.0, 3.0, 4)
    assert made.edges.tolist() == [-1.0, 0.0, 1.0, 2.0, 3.0]
    made.add(np.array([[-9.0, -1.0, -0.5], [0.5, 1.0, 1.999]], np.float32))
    made.add(np.array([2.0, 3.0, 9.0], np.float32))
    assert made.counts.tolist() == [3, 1, 2, 3]
    assert made.counts.dtype == np.int64
    assert made.values == 9


def test_exact_zeros_are_values_that_may_stay_uncounted():
    made = Histogram(-1.0, 1.0, 4)
    made.add(np.array([0.0, 0.0, 0.1, -0.6], np.float32), zeros=False)
    assert made.counts.tolist() == [1, 0, 1, 0]
    made.add(np.array([0.0, -0.1], np.float32))
    assert made.counts.tolist() == [1, 1, 2, 0]
    assert made.values == 6


@pytest.mark.parametrize(
    ("percent", "edge"), [(0.1, 1.0), (50, 1.0), (50.1, 1.0), (80, 1.0), (80.1, 2.0), (100, 2.0)]
)
def test_a_percentile_is_the_lower_edge_of_its_bin_and_never_the_first(percent, edge):
    assert histogram.percentile(counted(0.0, 3.0, [5, 3, 2]), percent) == edge


# --- least squares ----------------------------------------------------------------------------


def squared_error(made, low, high):
    """Banner et al. 2018, section 3: of what is cut off its distance, of the rest step² / 12."""
    edges = np.linspace(made.first, made.last, made.bins + 1)
    step, total = (high - low) / 255, 0.0
    for count, left, right in zip(made.counts, edges, edges[1:], strict=False):
        centre = (left + right) / 2
        if centre < low:
            total += count * (low - centre) ** 2
        elif centre > high:
            total += count * (centre - high) ** 2
        else:
            total += count * step**2 / 12
    return total


def by_hand(made):
    """The pair of edges of least error, zero between them, tried one after another."""
    edges = np.linspace(made.first, made.last, made.bins + 1)
    pairs = itertools.product(edges[edges <= 0], edges[edges >= 0])
    return min(pairs, key=lambda pair: squared_error(made, *pair))


RANDOM = np.random.default_rng(0)
LAPLACE = np.round(-1e9 * np.diff(np.exp(-np.linspace(0.0, 20.0, 601)))).astype(np.int64)
"""How many of a thousand million values with the density exp(-x) fall into each bin."""
HISTOGRAMS = {
    "both sides": counted(-2.0, 2.0, RANDOM.integers(0, 90, 40)),
    "a tail above": counted(-1.0, 7.0, [0, 40, 90, 60, 9, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    "a tail below": counted(-7.0, 1.0, [1, 0, 0, 0, 0, 0, 0, 0, 0, 3, 9, 30, 60, 90, 40, 0]),
    "far from zero": counted(-0.5, 1.0, [0] * 13 + [50, 40]),
    "all below zero": counted(-1.0, 0.0, RANDOM.integers(0, 9, 30)),
    # Here the last digit of the formula decides: some bins lie between 1/12 and 1/13.
    "one side, fine": counted(0.0, 20.0, LAPLACE),
    "the other, fine": counted(-20.0, 0.0, LAPLACE[::-1]),
}


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_least_squares_is_the_best_of_all_pairs_of_edges(name):
    made = HISTOGRAMS[name]
    assert histogram.least_squares(made) == pytest.approx(by_hand(made), rel=1e-12)


# --- entropy ----------------------------------------------------------------------------------


def divergence_by_hand(counts, half):
    """Kullback-Leibler of the bins at most ``half`` from the middle (Migacz 2017), by loops."""
    middle = len(counts) // 2
    inside = list(map(int, counts[middle - half : middle + half + 1]))
    p = list(inside)
    p[0] += int(sum(counts[: middle - half]))
    p[-1] += int(sum(counts[middle + half + 1 :]))
    width, q = len(inside) // 128, [0] * len(inside)
    for level in range(128):
        bins = range(level * width, (level + 1) * width)
        total = sum(inside[i] for i in bins)
        if level == 127:
            total += sum(inside[128 * width :])
        filled = sum(p[i] != 0 for i in bins)
        for i in bins:
            q[i] = total // filled if filled else 0
    if not any(q):
        return np.inf
    shares = []
    for one in (p, q):
        empty = one.count(0)
        taken = 1e-4 * empty / (len(one) - empty)
        smooth = [n - taken if n else 1e-4 for n in one]
        shares.append([n / sum(smooth) for n in smooth])
    return sum(a * np.log(a / b) for a, b in zip(*shares, strict=True))


def drawn(draw, bins):
    random = np.random.default_rng(5)
    values = getattr(random, draw)(size=5000)
    far = np.abs(values).max()
    return counted(-far, far, np.histogram(values, bins, (-far, far))[0])


@pytest.mark.parametrize("bins", [301, 517])
@pytest.mark.parametrize("draw", ["laplace", "standard_normal", "standard_cauchy"])
def test_entropys_threshold_is_the_outer_edge_of_the_range_of_least_divergence(draw, bins):
    made = drawn(draw, bins)
    middle = bins // 2
    halves = range(64, middle + 1)
    best = min(halves, key=lambda half: divergence_by_hand(made.counts, half))
    bin_width = 2 * made.last / bins
    assert histogram.entropy(made) == pytest.approx((best + 0.5) * bin_width, rel=1e-9)


def test_a_range_in_which_nothing_is_left_is_never_chosen():
    counts = np.zeros(301, np.int64)
    counts[[0, 300]] = 50
    made = counted(-301.0, 301.0, counts)
    assert histogram.entropy(made) == 301.0
