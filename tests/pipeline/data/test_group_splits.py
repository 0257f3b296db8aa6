"""Whole groups: near to what is asked, named by the recipe, or refused with a way out."""

import numpy as np
import pytest
from edgestill.errors import DataError, RecipeError
from edgestill.pipeline.data import group_splits, shares, split_samples, splits
from edgestill.pipeline.data.source_samples import checked
from edgestill.pipeline.data.splits import GroupRules
from edgestill.pipeline.recipe.data import Data

FRACTIONS = {"test": 0.2, "validation": 0.1, "calibration": 0.1}


def of_groups(groups, rows=20, classes=2):
    """Samples of groups called g0, g1, …, each with every class."""
    count = groups * rows
    return {
        "x": np.arange(count, dtype=np.float32)[:, None],
        "y": np.arange(count) % classes,
        "group": np.array([f"g{i // rows}" for i in range(count)]),
    }


def drawn(arrays, **part):
    data = Data(source="npz:d.npz", **part)
    source = checked(arrays, data, "d.npz")
    by_split = split_samples.split_samples(source, data, seed=0)
    return source, by_split, data


def test_six_equal_groups_come_as_near_to_a_fifth_as_they_can_and_it_is_said():
    source, by_split, data = drawn(of_groups(6))
    assert len(by_split["test"].rows) == 20, "one group of six is nearer to 0.2 than two"
    test, validation = list(shares.warnings(source, by_split, data))
    assert test.startswith("test has 16.7 % of the samples (1 of 6 groups) and data.test asks for")
    assert "20.0 %" in test
    assert "data.validation asks for 10.0 %" in validation


def test_fractions_that_are_met_are_not_remarked_on():
    source, by_split, data = drawn(of_groups(100))
    assert list(shares.warnings(source, by_split, data)) == []
    listed = shares.groups(source, by_split)
    assert sum(len(listed[split]) for split in ("train", "validation", "test")) == 100
    assert set(listed["test"].values()) == {20}


def test_named_groups_are_test_and_validation_and_the_others_keep_their_shares():
    part = {"test_groups": ("g4", "g1"), "validation_groups": ("g0",)}
    source, by_split, data = drawn(of_groups(6), **part)
    found = shares.groups(source, by_split)
    assert set(found["test"]) == {"g1", "g4"}
    assert set(found["validation"]) == {"g0"}
    assert set(found["train"]) == set(found["calibration"]) == {"g2", "g3", "g5"}
    # 0.1 of what 0.2 and 0.1 leave: a seventh of 0.7.
    assert len(by_split["calibration"].rows) == round(60 * 0.1 / 0.7)
    assert list(shares.warnings(source, by_split, data)) == []


def test_groups_that_are_numbers_are_named_by_number():
    arrays = of_groups(5) | {"group": np.arange(100) // 20}
    source, by_split, _ = drawn(arrays, test_groups=(3,))
    assert set(shares.groups(source, by_split)["test"]) == {"3"}


@pytest.mark.parametrize(
    ("arrays", "part", "error", "says"),
    [
        (of_groups(6), {"test_groups": ("g44",)}, DataError, r"no group 'g44'.*did you mean 'g4'"),
        ({k: v for k, v in of_groups(6).items() if k != "group"}, {"test_groups": ("g1",)},
         DataError, r"data\.test_groups: 'g1' of data without a group column"),
        (of_groups(2), {"test_groups": ("g0",), "validation_groups": ("g1",)}, DataError,
         "have every group, and train has none"),
        (of_groups(2), {}, DataError,
         r"found 2 groups \('g0', 'g1'\), expected at least 3, one for each of test, validation, "
         r"train; add groups; data\.validation_by = \"row\""),
        (of_groups(1), {}, DataError, "found 1 group"),
    ],
)  # fmt: skip
def test_groups_that_cannot_be_shared_out_are_refused(arrays, part, error, says):
    with pytest.raises(error, match=says):
        drawn(arrays, **part)


def test_named_groups_of_a_ready_split_are_refused():
    ready = {f"{k}_{s}": v for k, v in of_groups(3).items() for s in ("train", "test")}
    ready["group_test"] = np.array(["other"] * 60)
    with pytest.raises(RecipeError, match="groups for test, and the source has a test split"):
        drawn(ready, test_groups=("g1",))


def test_two_groups_are_enough_where_validation_is_taken_by_row():
    source, by_split, _ = drawn(of_groups(2), validation_by="row")
    found = shares.groups(source, by_split)
    assert len(found["test"]) == 1
    assert set(found["train"]) == set(found["validation"]) == {"g0", "g1"} - set(found["test"])


def test_groups_can_be_ignored():
    source, by_split, _ = drawn(of_groups(2), group="")
    assert shares.groups(source, by_split) == {}
    assert len(by_split["test"].rows) == 8


def test_a_class_in_one_group_alone_is_refused_with_its_name_and_group():
    arrays = of_groups(6)
    arrays["y"] = np.where(arrays["group"] == "g2", "rare", "common")
    with pytest.raises(
        DataError, match="class 'rare' in group 'g2' alone, expected it in at least"
    ):
        drawn(arrays)


def test_every_class_is_in_every_split_where_groups_allow_it():
    arrays = of_groups(9)
    arrays["y"] = np.isin(arrays["group"], ["g1", "g5", "g8"]).astype(int)
    for seed in range(20):
        rows = splits.cut(180, arrays["y"], FRACTIONS, seed, arrays["group"])
        for split in ("train", "validation", "test"):
            assert set(arrays["y"][rows[split]]) == {0, 1}, (seed, split)


def test_draws_come_near_to_the_share_and_repeat():
    random = np.random.default_rng(0)
    group = random.integers(0, 40, 3000)
    labels = random.integers(0, 2, (3000, 5))
    for strata in (None, labels[:, 0], labels):
        mask = group_splits.drawn(group, strata, 0.3, seed=1)
        assert abs(mask.mean() - 0.3) < 0.01
        assert np.array_equal(mask, group_splits.drawn(group, strata, 0.3, seed=1))
        assert not np.array_equal(mask, group_splits.drawn(group, strata, 0.3, seed=2))


def test_groups_remain_for_the_splits_to_come():
    group = np.repeat(["a", "b", "c"], [1, 1, 8])
    assert len(np.unique(group[~group_splits.drawn(group, None, 0.9, 0, left=2)])) == 2


def test_groups_of_many_labels_are_split_whole():
    random = np.random.default_rng(0)
    arrays = of_groups(30) | {"y": random.integers(0, 2, (600, 4))}
    source, by_split, _ = drawn(arrays, task="multi-label")
    found = shares.groups(source, by_split)
    assert not set(found["test"]) & {*found["train"], *found["validation"]}
    assert GroupRules().named == {}
