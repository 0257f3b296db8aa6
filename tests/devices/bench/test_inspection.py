"""A model of unknown origin is looked at in a child process."""

from pathlib import Path

import pytest
from edgestill.devices.bench import inspection
from edgestill.devices.onboard.measure.answer import InspectAnswer
from edgestill.devices.onboard.measure.job import InspectJob
from edgestill.devices.onboard.model.cost import Cost
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.settings import DEFAULT_FEED, Feed
from edgestill.devices.place.worker import worker_of
from edgestill.errors import ModelError
from inspected import inspected

X, Y = (Input(name, "tensor(float)", ("n", 8)) for name in "xy")
COST = Cost({"float32": 64}, 64, 256, 96)


@pytest.fixture
def asked(monkeypatch):
    """What the child was asked; it answers at once."""
    calls = []

    def run(job, **limits):
        calls.append((job, limits))
        return InspectAnswer(
            runtime="onnxruntime 1.32.0",
            format="onnx",
            inputs=(X,),
            outputs=(Y,),
            cost=COST,
            cost_missing="why not",
            external_files=("a/b.bin",),
            file_bytes=7,
            training="Dropout acts as in training",
        )

    monkeypatch.setattr(inspection, "run", run)
    return calls


def test_an_inspection_has_what_the_child_answered(asked):
    path = Path("a/m.onnx")
    assert inspection.inspect(path) == inspected(
        path,
        (X,),
        outputs=(Y,),
        cost=COST,
        cost_missing="why not",
        external_files=(Path("a/b.bin"),),
        file_bytes=7,
        runtime="onnxruntime 1.32.0",
        training="Dropout acts as in training",
    )
    job = InspectJob("a/m.onnx", feed=DEFAULT_FEED)
    limits = {"timeout_s": 60.0, "memory_limit_bytes": None, "command": worker_of(job)}
    assert asked == [(job, limits)]


def test_feed_and_limits_reach_the_child(asked):
    feed = Feed(batch=3)
    inspection.inspect(Path("m.onnx"), feed=feed, timeout_s=5.0, memory_limit_bytes=9)
    job = InspectJob("m.onnx", feed=feed)
    limits = {"timeout_s": 5.0, "memory_limit_bytes": 9, "command": worker_of(job)}
    assert asked == [(job, limits)]


def test_a_model_that_acts_as_in_training_is_refused_with_its_path():
    inspected(Path("m.onnx")).check_training()
    with pytest.raises(ModelError, match=r"^m\.onnx: found Dropout acts, expected operators"):
        inspected(Path("m.onnx"), training="Dropout acts").check_training()
