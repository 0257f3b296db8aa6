"""Masks of padding, which ncnn cannot compare, as look-ups in a table of ones and zeros."""

import pytest
import torch
from edgestill.exporters.converters.ncnn_masks import with_masks_as_numbers
from edgestill.pipeline.models.signature import Signature
from edgestill.pipeline.models.transformer import Transformer

IDS = torch.tensor([[4, 9, 2, 0, 0], [1, 1, 0, 0, 0]], dtype=torch.int32)


def captured(net):
    return torch.export.export(net.eval(), (IDS,)).module(check_guards=False)


def operators(graph):
    return {str(node.target) for node in graph.graph.nodes if node.op == "call_function"}


def test_a_transformer_answers_as_before_without_a_comparison():
    torch.manual_seed(0)
    net = Transformer(1, 8, Signature((5,), "tokens", 3, 12, 0))
    graph = captured(net)
    assert "aten.ne.Scalar" in operators(graph)
    changed = with_masks_as_numbers(graph)
    assert not operators(changed) & {"aten.ne.Scalar", "aten.bitwise_not.default", "aten.to.dtype"}
    with torch.no_grad():
        torch.testing.assert_close(changed(IDS), net(IDS))


class Counted(torch.nn.Module):
    """How many of the ids are padding, beside what they mean."""

    def __init__(self, pad, looked_up):
        super().__init__()
        self.pad, self.looked_up = pad, looked_up
        self.table = torch.nn.Embedding(12, 2)

    def forward(self, ids):
        padding = (ids == self.pad).to(torch.float32).sum(1, keepdim=True)
        return self.table(ids).sum(1) + padding if self.looked_up else padding


@pytest.mark.parametrize("pad", [0, 1, 9])
def test_the_id_that_is_compared_with_is_the_tables_own(pad):
    torch.manual_seed(0)
    net = Counted(pad, looked_up=True)
    changed = with_masks_as_numbers(captured(net))
    assert "aten.eq.Scalar" not in operators(changed)
    with torch.no_grad():
        torch.testing.assert_close(changed(IDS), net(IDS))


def test_ids_of_no_known_number_are_left_as_they_are():
    net = Counted(0, looked_up=False)
    changed = with_masks_as_numbers(captured(net))
    assert "aten.eq.Scalar" in operators(changed)
