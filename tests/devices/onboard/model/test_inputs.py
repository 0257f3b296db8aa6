"""Real inputs: cut into batches, their shapes, what does not fit a model."""

import numpy as np
import pytest
from edgestill.devices.onboard.model.inputs import (
    batch_shapes,
    check_batch,
    complete_shapes,
    load_batches,
    with_real_shapes,
)
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import DataError


@pytest.fixture
def archive(tmp_path):
    def write(samples):
        path = tmp_path / "inputs.npz"
        np.savez(path, x=np.arange(samples, dtype=np.float32).reshape(samples, 1))
        return path

    return write


def test_the_last_batch_begins_again_at_the_front(archive):
    batches = load_batches(archive(5), batch=2)
    assert [batch["x"].ravel().tolist() for batch in batches] == [[0, 1], [2, 3], [4, 0]]


def test_a_batch_larger_than_the_file_repeats_it_and_many_samples_give_64_batches(archive):
    (batch,) = load_batches(archive(2), batch=5)
    assert batch["x"].ravel().tolist() == [0, 1, 0, 1, 0]
    assert len(load_batches(archive(100), batch=1)) == 64


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "inputs.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"expected an \.npz of arrays"):
        load_batches(path, batch=1)


def test_a_bare_array_and_arrays_of_different_lengths_are_refused(tmp_path):
    np.save(tmp_path / "bare.npy", np.ones(3))
    with pytest.raises(DataError, match="cannot be read"):
        load_batches(tmp_path / "bare.npy", batch=1)
    np.savez(tmp_path / "two.npz", x=np.ones(3), y=np.ones(4))
    with pytest.raises(DataError, match="arrays of 3, 4 samples"):
        load_batches(tmp_path / "two.npz", batch=1)


def test_real_inputs_give_a_feed_its_shapes_and_given_shapes_win(tmp_path):
    path = tmp_path / "inputs.npz"
    np.savez(path, x=np.ones((6, 3)), y=np.ones((6, 2)))
    assert batch_shapes(path, 4) == {"x": (4, 3), "y": (4, 2)}
    feed = with_real_shapes(Feed(str(path), batch=4, shapes={"y": (4, 9)}))
    assert feed.shapes == {"x": (4, 3), "y": (4, 9)}
    made_up = Feed(batch=4)
    assert with_real_shapes(made_up) is made_up


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
    with pytest.raises(DataError, match="arrays 'y', expected 'x'"):
        check_batch({"y": np.ones((2, 3), np.float32)}, schema, dtypes, "f.npz")
