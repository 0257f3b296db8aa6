"""What one thread attains: rates by a clock, and the process that measures them."""

import numpy as np
import pytest
from edgestill.devices.onboard.measure import peaks as attained
from edgestill.devices.onboard.measure.answer import Rate
from edgestill.devices.onboard.measure.job import AttainJob
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.operators.probe import int8_matmul


def test_the_child_that_measures_holds_neither_torch_nor_the_pipeline(tmp_path):
    model = tmp_path / "int8.onnx"
    model.write_bytes(int8_matmul(64, signed=False))
    answer = run(AttainJob(str(model), 1 << 20, side=64, seconds=0.01), timeout_s=60)
    assert answer.bytes_s.repeats >= 10
    assert answer.int8_op_s.best >= answer.int8_op_s.median > 0
    heavy = [
        name
        for name in answer.process.modules
        if name.startswith(("torch", "onnx.", "edgestill.p"))
    ]
    assert heavy == []


def test_a_rate_is_units_by_time_over_the_repeats_that_fit():
    now, naps = [0.0], iter([9.0, *range(1, 12)])  # the first warms up

    def work():
        now[0] += next(naps)

    rate = attained._rate(work, 12, 60.0, clock=lambda: now[0])
    assert rate == Rate(best=12.0, p90=6.0, median=2.0, repeats=11)


@pytest.fixture
def units(monkeypatch):
    """What each repeat is counted as; the work is done once."""
    seen = []

    def rate(work, count, seconds):
        work()
        seen.append((count, seconds))
        return Rate(1.0, 1.0, 1.0, 1)

    monkeypatch.setattr(attained, "_rate", rate)
    return seen


def test_a_copy_counts_what_is_read_and_written(units):
    attained.copy(1 << 16, 0.5)
    # Of an array above 4 MiB a piece is copied at a time.
    attained.copy(8 << 20, 0.5)
    assert units == [(2 << 16, 0.5), (2 * (4 << 20), 0.5)]


@pytest.mark.parametrize("signed", [False, True])
def test_a_multiply_add_is_two_operations(units, tmp_path, signed):
    model = tmp_path / "int8.onnx"
    model.write_bytes(int8_matmul(8, signed=signed))
    attained.sgemm(8, 0.5)
    attained.int8_gemm(model, 8, 0.5)
    assert units == [(2 * 8**3, 0.5)] * 2


def test_the_three_are_measured_and_what_computed_is_named(tmp_path):
    model = tmp_path / "int8.onnx"
    model.write_bytes(int8_matmul(8, signed=False))
    found = attained.measure(AttainJob(str(model), 1 << 16, side=8, seconds=1e-9))
    for rate in (found.bytes_s, found.fp32_flop_s, found.int8_op_s):
        assert rate.repeats == 10
        assert 0 < rate.median <= rate.p90 <= rate.best
    assert found.numpy == np.__version__
    assert found.blas
