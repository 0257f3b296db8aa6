"""Which places a run can be recorded at, and what is said of them."""

from pathlib import Path

import pytest
from edgestill.errors import UsageError
from edgestill.pipeline.tracking.places import Places
from edgestill.pipeline.tracking.track import Recorded, check


def test_an_experiment_without_mlflow_is_refused():
    with pytest.raises(UsageError, match="expected --mlflow with it"):
        check(Places(experiment="x"))


def test_a_place_that_is_checked_can_be_written(tmp_path):
    check(Places(tensorboard=tmp_path / "events"))
    assert (tmp_path / "events").is_dir()


def test_each_place_has_a_line():
    assert Recorded(Path("run"), None, None).lines() == ()
    assert Recorded(Path("run"), "http://host", Path("events")).lines() == (
        "MLflow: http://host",
        "event files: events",
    )
