"""What one output lost, as one figure."""

import pytest
from edgestill.pipeline.records.output_loss import OutputLoss


@pytest.mark.parametrize(
    ("fields", "lost", "damage"),
    [
        ({"measure": "classes", "changed": 8, "relative_error": 0.1}, 0.25, 0.01),
        ({"measure": "equality", "changed": 8}, 0.25, 0.25),
        ({"measure": "numbers", "relative_error": 0.1}, 0.1, 0.01),
        ({"measure": "numbers", "destroyed": "it is 0 in the original"}, 1.0, 1.0),
        ({"measure": "none", "missing": "a sequence or a map"}, 0.0, 0.0),
    ],
)
def test_each_measure_loses_by_its_own_figure(fields, lost, damage):
    found = OutputLoss(name="y", rows=32, **fields)
    assert found.lost == lost
    assert found.damage == pytest.approx(damage)
