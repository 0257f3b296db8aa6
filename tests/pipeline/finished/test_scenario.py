"""The load that options choose, and options that it does not use."""

import pytest
from edgestill.errors import UsageError
from edgestill.pipeline.finished.scenario import SINGLE_STREAM, Chosen, choose, flag


def test_only_the_scenarios_own_options_are_kept():
    assert choose(SINGLE_STREAM, {"rate": None, "loadgen": False}, ()) == Chosen(SINGLE_STREAM, {})
    assert choose("sustained", {"duration": 2.0}, ()).options == {"duration": 2.0}
    assert flag("deadline_ms") == "--deadline-ms"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("single-stream", {"rate": 3.0}), "--rate with --scenario single-stream.*server"),
        (("offline", {"streams": 2}), "--streams with.*multi-stream or server"),
        (("server", {"rate": 1.0, "loadgen": True}), "--loadgen.*single-stream"),
        (("threads", {"deadline_ms": 1.0}), "--deadline-ms with --scenario threads"),
        (("server", {}), "--scenario server without --rate; add --rate N: queries a second"),
    ],
)
def test_options_that_a_scenario_does_not_use_are_refused(asked, words):
    with pytest.raises(UsageError, match=words):
        choose(*asked, given=())
