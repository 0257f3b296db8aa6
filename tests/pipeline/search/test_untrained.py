"""Candidates before training: their files have what a training gives them."""

import numpy as np
import pytest
import torch
from edgestill.pipeline.models import deployed
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.search.untrained import _as_if_trained
from small_trainings import DATA, TEXTS


@pytest.mark.parametrize(
    ("model", "data"), [("resnet8", DATA), ("mlp1", DATA), ("dan1", TEXTS), ("transformer1", TEXTS)]
)
def test_no_parameter_is_left_at_zero_and_samples_are_still_normalized_as_before(model, data):
    made = deployed(Architecture(model=model, width=32), data).eval()
    scale = made.scale.clone()
    _as_if_trained(made)
    assert torch.equal(made.scale, scale)
    biases = [one for name, one in made.named_parameters() if name.endswith("bias")]
    assert biases
    assert all(bool(bias.any()) for bias in biases)
    variances = [one for name, one in made.named_buffers() if name.endswith("running_var")]
    assert all(bool((one > 0).all()) for one in variances)
    shape = (2, *data.sample_shape)
    x = torch.from_numpy(np.ones(shape, np.int32 if data is TEXTS else np.float32))
    assert bool(torch.isfinite(made(x)).all())
