"""Predictions for several files; the model behind them is tested in devices/operators."""

from edgestill.devices.profiles.profile import load
from edgestill.pipeline.judge.predictions import predictions, timed
from edgestill.pipeline.records import OperatorTime


def test_a_file_that_cannot_be_predicted_has_a_record_with_the_reason():
    target = load("raspberry-pi-4")
    (file,) = predictions(["fp32"], [], {}, "no figures of this machine", target, threads=2)
    assert (file.name, file.target, file.threads) == ("fp32", "raspberry-pi-4", 2)
    assert (file.p50_ms.value, file.p50_ms.kind) == (None, "unknown")
    assert file.p50_ms.missing


def test_operators_are_taken_with_their_work():
    operator = OperatorTime(
        name="conv1", op="FusedConv", family="Conv", fused=(), calls=2.0, us=10.0, share=0.5,
        type="float32", macs=1000, operations=2000, parameters=10, bytes=500, roof_us=5.0,
    )  # fmt: skip
    (one,) = timed([operator])
    assert (one.family, one.us, one.calls) == ("Conv", 10.0, 2.0)
    assert (one.work.operations, one.work.bytes) == (2000, 500)
