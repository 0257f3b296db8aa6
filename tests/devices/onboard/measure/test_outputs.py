"""Which outputs are refused before a model is timed."""

import numpy as np
import pytest
from edgestill.devices.onboard.measure.outputs import check_finite
from edgestill.errors import ModelError


def test_finite_numbers_integers_texts_and_sequences_are_fine():
    outputs = [
        np.array([1.0, -2.0], np.float16),
        np.array([2**31], np.int64),
        np.array(["nan"], dtype=object),
        [{"nan": float("nan")}],
    ]
    check_finite(outputs, ["a", "b", "c", "d"], "m.onnx")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_refusal_counts_the_values_and_names_the_output(value):
    outputs = [np.zeros(3), np.array([[1.0, value], [value, 2.0]], np.float32)]
    with pytest.raises(ModelError, match="2 of 4 values in output 'scores' not finite") as refusal:
        check_finite(outputs, ["logits", "scores"], "m.onnx")
    assert refusal.value.where == "m.onnx"


def test_a_bare_number_is_an_output_too():
    with pytest.raises(ModelError, match="1 of 1 values"):
        check_finite([np.float64(np.inf)], ["y"], "m.onnx")
