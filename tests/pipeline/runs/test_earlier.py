"""The time of stages in earlier builds of a name: the newest that has one, or none."""

import json

import pytest
from edgestill.pipeline.engine.store import Store
from edgestill.pipeline.runs.earlier import expected_seconds


class Took(Store):
    """A store that says how long entries took, by the beginning of their keys."""

    def __init__(self, seconds):
        self.seconds = seconds

    def took(self, key):
        return self.seconds.get(key)


def run(folder, name, *keys):
    (folder / name).mkdir(parents=True)
    content = {"keys": {f"key-{at}": key for at, key in enumerate(keys)}}
    (folder / name / "manifest.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def store():
    return Took(
        {
            "old-t": ("teacher", 90.0),
            "new-t": ("teacher", 30.0),
            "s1": ("student", 10.0),
            "s2": ("student", 20.0),
            "old-v": ("verify", 5.0),
        }
    )


def test_the_newest_build_counts_and_what_it_lacks_is_of_the_one_before(tmp_path, store):
    run(tmp_path, "2026-01-01", "old-t", "old-v")
    run(tmp_path, "2026-01-02", "new-t", "s1", "s2", "gone")
    stages = ("teacher", "student", "student", "verify", "benchmark")
    assert expected_seconds(tmp_path, stages, store) == (30.0, 15.0, 15.0, 5.0, None)


def test_without_an_earlier_build_nothing_is_known(tmp_path, store):
    assert expected_seconds(tmp_path / "none", ("teacher",), store) == (None,)
    (tmp_path / "2026-01-01").mkdir()
    (tmp_path / "2026-01-01" / "manifest.json").write_text("{", encoding="utf-8")
    assert expected_seconds(tmp_path, ("teacher",), store) == (None,)
    assert expected_seconds(tmp_path, (), store) == ()
