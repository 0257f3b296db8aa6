"""Batch norm, dropout and ranges over a batch that several processes compute together."""

import pytest
import torch
import torch.nn.functional as F
from edgestill.pipeline.distill.shared_layers import shared_layers
from threads_as_processes import together
from torch import nn

ROWS = 7  # 4 and 3, or 3, 2 and 2
NORMS = {
    "BatchNorm2d": (lambda: nn.BatchNorm2d(5), (ROWS, 5, 6, 4)),
    "channels last": (lambda: nn.BatchNorm2d(5), (ROWS, 5, 6, 4)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(5), (ROWS, 5)),
    "of windows": (lambda: nn.BatchNorm1d(5), (ROWS, 5, 9)),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(5), (ROWS, 5, 2, 3, 2)),
    "without weights": (lambda: nn.BatchNorm1d(5, affine=False), (ROWS, 5)),
    "without statistics": (lambda: nn.BatchNorm1d(5, track_running_stats=False), (ROWS, 5)),
    "cumulative": (lambda: nn.BatchNorm1d(5, momentum=None), (ROWS, 5)),
}


class OfTheUsers(nn.Module):
    """A layer that calls torch's function itself."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5))
        self.register_buffer("running_mean", torch.zeros(5))
        self.register_buffer("running_var", torch.ones(5))

    def forward(self, x):
        of = (self.running_mean, self.running_var)
        return torch.batch_norm(x, self.weight, None, *of, self.training, 0.2, 1e-3, False)


def passed(norm, x, out):
    """Both passes of a layer: outputs, gradients and state behind two batches."""
    for scale in (1.0, 2.0):
        norm.zero_grad()
        x = (x.detach() * scale).requires_grad_()
        y = norm(x)
        y.backward(out)
    gradients = [p.grad for p in norm.parameters()]
    return y.detach(), x.grad, gradients, dict(norm.state_dict())


def samples(shape, layout):
    random = torch.Generator().manual_seed(1)
    x, out = (torch.randn(shape, generator=random) * 3 + 2 for _ in range(2))
    if layout == "channels last":
        x = x.contiguous(memory_format=torch.channels_last)
    return x, out


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("name", [*NORMS, "of the users"])
def test_a_batch_norm_is_that_of_the_whole_batch(name, size):
    make, shape = NORMS.get(name, (OfTheUsers, (ROWS, 5)))
    x, out = samples(shape, name)
    expected_y, expected_x, expected_gradients, expected_state = passed(make(), x, out)

    def one(ranks):
        own = ranks.own(ROWS)
        norm = make()
        with shared_layers(ranks, ROWS):
            return passed(norm, x[own], out[own])

    found = together(size, one)
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(torch.cat([y for y, *_ in found]), expected_y, **close)
    torch.testing.assert_close(torch.cat([g for _, g, *_ in found]), expected_x, **close)
    for place, gradient in enumerate(expected_gradients):
        total = sum(gradients[place] for *_, gradients, _ in found)
        torch.testing.assert_close(total, gradient, rtol=1e-5, atol=1e-4)
    for *_, state in found:
        assert list(state) == list(expected_state)
        for key, value in state.items():
            torch.testing.assert_close(value, expected_state[key], **close)
            assert torch.equal(value, found[0][-1][key]), "all processes have the same bits"


def test_statistics_far_from_zero_do_not_cancel():
    x = torch.randn((8, 3), generator=torch.Generator().manual_seed(0)) * 0.01 + 1000.0
    norm = nn.BatchNorm1d(3, eps=1e-12)
    expected = norm(x)

    def one(ranks):
        with shared_layers(ranks, 8):
            return nn.BatchNorm1d(3, eps=1e-12)(x[ranks.own(8)]).detach()

    torch.testing.assert_close(torch.cat(together(2, one)), expected.detach(), rtol=0, atol=0.02)


def test_a_batch_norm_that_is_frozen_stays_as_it_is():
    norm = nn.BatchNorm1d(5).eval()
    x = torch.randn(ROWS, 5)

    def one(ranks):
        with shared_layers(ranks, ROWS):
            return norm(x[ranks.own(ROWS)]).detach()

    assert torch.equal(torch.cat(together(2, one)), norm(x))


def test_activations_in_bfloat16_have_statistics_in_float32():
    x = torch.randn(ROWS, 5, 6, 6)
    norm = nn.BatchNorm2d(5)

    def one(ranks):
        with shared_layers(ranks, ROWS):
            shared = nn.BatchNorm2d(5)
            y = shared(x[ranks.own(ROWS)].bfloat16())
            return y.detach(), shared.running_var

    found = together(2, one)
    expected = norm(x.bfloat16()).detach()
    assert found[0][0].dtype == torch.bfloat16
    torch.testing.assert_close(torch.cat([y for y, _ in found]), expected, rtol=0.02, atol=0.02)
    torch.testing.assert_close(found[0][1], norm.running_var, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("per_sample", [1, 3])
def test_dropout_drops_of_a_part_what_it_would_drop_of_the_whole(per_sample):
    x = torch.ones(ROWS * per_sample, 4)
    torch.manual_seed(3)
    expected = F.dropout(x, 0.4)
    # One after the other, for threads share torch's random numbers.
    from edgestill.pipeline.engine.ranks import Ranks

    found = []
    for rank in range(2):
        ranks = Ranks(rank, 2)
        own = ranks.own(ROWS)
        torch.manual_seed(3)
        with shared_layers(ranks, ROWS):
            found.append(F.dropout(x[own.start * per_sample : own.stop * per_sample], 0.4))
            after = torch.rand(1)
    assert torch.equal(torch.cat(found), expected)
    torch.manual_seed(3)
    F.dropout(x, 0.4)
    assert torch.equal(after, torch.rand(1))


def test_ranges_reach_over_the_whole_batch_and_those_of_a_channel_stay():
    x = torch.randn(ROWS, 5)

    def one(ranks):
        with shared_layers(ranks, ROWS):
            own = x[ranks.own(ROWS)]
            return torch.aminmax(own), torch.aminmax(own, dim=0)

    for ends, by_channel in together(2, one):
        assert torch.equal(torch.stack(list(ends)), torch.stack(list(torch.aminmax(x))))
        assert by_channel.min.shape == (5,)


def test_a_process_alone_calls_torch_s_own_functions():
    from edgestill.pipeline.engine.ranks import ALONE

    with shared_layers(ALONE, ROWS):
        assert not torch.overrides._get_current_function_mode_stack()
