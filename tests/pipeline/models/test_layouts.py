"""Operations whose gradient lies in memory as their input does."""

from functools import partial

import pytest
import torch
from edgestill.pipeline.models import Signature, build
from edgestill.pipeline.models.layouts import every, image_mean
from edgestill.pipeline.recipe.architecture import Architecture
from torch import nn

LAST = torch.channels_last
READ_TWO = ("ReluBackward0", "HardtanhBackward0", "NativeBatchNormBackward0")
"""They read a gradient beside what the layer was given or gave."""
OPERATIONS = {
    "every second": lambda x, training: every(x, 2, training),
    "every third": lambda x, training: every(x, 3, training),
    "mean": image_mean,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", [LAST, torch.contiguous_format], ids=str)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_values_and_gradient_are_those_of_the_plain_operation(operation, layout, dtype):
    torch.manual_seed(0)
    x = torch.randn(3, 4, 7, 5).to(dtype).contiguous(memory_format=layout)
    outputs, gradients = [], []
    for training in (True, False):
        one = x.clone().requires_grad_()
        output = operation(one, training)
        loss = (output * torch.arange(output.numel()).view_as(output)).sum()
        # Not by `backward`, which puts the gradient of a leaf into the leaf's layout.
        gradients += torch.autograd.grad(loss, one)
        outputs.append(output.detach())
    torch.testing.assert_close(*outputs, rtol=0, atol=0)
    torch.testing.assert_close(*gradients, rtol=0, atol=0)
    assert gradients[0].is_contiguous(memory_format=layout)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_gradients_are_those_of_small_differences(operation):
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: operation(x, True), x)
    assert torch.autograd.gradgradcheck(lambda x: operation(x, True) ** 2, x)


@pytest.mark.parametrize("model", ["resnet8", "mobilenet9", "dscnn2"])
def test_no_layer_of_an_image_network_gets_a_gradient_in_another_layout(model):
    """Of all tensors between layers, also those of functions, which have no hooks of modules."""
    torch.manual_seed(0)
    net = build(Architecture(model=model, width=8), Signature((16, 12, 3), "hwc", 4))
    net = net.to(memory_format=LAST).train()
    output = net(torch.randn(4, 3, 16, 12).contiguous(memory_format=LAST))
    found, seen, left = [], set(), [output.grad_fn]
    while left:
        node = left.pop()
        if node in seen:
            continue
        seen.add(node)
        left += [one for one, _ in node.next_functions if one is not None]
        if node.name() in READ_TWO:
            node.register_prehook(partial(_note, found, node.name()))
    output.sum().backward()
    assert len(found) >= sum(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    assert [name for name, last in found if not last] == []


def _note(found, name, gradients):
    found.append((name, gradients[0].is_contiguous(memory_format=LAST)))
