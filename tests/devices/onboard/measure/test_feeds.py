"""Batches for a model: real ones where there are some, else made up."""

import numpy as np
import pytest
from edgestill.devices.onboard.measure.feeds import batches_of, real_batches
from edgestill.devices.onboard.model.inputs import resolved
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import DataError

SCHEMA = (Input("x", "tensor(float)", ("n", 3)),)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "inputs.npz"
    np.savez(path, x=np.arange(12, dtype=np.float32).reshape(4, 3))
    return path


def test_without_real_inputs_one_batch_is_made_up():
    assert real_batches(Feed()) is None
    (batch,) = batches_of(Feed(batch=5), SCHEMA)
    assert batch["x"].shape == (5, 3)
    assert batch["x"].dtype == np.float32


def test_real_inputs_are_the_batches(archive):
    first, second = batches_of(Feed(str(archive), batch=2), SCHEMA)
    assert first["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert second["x"].tolist() == [[6, 7, 8], [9, 10, 11]]


def test_batches_that_were_read_before_are_not_read_again(archive):
    feed = resolved(Feed(str(archive), batch=4), SCHEMA)
    real = real_batches(feed)
    archive.unlink()
    assert batches_of(feed, SCHEMA, real) is real


def test_what_only_the_model_can_tell_waits_for_it(archive):
    feed = Feed(str(archive))
    assert real_batches(feed) is None
    (fixed,) = batches_of(feed, (Input("x", "tensor(float)", (4, 3)),))
    assert fixed["x"].shape == (4, 3)


def test_real_inputs_that_do_not_fit_are_refused_with_their_file(archive):
    with pytest.raises(DataError, match=r"found float32 of shape \(1, 3\)") as refusal:
        batches_of(Feed(str(archive)), (Input("x", "tensor(float)", ("n", 4)),))
    assert refusal.value.where == f"{archive}: 'x'"


@pytest.mark.parametrize(("length", "lengths"), [("t", [2, 3]), (None, [2, 3]), (5, [5, 5])])
def test_a_text_is_as_long_as_it_is_where_the_model_takes_any_length(tmp_path, length, lengths):
    texts = np.array([[7, 8, 0, 0, 0], [7, 8, 9, 0, 0]])
    path, schema = tmp_path / "texts.npz", (Input("x", "tensor(int64)", ("n", length)),)
    np.savez(path, x=texts)
    feed = Feed(str(path), pad=0)
    found = [batch["x"].shape[1] for batch in batches_of(feed, schema)]
    assert found == lengths
    own = resolved(feed, schema)
    assert own.shapes == {"x": (1, lengths[0])}
    assert [batch["x"].shape[1] for batch in real_batches(own)] == lengths
