"""What one thread attains: rates by a clock, and the process that measures them."""

from edgestill.devices.onboard.measure import peaks as attained
from edgestill.devices.onboard.measure.job import AttainJob
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.operators.probe import int8_matmul


def test_the_child_that_measures_holds_neither_torch_nor_the_pipeline(tmp_path):
    model = tmp_path / "int8.onnx"
    model.write_bytes(int8_matmul(64, signed=False))
    answer = run(AttainJob(str(model), 1 << 20, side=64, seconds=0.01), timeout_s=60)
    assert answer["bytes_s"]["repeats"] >= 10
    assert answer["int8_op_s"]["best"] >= answer["int8_op_s"]["median"] > 0
    heavy = [
        name for name in answer["modules"] if name.startswith(("torch", "onnx.", "edgestill.p"))
    ]
    assert heavy == []


def test_a_rate_is_units_by_time_over_the_repeats_that_fit():
    now, naps = [0.0], iter([9.0, *range(1, 12)])  # the first warms up

    def work():
        now[0] += next(naps)

    rate = attained._rate(work, 12, 60.0, clock=lambda: now[0])
    assert rate == {"best": 12.0, "p90": 6.0, "median": 2.0, "repeats": 11}
