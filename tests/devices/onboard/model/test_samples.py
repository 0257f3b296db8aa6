"""Real inputs are cut as the model says: fixed batches, states, scalars, lengths."""

import numpy as np
import pytest
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.model.samples import Samples, samples_of
from edgestill.errors import DataError


def port(name, *shape):
    return Input(name, "tensor(float)", shape)


def cut(schema, given=None, **arrays):
    return samples_of(arrays, schema, where="here", given=given)


def shapes(samples, size=4):
    return [{name: array.shape for name, array in feed.items()} for feed in samples.batches(size)]


def test_samples_lie_along_the_first_axis_as_a_rule():
    samples = cut([port("x", "n", 3)], x=np.arange(30).reshape(10, 3))
    assert samples.plain
    assert (samples.count, samples.sizes(4)) == (10, (4, 4, 2))
    assert shapes(samples) == [{"x": (4, 3)}, {"x": (4, 3)}, {"x": (2, 3)}]
    assert np.concatenate([feed["x"] for feed in samples.batches(4)]).ravel().tolist() == [
        *range(30)
    ]


@pytest.mark.parametrize("fixed", [1, 4])
def test_a_fixed_first_axis_is_what_a_query_takes(fixed):
    x = np.arange(10)[:, None]
    samples = cut([port("x", fixed, 1)], x=x)
    assert not samples.plain
    assert shapes(samples, size=32) == [{"x": (fixed, 1)}] * (10 // fixed)
    assert samples.count == 10 // fixed * fixed, "what fills no whole query is not used"
    assert samples.sizes(32) == (fixed,) * (10 // fixed)
    assert samples.first(5).count == max(5 // fixed * fixed, fixed)
    assert samples.first(1).count == fixed


def test_a_state_has_its_samples_along_the_open_axis_and_a_scalar_has_none():
    schema = [port("x", "n", 64), port("state", 2, "n", 8), port("rate")]
    x, state = np.zeros((6, 64)), np.arange(2 * 6 * 8).reshape(2, 6, 8)
    samples = cut(schema, x=x, state=state, rate=np.array(16000))
    assert samples.axes == {"x": 0, "state": 1, "rate": None}
    assert shapes(samples) == [
        {"x": (4, 64), "state": (2, 4, 8), "rate": ()},
        {"x": (2, 64), "state": (2, 2, 8), "rate": ()},
    ]
    last = [*samples.batches(4)][1]["state"]
    assert np.array_equal(last, state[:, 4:])
    assert last.flags.c_contiguous


def test_what_the_model_fixes_whole_is_the_same_in_each_query():
    schema = [port("x", "n", 4), port("table", 3, 4)]
    samples = cut(schema, x=np.zeros((6, 4)), table=np.ones((3, 4)))
    assert samples.axes == {"x": 0, "table": None}
    assert shapes(samples)[1] == {"x": (2, 4), "table": (3, 4)}
    assert samples.first(2).count == 2
    assert samples.first(2)["table"].shape == (3, 4)


def test_one_input_fixed_and_another_open_go_together():
    schema = [port("x", "n", 4), port("mask", 1, 4)]
    samples = cut(schema, x=np.zeros((6, 4)), mask=np.ones((6, 4)))
    assert shapes(samples, 32) == [{"x": (1, 4), "mask": (1, 4)}] * 6


def test_fixed_inputs_of_different_lengths_make_as_many_queries():
    schema = [port("x", 1, 4), port("state", 2, 8)]
    samples = cut(schema, x=np.zeros((6, 4)), state=np.zeros((2, 8)))
    assert shapes(samples) == [{"x": (1, 4), "state": (2, 8)}] * 6
    both = cut(schema, x=np.zeros((6, 4)), state=np.zeros((12, 8)))
    assert shapes(both) == [{"x": (1, 4), "state": (2, 8)}] * 6


def test_a_rank_that_the_model_does_not_say_is_open():
    assert shapes(cut([port("x")], x=np.zeros((5, 2)))) == [{"x": (4, 2)}, {"x": (1, 2)}]


def test_the_user_can_name_axes():
    schema = [port("x", "n", "m"), port("y", "a", "b")]
    samples = cut(schema, {"x": 1, "y": None}, x=np.zeros((2, 5)), y=np.zeros((7, 7)))
    assert shapes(samples) == [{"x": (2, 4), "y": (7, 7)}, {"x": (2, 1), "y": (7, 7)}]


@pytest.mark.parametrize(
    ("schema", "given", "arrays", "said"),
    [
        ([port("x", "n"), port("y", "n")], {}, {"x": 3, "y": 4}, "3 of 'x', 4 of 'y'"),
        ([port("x", "n")], {}, {"x": 0}, "at least one"),
        ([port("x", 4)], {}, {"x": 3}, "3 samples of 'x', expected at least 4"),
        ([port("x", 1), port("y", 2)], {}, {"x": 6, "y": 8}, "6 of 'x', 8 of 'y'"),
        ([port("x", "n")], {"x": 1}, {"x": 3}, "axis 1 of 'x', of shape (3,)"),
        ([port("x", "n")], {"z": 0}, {"x": 3}, "an axis of samples for 'z', expected one of 'x'"),
    ],
)
def test_arrays_that_make_no_queries_are_refused(schema, given, arrays, said):
    with pytest.raises(DataError) as refusal:
        cut(schema, given, **{name: np.zeros(length) for name, length in arrays.items()})
    assert said in str(refusal.value)


def test_a_mapping_is_as_good():
    assert shapes(Samples({"x": np.zeros((3, 2))}), 2) == [{"x": (2, 2)}, {"x": (1, 2)}]
    assert dict(Samples({"x": np.zeros(3)})).keys() == {"x"}
    assert len(Samples({"x": np.zeros(3), "y": np.zeros(3)})) == 2
