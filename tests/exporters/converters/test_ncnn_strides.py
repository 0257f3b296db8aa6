"""Slices with a step, which ncnn lacks, as pools of one pixel."""

import pytest
import torch
from edgestill.exporters.converters.ncnn_strides import with_steps_as_pools

IMAGES = torch.randn(1, 3, 7, 8, generator=torch.Generator().manual_seed(0))


class Sliced(torch.nn.Module):
    def __init__(self, cut):
        super().__init__()
        self.cut = cut

    def forward(self, x):
        return -self.cut(x * 2)


def changed(cut):
    net = Sliced(cut)
    graph = torch.export.export(net, (IMAGES,)).module(check_guards=False)
    found = with_steps_as_pools(graph)
    torch.testing.assert_close(found(IMAGES), net(IMAGES), rtol=0, atol=0)
    return {str(node.target) for node in found.graph.nodes if node.op == "call_function"}


@pytest.mark.parametrize(
    "cut",
    [lambda x: x[:, :, ::2, ::2], lambda x: x[:, :, :, ::3], lambda x: x[:, :, 0:7:2]],
    ids=["both", "columns", "rows"],
)
def test_every_so_manieth_row_and_column_is_pooled(cut):
    operators = changed(cut)
    assert "aten.max_pool2d.default" in operators
    assert "aten.slice.Tensor" not in operators


@pytest.mark.parametrize(
    "cut",
    [lambda x: x[:, :, 1::2], lambda x: x[:, ::2], lambda x: x[:, :, :6:2], lambda x: x[..., 2:]],
    ids=["another start", "channels", "another end", "no step"],
)
def test_other_slices_stay_as_they_are(cut):
    operators = changed(cut)
    assert "aten.slice.Tensor" in operators
    assert "aten.max_pool2d.default" not in operators
