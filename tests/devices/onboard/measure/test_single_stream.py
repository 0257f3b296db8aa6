"""One query after the other in this process: the figures and how they are made."""

import numpy as np
import pytest
from edgestill.devices.onboard.measure import energy
from edgestill.devices.onboard.measure.energy import Counter
from edgestill.devices.onboard.measure.job import MeasureJob
from edgestill.devices.onboard.measure.single_stream import measure
from edgestill.devices.onboard.settings import Feed, Timing
from edgestill.errors import ModelError
from onnx_files import dense

TIMING = Timing(0.005, min_queries=20, max_queries=64, warmup_seconds=0.02)


@pytest.fixture
def path(tmp_path):
    return dense(tmp_path / "m.onnx", layers=1, width=8)


def test_every_latency_is_kept_and_the_batches_are_counted(path, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.ones((10, 8), np.float32))
    feed = Feed(str(tmp_path / "x.npz"), batch=4)
    found = measure(MeasureJob(str(path), str(tmp_path / "s.npy"), feed=feed, timing=TIMING))
    samples = np.load(tmp_path / "s.npy", allow_pickle=False)
    assert samples.dtype == np.int64
    assert 20 <= len(samples) == found.queries <= 64
    assert found.feeds == 3
    assert found.providers == ("CPUExecutionProvider",)
    assert len(found.conditions) == 2
    assert [one.name for one in tmp_path.glob("s.npy*")] == ["s.npy"]


def test_energy_is_what_the_counters_moved_by_query(path, tmp_path, monkeypatch):
    readings = iter([(Counter("package", 100, 10_000),), (Counter("package", 6500, 10_000),)])
    monkeypatch.setattr(energy, "read_counters", lambda: next(readings))
    found = measure(MeasureJob(str(path), str(tmp_path / "s.npy"), timing=TIMING))
    assert found.energy_uj == 6400 / found.queries
    assert found.energy_missing is None


def test_counters_that_cannot_be_read_are_a_reason(path, tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "read_counters", lambda: "no counter here")
    found = measure(MeasureJob(str(path), str(tmp_path / "s.npy"), timing=TIMING))
    assert (found.energy_uj, found.energy_missing) == (None, "no counter here")


def test_outputs_that_are_not_finite_are_refused_before_anything_is_timed(path, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.full((1, 8), np.inf, np.float32))
    job = MeasureJob(
        str(path), str(tmp_path / "s.npy"), feed=Feed(str(tmp_path / "x.npz")), timing=TIMING
    )
    with pytest.raises(ModelError, match="8 of 8 values in output 'h1' not finite"):
        measure(job)
    assert not (tmp_path / "s.npy").exists()
