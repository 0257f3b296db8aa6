"""How numbers become a model's integers and back, and the JSON that says so."""

import numpy as np
import pytest
from edgestill.exporters.scaled import Scaled, Scales, beside

HALF = Scaled("int8", (1, 3), 0.5, -128)


def test_numbers_are_rounded_to_the_nearest_and_kept_in_range():
    found = HALF.as_taken([[0.0, 0.26, 1000.0], [-9.0, 0.24, 127.5]])
    assert found.dtype == np.int8
    assert found.tolist() == [[-128, -127, 127], [-128, -128, 127]]
    assert HALF.as_numbers(found).tolist() == [[0.0, 0.5, 127.5], [0.0, 0.0, 127.5]]
    assert HALF.as_numbers(found).dtype == np.float32


def test_what_has_no_scale_stays_as_it_is():
    ids = Scaled("int32", (1, 2), None, None)
    assert ids.as_taken(np.array([[7, 8]], np.int64)).dtype == np.int32
    assert ids.as_numbers(np.array([[7, 8]])).tolist() == [[7, 8]]


LAST = (0, 2, 3, 1)


@pytest.mark.parametrize("scaled", [("float32", None, None), ("int8", 0.5, -3)])
def test_axes_are_turned_and_turned_back(scaled):
    dtype, scale, zero = scaled
    port = Scaled(dtype, (1, 4, 5, 3), scale, zero, LAST)
    samples = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(np.uint8)
    taken, arranged = port.as_taken(samples), port.arranged(samples)
    assert taken.shape == arranged.shape == (2, 4, 5, 3)
    assert taken.dtype == dtype
    assert arranged.dtype == ("float32" if scale is None else "uint8")
    assert taken.flags.c_contiguous
    np.testing.assert_array_equal(port.in_data_order(arranged), samples)
    plain = Scaled(dtype, (1, 3, 4, 5), scale, zero)
    np.testing.assert_array_equal(taken, plain.as_taken(samples).transpose(LAST))
    assert plain.in_data_order(samples) is samples


def test_the_order_of_axes_stands_in_the_json(tmp_path):
    port = Scaled("uint8", (1, 4, 5, 3), None, None, LAST)
    model, scales = tmp_path / "fp32.tflite", Scales(port, Scaled("float32", (1, 2), None, None))
    scales.write(model)
    assert Scales.read(model) == scales


@pytest.mark.parametrize("output", [HALF, Scaled("float32", (1, 2), None, None)])
def test_the_json_beside_a_model_says_it_again(output, tmp_path):
    model, scales = tmp_path / "int8-static.tflite", Scales(HALF, output)
    assert Scales.read(model) is None
    assert scales.write(model) == tmp_path / "int8-static.json" == beside(model, ".json")
    assert Scales.read(model) == scales
