"""``[train]``: its devices and what is refused."""

import pytest
from edgestill.pipeline.recipe.train import Train
from pydantic import ValidationError


def test_a_device_is_one_of_four():
    assert Train().device == "auto"
    assert Train(device="mps").device == "mps"
    with pytest.raises(ValidationError, match="'auto', 'cpu', 'cuda' or 'mps'"):
        Train(device="tpu")
