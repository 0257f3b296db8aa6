"""The JSON beside a microcontroller's model: its arena, and what its integers mean."""

import pytest
from edgestill.exporters.microcontroller import Needs
from edgestill.exporters.scaled import Scaled, Scales, beside

HALF = Scaled("int8", (1, 3), 0.5, -128)


@pytest.mark.parametrize("output", [HALF, Scaled("float32", (1, 2), None, None)])
def test_the_json_beside_a_model_says_it_again(output, tmp_path):
    model = tmp_path / "int8-static.micro.tflite"
    needs = Needs(2224, "tflite-micro 0.1", HALF, output)
    assert beside(model, ".json").name == "int8-static.micro.json"
    needs.write(beside(model, ".json"))
    assert Needs.read(model) == needs
    assert Scales.read(model) == Scales(HALF, output)
