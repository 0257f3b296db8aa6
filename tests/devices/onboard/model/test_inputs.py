"""Real inputs: cut into batches, their shapes, what does not fit a model."""

import numpy as np
import pytest
from edgestill.devices.onboard.model.inputs import (
    batches_from,
    check_batch,
    complete_shapes,
    named_axes,
    read_arrays,
    real_samples,
    resolved,
    shape_text,
)
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.model.samples import Samples
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import DataError, UsageError

X = Input("x", "tensor(float)", ("n", 1))


@pytest.fixture
def archive(tmp_path):
    def write(samples=5, **arrays):
        path = tmp_path / "inputs.npz"
        np.savez(path, x=np.arange(samples, dtype=np.float32).reshape(samples, 1), **arrays)
        return str(path)

    return write


def cut(path, batch, schema=(X,)):
    return batches_from(real_samples(Feed(path, batch), schema), batch)


def test_the_last_batch_begins_again_at_the_front(archive):
    batches = cut(archive(5), 2)
    assert [batch["x"].ravel().tolist() for batch in batches] == [[0, 1], [2, 3], [4, 0]]


def test_a_batch_larger_than_the_file_repeats_it_and_many_samples_give_64_batches(archive):
    (batch,) = cut(archive(2), 5)
    assert batch["x"].ravel().tolist() == [0, 1, 0, 1, 0]
    assert len(cut(archive(100), 1)) == 64


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "inputs.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"expected an \.npz of arrays"):
        read_arrays(path)


def test_a_bare_array_an_empty_archive_and_arrays_of_different_lengths_are_refused(tmp_path):
    np.save(tmp_path / "bare.npy", np.ones(3))
    with pytest.raises(DataError, match="cannot be read"):
        read_arrays(tmp_path / "bare.npy")
    np.savez(tmp_path / "none.npz")
    with pytest.raises(DataError, match="no array"):
        read_arrays(tmp_path / "none.npz")
    np.savez(tmp_path / "two.npz", x=np.ones((3, 1), np.float32), z=np.ones((4, 1), np.float32))
    both = (X, Input("z", "tensor(float)", ("n", 1)))
    with pytest.raises(DataError, match="3 of 'x', 4 of 'z'"):
        real_samples(Feed(str(tmp_path / "two.npz")), both)


def test_names_that_the_model_does_not_take_are_refused_with_all_that_it_takes(archive):
    wide = (X, Input("state", "tensor(float16)", (2, None, 8)), Input("sr", "tensor(int64)", ()))
    with pytest.raises(DataError) as refusal:
        real_samples(Feed(archive()), wide)
    assert refusal.value.found == "the arrays 'x'"
    assert refusal.value.expected == (
        "'x': float of shape (n, 1); 'state': float16 of shape (2, ?, 8); 'sr': int64 of shape ()"
    )
    with pytest.raises(DataError, match="the arrays 'other', 'x'"):
        real_samples(Feed(archive(other=np.ones(5))), (X,))


def test_the_classes_may_stand_in_the_file_and_are_no_input(archive):
    assert set(real_samples(Feed(archive(y=np.zeros(5, np.int64))), (X,))) == {"x"}
    labels = Input("y", "tensor(int64)", ("n",))
    assert set(real_samples(Feed(archive(y=np.zeros(5, np.int64))), (X, labels))) == {"x", "y"}


def test_states_scalars_and_lengths_are_cut_each_in_its_way(archive):
    schema = (
        X,
        Input("state", "tensor(float)", (2, "n", 3)),
        Input("sr", "tensor(int64)", ()),
        Input("lengths", "tensor(int32)", ("n",)),
    )
    state = np.arange(2 * 5 * 3, dtype=np.float32).reshape(2, 5, 3)
    path = archive(state=state, sr=np.int64(16000), lengths=np.arange(5, dtype=np.int32))
    feed = resolved(Feed(path, batch=2), schema)
    assert feed.batch_axes == {"x": 0, "state": 1, "sr": None, "lengths": 0}
    assert feed.shapes == {"x": (2, 1), "state": (2, 2, 3), "sr": (), "lengths": (2,)}
    first, _, last = cut(path, 2, schema)
    assert (first["sr"].shape, first["lengths"].tolist()) == ((), [0, 1])
    np.testing.assert_array_equal(last["state"], state[:, [4, 0]])
    assert last["state"].flags.c_contiguous


