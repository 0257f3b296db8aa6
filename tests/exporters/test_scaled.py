"""How numbers become a model's integers and back, and the JSON that says so."""

import numpy as np
import pytest
from edgestill.exporters.scaled import Scaled, Scales, beside

HALF = Scaled("int8", (1, 3), 0.5, -128)


def test_numbers_are_rounded_to_the_nearest_and_kept_in_range():
    found = HALF.as_integers([[0.0, 0.26, 1000.0], [-9.0, 0.24, 127.5]])
    assert found.dtype == np.int8
    assert found.tolist() == [[-128, -127, 127], [-128, -128, 127]]
    assert HALF.as_numbers(found).tolist() == [[0.0, 0.5, 127.5], [0.0, 0.0, 127.5]]
    assert HALF.as_numbers(found).dtype == np.float32


def test_what_has_no_scale_stays_as_it_is():
    ids = Scaled("int32", (1, 2), None, None)
    assert ids.as_integers(np.array([[7, 8]], np.int64)).dtype == np.int32
    assert ids.as_numbers(np.array([[7, 8]])).tolist() == [[7, 8]]


@pytest.mark.parametrize("output", [HALF, Scaled("float32", (1, 2), None, None)])
def test_the_json_beside_a_model_says_it_again(output, tmp_path):
    model, scales = tmp_path / "int8-static.tflite", Scales(HALF, output)
    assert Scales.read(model) is None
    assert scales.write(model) == tmp_path / "int8-static.json" == beside(model, ".json")
    assert Scales.read(model) == scales
