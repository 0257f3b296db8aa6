"""Quantiles against published tables and closed forms."""

import math

import pytest
from edgestill.devices.onboard.stats.distributions import (
    binomial_cdf,
    check_confidence,
    fewest_for_median,
    normal_quantile,
    order_statistic,
    student_t,
)


def test_normal_quantiles_are_those_of_the_tables():
    assert normal_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
    assert normal_quantile(0.99) == pytest.approx(2.575829, abs=1e-6)


@pytest.mark.parametrize(
    ("confidence", "freedom", "t"),
    [
        (0.95, 1, 12.7062), (0.95, 2, 4.3027), (0.95, 3, 3.1824), (0.95, 4, 2.7764),
        (0.99, 5, 4.0321), (0.95, 7, 2.3646), (0.95, 10, 2.2281), (0.95, 15, 2.1314),
        (0.90, 30, 1.6973), (0.50, 1, 1.0000), (0.50, 10, 0.6998), (0.10, 4, 0.1338),
    ],
)  # fmt: skip
def test_students_quantiles_are_those_of_the_tables(confidence, freedom, t):
    assert student_t(confidence, freedom) == pytest.approx(t, abs=5e-5)


def test_student_with_many_degrees_of_freedom_is_normal():
    assert student_t(0.95, 100_000) == pytest.approx(normal_quantile(0.95), abs=1e-4)


def test_the_binomial_distribution_is_its_sum():
    for k, n, p in ((0, 5, 0.5), (2, 10, 0.3), (7, 7, 0.9), (9, 7, 0.9)):
        exact = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(min(k, n) + 1))
        assert binomial_cdf(k, n, p) == pytest.approx(exact, rel=1e-12)
    # A single term of it would underflow as a power.
    assert binomial_cdf(50_000, 100_000, 0.5) == pytest.approx(0.5, abs=2e-3)


@pytest.mark.parametrize(("n", "rank"), [(5, 0), (6, 1), (9, 2), (10, 2), (12, 3), (20, 6)])
def test_order_statistics_of_the_median_are_those_of_the_sign_test(n, rank):
    assert order_statistic(n, 0.95) == rank


def test_an_error_of_exactly_what_is_allowed_is_allowed():
    # Of three figures all lie on one side of the median with a chance of 2 / 8.
    assert order_statistic(3, 0.75) == 1
    assert order_statistic(3, 0.7501) == 0
    assert order_statistic(0, 0.95) == 0


@pytest.mark.parametrize(("confidence", "n"), [(0.75, 3), (0.95, 6), (0.99, 8), (0.995, 9)])
def test_the_fewest_figures_are_those_whose_extremes_keep_the_confidence(confidence, n):
    assert fewest_for_median(confidence) == n
    assert 2 * 0.5**n <= 1 - confidence < 2 * 0.5 ** (n - 1)


def test_a_rank_keeps_the_confidence_and_the_next_one_does_not():
    for n in (30, 101, 2000):
        rank = order_statistic(n, 0.95)
        below, next_below = (binomial_cdf(k - 1, n, 0.5) for k in (rank, rank + 1))
        assert 2 * below <= 0.05 < 2 * next_below


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95, math.nan])
def test_what_is_no_probability_is_no_confidence(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        check_confidence(confidence)
    with pytest.raises(ValueError, match="between 0 and 1"):
        normal_quantile(confidence)
