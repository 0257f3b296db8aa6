"""Jobs: data that go through JSON and back."""

from dataclasses import replace

import pytest
from edgestill.devices.onboard.measure.job import (
    InspectJob,
    MeasureJob,
    from_json,
    to_json,
)
from edgestill.devices.onboard.settings import Session
from edgestill.errors import UsageError
from flat_options import flat_job


def test_a_job_survives_its_journey():
    job = flat_job(MeasureJob, "m", "s", shapes={"x": (1, 2)}, batch=4)
    assert from_json(to_json(job)) == job
    assert from_json(to_json(InspectJob("m"))) == InspectJob("m")


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "dance"}', '{"kind": "probe", "extra": 1}'])
def test_a_job_that_is_none_is_refused(text):
    with pytest.raises(UsageError):
        from_json(text)


def test_jobs_are_data_that_cannot_be_changed():
    job = flat_job(MeasureJob, "m.onnx", "samples.npy", seconds=0.01)
    with pytest.raises(AttributeError):
        job.session = Session(threads=2)
    with pytest.raises(AttributeError):
        job.session.threads = 2
    assert replace(job, session=Session(threads=2)).session.threads == 2
