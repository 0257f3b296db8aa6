"""Intervals of means over groups: near where few differ, and wrong no more often than said."""

import numpy as np
import pytest
from edgestill.devices.onboard.stats.betting import shown_above_zero
from edgestill.pipeline.tasks import group_mean
from edgestill.pipeline.tasks.group_mean import mean_of_groups
from edgestill.pipeline.tasks.jackknife import Figure, mean, share_figure
from edgestill.pipeline.tasks.proportions import paired_difference, share
from edgestill.pipeline.tasks.sampling import Sampling

DIFFERENCE = Figure("a difference", "share", bounds=(-1.0, 1.0))


def drawn(rng, groups, chance, alike, largest):
    """Whether each sample is right, and its group: groups differ in their chance and their size."""
    of_group = rng.beta(chance * (1 / alike - 1), (1 - chance) * (1 / alike - 1), groups)
    numbers = np.repeat(np.arange(groups), rng.integers(1, largest + 1, groups))
    return rng.random(len(numbers)) < of_group[numbers], numbers


def test_a_class_of_which_nearly_all_is_right_has_a_near_end():
    groups = np.repeat(np.arange(56), 2)
    right = np.ones(112, bool)
    right[[3, 40, 77]] = False
    found = share(right, Sampling(0.995, groups), "recall")
    assert found.value == pytest.approx(109 / 112)
    assert 0.75 < found.low < 0.9
    assert found.high < 1.0
    assert "betting" in found.method
    # By the jackknife alone three groups of 56 leave the end where the worst model has it.
    assert mean(right, share_figure("recall"), Sampling(0.995, groups)).low == 0.0


def test_a_difference_that_few_groups_show_has_near_ends():
    groups = np.repeat(np.arange(60), 2)
    teacher = np.ones(120, bool)
    student = teacher.copy()
    student[[5, 6]] = False
    found = paired_difference(teacher, student, Sampling(0.9995, groups))
    assert -0.25 < found.low < 0.0 < found.high < 0.3


def test_where_many_groups_differ_it_is_the_jackknife_but_for_a_little():
    rng = np.random.default_rng(1)
    right, groups = drawn(rng, 400, 0.85, 0.3, 3)
    found = share(right, Sampling(0.99, groups))
    alone = mean(right, share_figure("proportion"), Sampling(0.99, groups))
    assert found.high - found.low == pytest.approx(alone.high - alone.low, rel=0.04)


@pytest.mark.parametrize("largest", [1, 5])
@pytest.mark.parametrize("chance", [0.6, 0.97])
@pytest.mark.parametrize("groups", [6, 40])
def test_no_end_is_beyond_the_truth_more_often_than_it_says(groups, chance, largest):
    rng = np.random.default_rng(groups)
    beyond = []
    for _ in range(200):
        right, of = drawn(rng, groups, chance, 0.3, largest)
        found = mean_of_groups(right, share_figure("x"), Sampling(0.9, of))
        beyond.append((found.low > chance, found.high < chance))
    # 5 % a side, and what chance gives so many less than once in a thousand.
    assert max(np.mean(beyond, 0)) <= 0.10


def test_turned_round_its_ends_are_turned_round():
    rng = np.random.default_rng(3)
    values, groups = rng.choice([-1.0, 0.0, 1.0], 90, p=[0.02, 0.96, 0.02]), np.arange(90) // 2
    one, other = (
        mean_of_groups(side, DIFFERENCE, Sampling(0.99, groups)) for side in (values, -values)
    )
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_a_figure_without_bounds_is_refused():
    with pytest.raises(ValueError, match="no bounds"):
        mean_of_groups(np.ones(4), Figure("x"), Sampling(0.9, np.arange(4)))


def test_a_bet_is_won_by_no_more_chances_than_it_may():
    rng = np.random.default_rng(0)
    won = [shown_above_zero(rng.choice([-1.0, 1.0], 50), 0.05) for _ in range(2000)]
    assert np.mean(won) <= 0.05
    assert shown_above_zero(np.full(50, 0.3), 0.001)
    assert not shown_above_zero(np.zeros(50), 0.5)


def test_an_end_that_is_known_close_to_the_bound_is_not_lost_to_rounding():
    sums, sizes, known = np.full(3, -3.0), np.full(3, 3.0), np.nextafter(-1.0, 0.0)
    end = group_mean._lower_end(sums, sizes, -1.0, (known, 0.0), 0.01)
    assert end == known


def test_an_end_is_the_nearer_one_of_both():
    sums, sizes = np.full(60, 2.0), np.full(60, 2.0)
    alone = group_mean._lower_end(sums, sizes, 0.0, (0.0, 1.0), 0.01)
    assert 0.9 < alone < 1.0
    for known, nearer in ((alone - 0.1, alone), (alone + 0.01, alone + 0.01)):
        end = group_mean._lower_end(sums, sizes, 0.0, (known, 1.0), 0.01)
        assert end == pytest.approx(nearer, abs=1e-9)
