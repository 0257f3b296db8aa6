"""What models are queried with, as parameters say."""

from pathlib import Path

import numpy as np
import pytest
from edgestill.errors import UsageError
from edgestill.pipeline.api.queries import queried


def test_arrays_are_a_file_as_long_as_they_are_used():
    x = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    with queried({"x": x}, None, 2, {"x": 0}) as feed:
        path = Path(feed.inputs)
        with np.load(path) as stored:
            assert np.array_equal(stored["x"], x)
        assert (feed.batch, feed.batch_axes) == (2, {"x": 0})
    assert not path.exists()


def test_a_path_stays_and_shapes_are_numbers():
    with queried("x.npz", None, 1, None) as feed:
        assert feed.inputs == "x.npz"
    with queried(None, {"x": [1, np.int64(8)]}, 1, None) as feed:
        assert (feed.inputs, feed.shapes) == (None, {"x": (1, 8)})


@pytest.mark.parametrize(
    "asked", [("x.npz", {"x": (1,)}, 1, None), (None, {"x": (0,)}, 1, None), (None, None, 0, None)]
)
def test_what_cannot_be_is_refused(asked):
    with pytest.raises(UsageError), queried(*asked):
        pass
