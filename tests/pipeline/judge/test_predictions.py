"""Predictions for several files; the model behind them is tested in devices/operators."""

import math

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.operators.prediction import predict
from edgestill.devices.operators.roofline import Bounds, Machine, machine_of
from edgestill.devices.profiles.profile import load
from edgestill.pipeline.judge.predictions import predicted, predictions, timed
from edgestill.pipeline.records import OperatorsRecord, OperatorTime


def test_a_file_that_cannot_be_predicted_has_a_record_with_the_reason():
    target = load("raspberry-pi-4")
    (file,) = predictions(["fp32"], [], {}, "no figures of this machine", target, threads=2)
    assert (file.name, file.target, file.threads) == ("fp32", "raspberry-pi-4", 2)
    assert (file.p50_ms.value, file.p50_ms.kind) == (None, "unknown")
    assert file.p50_ms.missing


CONV = OperatorTime(
    name="c", op="Conv", family="Conv", fused=(), calls=1.0, us=900.0, share=1.0, type="float32",
    macs=1_000_000, operations=2_000_000, parameters=1, bytes=500, roof_us=None,
)  # fmt: skip
UNCOUNTED = CONV.model_copy(update={"operations": None, "bytes": None, "us": 100.0})


def record(name):
    return OperatorsRecord(
        name=name, runtime="r", threads=1, runs=9, query_us=1.0, p50_us=1.0, profiled_us=1.0,
        operators=(CONV, UNCOUNTED), unplaced_macs=0, roof=None, roof_missing="x",
    )  # fmt: skip


def machine(factor=1.0, cores=4):
    ours = Machine("here", 10e9 * factor, 40e9 * factor, 4e9 * factor, cores, 1e9 * factor)
    return Bounds(ours, ours, ours)


def test_a_machine_of_half_the_figures_is_predicted_to_take_twice_as_long():
    found = predicted(record("m"), 5.0, machine(), machine(0.5), target_name="board", threads=8)
    once = predict(timed(record("m").operators), machine(), machine(0.5), threads=8)
    assert (found.name, found.target, found.device) == ("m", "board", "here")
    assert found.threads == 4, "no more than there are cores"
    figure = found.p50_ms
    assert (figure.value, figure.low, figure.high) == pytest.approx(
        (10.0, 5.0 * once.low, 5.0 * once.high)
    )
    assert (figure.n, figure.unit, figure.kind) == (0, "ms", "predicted")
    assert (found.call_us, found.spread, found.unroofed) == (once.call_us, once.spread, 1)
    assert figure.method.startswith(
        "PREDICTED, not measured: 2 operators at the roofline of board over their efficiencies on "
        "here, 4 cores at 0.8 each; the band is 90%"
    )
    assert f"within a factor of {math.exp(once.spread):.2f}, with the figures" in figure.method


@pytest.mark.parametrize(("threads", "cores", "told"), [(1, 4, False), (2, 4, True), (2, 1, False)])
def test_more_cores_than_one_are_named(threads, cores, told):
    target = machine(cores=cores)
    found = predicted(record("m"), 5.0, machine(), target, target_name="b", threads=threads)
    assert ("cores at" in found.p50_ms.method) == told


def test_each_file_is_predicted_or_says_why_it_is_not():
    target = load("raspberry-pi-4")
    medians = {"fp32": 2.0, "untimed": 2.0, "zero": 0.0}
    records = [record("fp32"), record("zero"), record("no median")]
    names = ["untimed", "fp32", "zero", "no median"]
    found = predictions(names, records, medians, machine(), target, threads=2)
    assert [file.name for file in found] == names
    known = [file for file in found if file.p50_ms.value is not None]
    assert [file.name for file in known] == ["fp32"]
    assert known[0].p50_ms.value == pytest.approx(
        2.0 * predict(timed([CONV, UNCOUNTED]), machine(), machine_of(target), threads=2).ratio
    )
    for file in found:
        assert (file.target, file.device, file.threads) == (target.name, target.title, 2)
        if file not in known:
            assert file.p50_ms == Estimate.unknown(
                "its operators were not timed here", "PREDICTED", unit="ms"
            )
            assert (file.call_us, file.spread, file.unroofed) == (0.0, 0.0, 0)
    (none,) = predictions(["fp32"], records, medians, "no figures", target, threads=2)
    assert none.p50_ms.missing == "no figures"


def test_operators_are_taken_with_their_work():
    operator = OperatorTime(
        name="conv1", op="FusedConv", family="Conv", fused=(), calls=2.0, us=10.0, share=0.5,
        type="float32", macs=1000, operations=2000, parameters=10, bytes=500, roof_us=5.0,
    )  # fmt: skip
    (one,) = timed([operator])
    assert (one.family, one.us, one.calls) == ("Conv", 10.0, 2.0)
    assert (one.work.operations, one.work.bytes) == (2000, 500)