def test_a_fixed_first_axis_is_what_a_query_takes_and_another_batch_is_refused(archive):
    fixed = Input("x", "tensor(float)", (4, 1))
    assert [one["x"].shape for one in cut(archive(9), 1, (fixed,))] == [(4, 1), (4, 1)]
    assert resolved(Feed(archive(9)), (fixed,)).rows == {"x": 4}
    with pytest.raises(UsageError, match="a batch of 3, expected 4"):
        real_samples(Feed(archive(9), 3), (fixed,))


def test_named_axes_win_and_one_axis_stands_for_all_but_scalars(archive):
    assert named_axes({"": 1, "a": None}, {"a": 3, "b": 2, "c": 0}) == {
        "a": None, "b": 1, "c": None,
    }  # fmt: skip
    assert named_axes({"a": 2}, {"a": 3, "b": 2}) == {"a": 2}
    steps = Input("x", "tensor(float)", ("t", "n"))
    samples = real_samples(Feed(archive(5), batch_axes={"": 1}), (steps,))
    assert [one["x"].shape for one in batches_from(samples, 1)] == [(5, 1)]


def test_made_up_inputs_stay_as_they_are(archive):
    made_up = Feed(batch=4)
    assert resolved(made_up, (X,)) is made_up
    assert Samples({"x": np.ones((2, 1))}).plain
    assert shape_text(Input("x", "tensor(float)", (None,))) == "(?,)"


IDS, MASK = (Input(name, "tensor(int64)", ("n", "s")) for name in ("ids", "mask"))


def test_the_extent_of_a_symbol_is_requested_once_and_holds_in_all_inputs():
    requests = []

    def extent(port, axis):
        requests.append((port.name, axis))
        return 5

    fixed = Input("x", "tensor(float)", ("n", 3))
    shapes = complete_shapes((IDS, MASK, fixed), Feed(batch=2), extent)
    assert shapes == {"ids": (2, 5), "mask": (2, 5)}
    assert requests == [("ids", 1)]


def test_a_known_shape_gives_its_symbols_and_an_unknown_extent_no_shape():
    def unknown(port, axis):
        return None

    feed = Feed(batch=2, shapes={"ids": (2, 7)})
    assert complete_shapes((IDS, MASK), feed, unknown) == {"ids": (2, 7), "mask": (2, 7)}
    assert complete_shapes((IDS, MASK), Feed(batch=2), unknown) == {}


def test_a_batch_that_fits_is_accepted_and_one_that_would_need_a_cast_is_not():
    schema, dtypes = (Input("x", "tensor(float)", ("n", 3)),), (np.dtype(np.float32),)
    check_batch({"x": np.ones((2, 3), np.float32)}, schema, dtypes, "f.npz")
    for array, found in (
        (np.ones((2, 3)), "float64 of shape"),
        (np.ones((2, 4), np.float32), r"float32 of shape \(2, 4\)"),
        (np.ones(3, np.float32), r"float32 of shape \(3,\)"),
    ):
        with pytest.raises(DataError, match=found) as refusal:
            check_batch({"x": array}, schema, dtypes, "f.npz")
        assert refusal.value.where == "f.npz: 'x'"
    with pytest.raises(DataError, match="arrays 'y', expected 'x': float of shape"):
        check_batch({"y": np.ones((2, 3), np.float32)}, schema, dtypes, "f.npz")


def test_an_empty_axis_is_an_extent_like_any_other():
    past = Input("past", "tensor(float)", ("n", 0, "s"))
    assert complete_shapes((past,), Feed(), lambda _port, _axis: 3) == {"past": (1, 0, 3)}
    assert complete_shapes((past,), Feed(), lambda _port, _axis: 0) == {"past": (1, 0, 0)}
