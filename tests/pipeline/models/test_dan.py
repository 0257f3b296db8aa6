"""Deep averaging networks."""

import torch
from edgestill.pipeline.models import build, dan, parameters
from edgestill.pipeline.models.signature import Signature
from edgestill.pipeline.recipe.architecture import Architecture

TEXTS = Signature((6,), "tokens", outputs=2, vocabulary=9, pad=0)


def test_the_average_of_a_text_leaves_padding_out():
    torch.manual_seed(0)  # by other weights all of so few hidden units may be negative
    net = build(Architecture(model="dan1", width=4), TEXTS).eval()
    short = torch.tensor([[3, 4, 5]], dtype=torch.int32)
    padded = torch.tensor([[3, 4, 5, 0, 0, 0]], dtype=torch.int32)
    assert torch.allclose(net(short), net(padded), atol=1e-6)
    assert not torch.allclose(net(short), net(torch.tensor([[3, 4, 0]])), atol=1e-4)
    empty = net(torch.zeros(1, 6, dtype=torch.int32))
    assert bool(torch.isfinite(empty).all())


def test_depth_is_the_number_of_hidden_layers():
    one, three = (parameters(build(Architecture(model=f"dan{n}", width=4), TEXTS)) for n in (1, 3))
    assert one == 9 * 4 + (4 * 4 + 4) + (4 * 2 + 2)
    assert three - one == 2 * (4 * 4 + 4)
    assert isinstance(dan.build(2, 4, TEXTS), dan.DAN)
