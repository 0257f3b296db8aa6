"""A run as event files of TensorBoard."""

import struct
import sys

import pytest
import run_example
import verdict_examples
from edgestill.errors import HostError, UsageError
from edgestill.pipeline.tracking import to_tensorboard
from edgestill.pipeline.tracking.figures import tracked_of


@pytest.fixture(scope="module")
def report():
    return verdict_examples.judged(run_example.report())


def events(folder):
    """Every event below a folder: a record is its length, a checksum, itself and a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in folder.rglob("*tfevents*"):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event()
            event.ParseFromString(content[at + 12 : at + 12 + length])
            found.append(event)
            at += length + 16
    return found


def scalars(folder):
    return [
        (value.tag, event.step, value.simple_value, event.wall_time)
        for event in events(folder)
        for value in event.summary.value
        if value.HasField("simple_value")
    ]


def test_a_run_has_its_curves_and_figures_once_however_often_it_is_written(report, tmp_path):
    for _ in range(2):
        place = to_tensorboard.record(tmp_path / "2026-01-01", report, tmp_path / "events")
    assert place == tmp_path / "events" / report.name / "2026-01-01"
    tracked, found = tracked_of(report), scalars(tmp_path / "events")
    points = {step: value for tag, step, value, _ in found if tag == "student/loss"}
    expected = {one.epoch: one.value for one in tracked.curves["student/loss"]}
    assert points == pytest.approx(expected)
    assert {*tracked.metrics, *tracked.curves} == {tag for tag, *_ in found}
    assert len(found) == len(tracked.metrics) + sum(map(len, tracked.curves.values()))


def test_the_time_between_two_points_is_that_of_the_training(report, tmp_path):
    to_tensorboard.record(tmp_path / "run", report, tmp_path)
    points = tracked_of(report).curves["teacher/loss"]
    times = [when for tag, _, _, when in scalars(tmp_path) if tag == "teacher/loss"]
    assert times[-1] - times[0] == pytest.approx(points[-1].seconds - points[0].seconds, abs=1e-3)


def test_names_of_the_users_are_no_markup(report, tmp_path):
    named = report.model_copy(update={"recipe": {"data": {"source": "a|b<script>*c*"}}})
    to_tensorboard.record(tmp_path / "run", named, tmp_path)
    texts = [
        value.tensor.string_val[0].decode()
        for event in events(tmp_path)
        for value in event.summary.value
        if value.tensor.string_val
    ]
    assert any("data.source" in text for text in texts)
    assert not any("<script>" in text or "a|b" in text for text in texts)


def test_a_file_is_no_folder_and_a_missing_library_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="expected a folder"):
        to_tensorboard.check(tmp_path / "file")
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(HostError, match=r"edgestill\[tensorboard\]"):
        to_tensorboard.check(tmp_path)
