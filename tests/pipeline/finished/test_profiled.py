"""Operators as a result: the slowest on a screen, a row an operator, predictions marked."""

import operators_example as example
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.finished.profiled import Profiled
from edgestill.pipeline.records import Predicted


def test_a_screen_has_the_slowest_of_each_model_and_the_frame_all():
    record = example.residual()
    other = record.model_copy(update={"name": "int8"})
    found = Profiled((record, other), ())
    lines = repr(found).splitlines()
    assert lines[0] == "2 models, operator by operator"
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "layers.1.conv2" in repr(found)
    assert len(found.records()) == 2 * len(record.operators)
    assert found.records()[0]["model"] == "fp32"
    assert found["int8"] is other
    with pytest.raises(KeyError):
        found["fp16"]
    document = found.to_dict()
    assert document["models"][0]["operators"][2]["after"] == [1]
    assert document["models"][0]["types"][0]["op"] == "Conv"


def test_a_prediction_is_marked_wherever_it_is_shown():
    figure = Estimate(2.0, 1.0, 3.0, "a roofline", 0, None, "ms", "predicted")
    predicted = Predicted(
        name="m", target="pi", device="Pi", threads=1, p50_ms=figure, call_us=1.0, spread=0.3,
        unroofed=0,
    )  # fmt: skip
    found = Profiled((example.residual(),), (predicted,))
    assert repr(found).splitlines()[0].endswith("PREDICTED, never measured")
    assert found.records() == [
        {
            "name": "m", "target": "pi", "what": "PREDICTED",
            "p50_ms": 2.0, "p50_ms_low": 1.0, "p50_ms_high": 3.0,
        }
    ]  # fmt: skip
