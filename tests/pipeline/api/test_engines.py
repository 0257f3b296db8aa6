"""Which engine a call runs on, and what is refused before anything is started."""

import sys

import pytest
from edgestill.errors import HostError, UsageError
from edgestill.pipeline.api.engines import runner_of
from edgestill.pipeline.engine.runner import IN_PROCESS


def opened(*given):
    with runner_of(*given) as runner:
        return runner


def test_without_an_engine_nothing_of_ray_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert opened("local", None, tmp_path, "r") is IN_PROCESS
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("spark", None), "--engine: found 'spark', expected local or ray"),
        (("local", "a:1"), "--address: found 'a:1' for the local engine"),
    ],
)
def test_what_does_not_go_together_is_refused(given, told, tmp_path):
    with pytest.raises(UsageError, match=told):
        opened(*given, tmp_path, "r")


def test_a_missing_ray_is_answered_by_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(HostError, match=r"ray is not installed; pip install 'edgestill\[ray\]'"):
        opened("ray", None, tmp_path, "r")
