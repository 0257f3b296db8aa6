"""What is counted as one observation: a sample, or a whole group."""

import numpy as np
import pytest
from edgestill.pipeline.tasks.sampling import Sampling

GROUPS = np.array(["b", "a", "b", "c"])


def test_without_groups_every_sample_is_its_own_unit():
    units, count = Sampling(0.9).units(3)
    assert (units.tolist(), count) == ([0, 1, 2], 3)
    assert Sampling(0.9).n(7) == 7


def test_samples_of_a_group_are_one_unit():
    units, count = Sampling(0.9, GROUPS).units(4)
    assert (units.tolist(), count) == ([1, 0, 1, 2], 3)
    assert Sampling(0.9, GROUPS).n(4) == 3


def test_some_of_the_samples_keep_their_groups():
    some = Sampling(0.9, GROUPS).of(np.array([0, 2]))
    assert (some.groups.tolist(), some.n(2), some.confidence) == (["b", "b"], 1, 0.9)
    assert Sampling(0.9).of(np.array([0])).groups is None
    assert Sampling(0.9, GROUPS).at(0.8).confidence == 0.8


def test_groups_of_other_samples_are_refused():
    with pytest.raises(ValueError, match="4 groups for 3 samples"):
        Sampling(0.9, GROUPS).units(3)


def test_how_many_are_behind_each_part_without_those_that_have_none():
    parts = [np.array([0, 1]), np.array([], int), np.array([0, 2, 3])]
    assert Sampling(0.9).behind(parts) == (2, 3)
    assert Sampling(0.9, GROUPS).behind(parts) == (2, 2)
    assert Sampling(0.9, GROUPS).at(0.8).groups is GROUPS
    mask = Sampling(0.9, GROUPS).of(np.array([True, True, False, False]))
    assert mask.groups.tolist() == ["b", "a"]


def test_numbers_of_units_are_whole_numbers_of_64_bits():
    for sampling in (Sampling(0.9), Sampling(0.9, GROUPS)):
        assert sampling.units(4)[0].dtype == np.int64
