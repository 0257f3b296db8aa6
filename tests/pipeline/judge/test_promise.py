"""The confidence of every interval of a verdict, from the one error rate that it promises."""

import pytest
from edgestill.pipeline.judge import promise


def test_the_error_of_one_in_a_hundred_is_shared_by_the_files_that_could_ship():
    assert promise.ERROR_RATE == 0.01
    assert promise.confidence(1) == 0.99
    assert promise.confidence(8) == pytest.approx(0.99875)
    assert 8 * (1 - promise.confidence(8)) == pytest.approx(0.01)


def test_a_verdict_about_nothing_promises_nothing():
    with pytest.raises(ValueError, match="0 files"):
        promise.confidence(0)
