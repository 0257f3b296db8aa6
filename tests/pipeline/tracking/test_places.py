"""Where a run is to be recorded."""

from pathlib import Path

import pytest
from edgestill.pipeline.tracking.places import Places


@pytest.mark.parametrize(
    ("places", "named"),
    [
        (Places(), False),
        (Places(experiment="x"), False),
        (Places(mlflow="http://host"), True),
        (Places(tensorboard=Path("events")), True),
    ],
)
def test_an_experiment_is_no_place(places, named):
    assert places.named is named
