"""``edgestill.track``: which runs it takes, and what it refuses."""

import pytest
from edgestill.errors import MaterialError, UsageError
from edgestill.pipeline.api.track import track


def test_a_name_means_its_newest_run_and_a_result_has_the_place(workplace):
    found = track("tiny", tensorboard="events")
    assert found.run.parent == (workplace / "artifacts/runs/tiny").relative_to(workplace)
    assert list(found.tensorboard.glob("*tfevents*"))
    assert "events" in repr(found)
    assert found.to_dict()["mlflow"] is None


def test_without_a_place_and_without_a_run_nothing_is_written(workplace):
    with pytest.raises(UsageError, match="expected mlflow or tensorboard"):
        track("tiny")
    with pytest.raises(MaterialError):
        track("tini", tensorboard="events")
    assert list((workplace / "events").iterdir()) == []
