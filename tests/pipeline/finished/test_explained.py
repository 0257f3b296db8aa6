"""A diagnosis as a result: one screen, a row a layer, the document of the command."""

from dataclasses import replace

from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.diagnose.findings import Advice, Diagnosis, LayerTimes
from edgestill.pipeline.finished.explain import Applied, Explained


def layer(name, fp32_us, int8_us, conversions_us):
    ratio = None if fp32_us is None or int8_us is None else int8_us / fp32_us
    return LayerTimes(
        name, "Conv", fp32_us, int8_us, ratio, conversions_us, 0.0, ("QLinearConv",), "integers"
    )


LAYERS = (
    layer("stem", 10.0, 4.0, 0.5),
    layer("depthwise", 8.0, 20.0, 3.0),
    layer("\x1b[31mhead", None, 5.0, 0.0),
)
FOUND = Diagnosis(
    fp32_us=20.0,
    int8_us=33.0,
    fp32_p50_us=21.0,
    int8_p50_us=34.0,
    fp32_profiled_us=25.0,
    int8_profiled_us=40.0,
    layers=LAYERS,
    quantize_us=2.0,
    dequantize_us=1.5,
    reorders_us=0.0,
    reorders_fp32_us=0.0,
    unfused=(),
    islands=(),
    unjoined=(),
    advice=Advice(("depthwise",), ("depthwise",), ("depthwise_q",), 12.0),
    why=("depthwise takes 20.0 µs in int8 and 8.0 µs in float",),
    runtime="onnxruntime 1.29.0",
    runs=200,
)
EXPLAINED = Explained("a.onnx", "b.onnx", FOUND, None)


def test_a_screen_has_the_slowest_first_why_and_what_to_leave():
    lines = repr(EXPLAINED).splitlines()
    assert lines[0] == "b.onnx: 33.0 µs a query, a.onnx: 20.0 µs"
    assert lines[1] == FOUND.why[0]
    assert lines[3].startswith("depthwise")
    assert lines[3].endswith("leave in float")
    assert "—" in lines[4]
    assert "\x1b" not in repr(EXPLAINED)
    assert max(map(len, lines)) <= 80
    assert "<th" in EXPLAINED._repr_html_()


def test_a_row_a_layer_and_the_document_of_the_command():
    first = EXPLAINED.records()[0]
    assert (first["name"], first["fp32_us"], first["kernels"]) == ("stem", 10.0, "QLinearConv")
    document = EXPLAINED.to_dict()
    assert document["applied"] is None
    assert document["advice"]["nodes"] == ["depthwise_q"]
    assert (EXPLAINED.layers, EXPLAINED.why, EXPLAINED.advice) == (
        LAYERS, FOUND.why, FOUND.advice,
    )  # fmt: skip


def test_what_was_applied_is_said_below():
    one = Estimate(0.8, 0.7, 0.9, "", 9, unit="ratio")
    applied = Applied("c.onnx", ("n",), one, one, one, (), "it is faster", ("other work",))
    found = EXPLAINED.with_applied(applied)
    assert repr(found).splitlines()[-2:] == ["c.onnx: it is faster", "warning: other work"]
    assert found.to_dict()["applied"]["verdict"] == "it is faster"
    unadvised = replace(EXPLAINED, diagnosis=replace(FOUND, advice=None))
    assert "leave in float" not in repr(unadvised)
