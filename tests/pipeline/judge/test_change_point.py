"""Where a series changed its level, and how often chance is taken for a change."""

import numpy as np
import pytest
from edgestill.pipeline.judge import change_point


def test_a_step_is_found_where_it_is_with_both_levels():
    rng = np.random.default_rng(0)
    series = [*rng.normal(1.0, 0.01, 9), *rng.normal(1.2, 0.01, 8)]
    (found,) = change_point.changes(series)
    assert found.at == 9
    assert found.p <= 0.01
    assert (found.before, found.after) == pytest.approx((1.0, 1.2), abs=0.02)


def test_two_steps_are_found_and_levels_end_at_the_next():
    rng = np.random.default_rng(1)
    series = [*rng.normal(1, 0.01, 12), *rng.normal(2, 0.01, 12), *rng.normal(3, 0.01, 12)]
    first, second = change_point.changes(series)
    assert (first.at, second.at) == (12, 24)
    assert (first.after, second.after) == pytest.approx((2.0, 3.0), abs=0.02)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.normal(size=12),
        lambda rng: rng.lognormal(0.0, 1.0, 12),
        lambda rng: rng.binomial(450, 0.97, 12) / 450,
    ],
    ids=["normal", "skewed", "score"],
)
def test_a_series_without_a_change_has_none_in_99_of_100(draw):
    """Of 100 series 1 % is more than 5 in 0.06 % of all seeds."""
    rng = np.random.default_rng(2)
    assert sum(bool(change_point.changes(draw(rng))) for _ in range(100)) <= 5


def test_too_few_figures_show_no_change_however_sharp():
    least = change_point.fewest()
    sharp = [1.0, 1.1, 1.2, 1.3, 1.4, 9.0, 9.1, 9.2, 9.3, 9.4]
    assert least == len(sharp) == 10
    assert [one.at for one in change_point.changes(sharp)] == [5]
    assert change_point.changes(sharp[:-1]) == []


def test_figures_that_are_all_alike_never_changed():
    assert change_point.changes([0.5] * 40) == []


def test_the_answer_is_the_same_each_time():
    rng = np.random.default_rng(3)
    series = list(rng.normal(size=20)) + list(rng.normal(2.0, 1.0, 20))
    assert change_point.changes(series) == change_point.changes(series)
