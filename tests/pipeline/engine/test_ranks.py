"""What the processes of a training exchange: outputs, gradients and any value."""

import pytest
import torch
from edgestill.pipeline.engine.ranks import ALONE, LostError, Ranks, ShareEndedError, current
from threads_as_processes import together


@pytest.mark.parametrize("count", [1, 2, 64, 65, 67])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_each_sample_of_a_batch_is_one_process_s_and_parts_differ_by_one(count, size):
    parts = [Ranks(rank, size).own(count) for rank in range(size)]
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(count))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1


def test_gathered_outputs_are_whole_and_only_own_samples_pass_a_gradient_on():
    x = torch.arange(10.0).reshape(5, 2)

    def one(ranks):
        own = x[ranks.own(5)].clone().requires_grad_()
        whole = ranks.gather(own, 5)
        whole.square().sum().backward()
        return whole.detach(), own.grad

    (first, first_grad), (second, second_grad) = together(2, one)
    assert torch.equal(first, x)
    assert torch.equal(second, x)
    assert torch.equal(torch.cat([first_grad, second_grad]), 2 * x)


def test_gradients_are_summed_in_their_own_layout_and_dtype():
    def one(ranks):
        shape = torch.nn.Parameter(
            torch.ones(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
        )
        other, none = (torch.nn.Parameter(torch.ones(3).double()) for _ in range(2))
        gradient = torch.arange(96.0).reshape(2, 3, 4, 4) * (ranks.rank + 1)
        shape.grad = gradient.contiguous(memory_format=torch.channels_last)
        other.grad = torch.full((3,), 1.0 + ranks.rank, dtype=torch.float64)
        ranks.add_gradients([shape, other, none])
        return shape.grad, other.grad, none.grad

    for shape, other, none in together(3, one):
        assert torch.equal(shape, torch.arange(96.0).reshape(2, 3, 4, 4) * 6)
        assert shape.is_contiguous(memory_format=torch.channels_last)
        assert other.tolist() == [6.0, 6.0, 6.0]
        assert none is None


def test_any_value_goes_to_all_and_from_the_first():
    found = together(3, lambda ranks: (ranks.all("x" * ranks.rank), ranks.of_first(ranks.rank)))
    assert found == [(["", "x", "xx"], 0)] * 3


def test_a_process_alone_exchanges_nothing():
    tensor = torch.ones(3)
    assert current() is ALONE
    assert ALONE.gather(tensor, 3) is tensor
    assert ALONE.all(7) == [7]
    ALONE.part()
    with pytest.raises(ShareEndedError):
        Ranks(1, 2).part()


def test_a_process_that_is_gone_is_an_error_of_ours():
    class Gone:
        def allreduce(self, tensors):
            raise RuntimeError(
                "[/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:4711. "
                "This is typically caused by a remote worker crashing."
            )

    with pytest.raises(LostError, match=r"\(Connection closed by peer .*:4711\), exp") as lost:
        Ranks(0, 2, Gone()).add(torch.ones(1))
    assert lost.value.exit_code == 4
    assert "goes on from the last checkpoint" in str(lost.value)
