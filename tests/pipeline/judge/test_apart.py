"""How far answers are apart, whatever they are."""

import numpy as np
import pytest
from edgestill.pipeline.judge.apart import apart, flat, relative

INF = np.float32([1.0, -np.inf, np.nan])


def test_what_is_infinite_or_nan_in_both_is_the_same():
    assert apart(INF, INF) == (0.0, 0)
    assert apart(INF, np.float32([1.5, -np.inf, np.nan])) == (0.5, 0)
    assert apart(INF, np.float32([1.0, np.inf, 3.0])) == (0.0, 2)


def test_parts_of_sequences_and_maps_are_named_after_them():
    found = flat({"s": [np.ones(2), np.zeros(3)], "m": [{"a": 1.0}], "y": np.float32(4)})
    assert list(found) == ["s[0]", "s[1]", "m[0][a]", "y"]
    assert found["m[0][a]"].shape == ()


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        ([2.0, -4.0], [2.0, -3.0], 0.25),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([0.0, 0.0], [0.0, 1e-9], 1.0),
        ([1.0, 2.0], [1.0], 1.0),
        ([1.0, 2.0], [1.0, np.inf], 1.0),
        (["a", "b"], ["a", "b"], 0.0),
        (["a", "b"], ["a", "c"], 1.0),
        ([True, False], [True, True], 1.0),
    ],
)
def test_a_difference_is_a_share_of_the_largest_value(a, b, share):
    assert relative(np.array(a), np.array(b)) == share


def test_the_largest_difference_is_of_either_sign_and_only_of_finite_values():
    assert apart(np.float32([1, 5, np.inf]), np.float32([3, 4, np.inf])) == (2.0, 0)
    assert apart(np.float32([3, 5]), np.float32([1, 6])) == (2.0, 0)
    assert apart(np.float32([]), np.float32([])) == (0.0, 0)
    assert apart(np.float32([np.nan, 1]), np.float32([np.inf, 1])) == (0.0, 1)
    assert apart(np.array(["a", "b"], object), np.array(["a", "c"], object)) == (1.0, 0)
    # In half precision the difference would overflow.
    assert apart(np.float16([-60000]), np.float16([60000])).largest == 120000.0


def test_a_share_is_of_the_largest_finite_value_of_the_first():
    assert relative(np.float32([2, np.inf]), np.float32([1, np.inf])) == 0.5
    assert relative(np.float32([-8, 1]), np.float32([-8, 3])) == 0.25
    assert relative(np.float32([np.inf]), np.float32([np.inf])) == 0.0
    assert relative(np.zeros((2, 3)), np.zeros((3, 2))) == 1.0


def test_arrays_of_maps_and_nested_sequences_keep_their_values():
    found = flat({"m": {"a": [1.0, 2.0]}, "n": [[np.ones(1)], [np.zeros(2)]]})
    assert {name: array.tolist() for name, array in found.items()} == {
        "m[a][0]": 1.0, "m[a][1]": 2.0, "n[0][0]": [1.0], "n[1][0]": [0.0, 0.0],
    }  # fmt: skip
