"""Multiply-accumulates of a model."""

import torch
from edgestill.pipeline.models.macs import macs_of


def test_layers_are_counted_a_sample_by_hand():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(8 * 5 * 5, 10)
    )
    by_hand = 5 * 5 * 8 * 3 * 3 * 3 + 8 * 5 * 5 * 10
    assert macs_of(net, torch.zeros(2, 3, 5, 5)) == by_hand
    assert macs_of(net, torch.zeros(7, 3, 5, 5)) == by_hand
