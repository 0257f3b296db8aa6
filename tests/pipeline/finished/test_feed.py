"""What a finished model is queried with."""

from pathlib import Path

import pytest
from edgestill.errors import UsageError
from edgestill.pipeline.finished.feed import feed


def test_real_inputs_are_a_path_and_generated_ones_have_shapes():
    assert feed(Path("x.npz"), {}, 4, {"x": 0}).inputs == "x.npz"
    generated = feed(None, {"x": (1, 8)}, 1, {})
    assert (generated.inputs, generated.shapes, generated.batch) == (None, {"x": (1, 8)}, 1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ((Path("x.npz"), {"x": (1, 8)}, 1, {}), "--shape with --inputs"),
        ((None, {"x": (1, 0)}, 1, {}), "whole numbers above 0"),
        ((None, {}, 0, {}), "whole numbers above 0"),
    ],
)
def test_what_cannot_be_is_refused(asked, words):
    with pytest.raises(UsageError, match=words):
        feed(*asked)
