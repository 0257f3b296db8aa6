"""Learning rates, fused steps, the average of weights, and a checkpoint of all of it."""

import numpy as np
import pytest
import torch
from edgestill.pipeline.distill import checkpoint
from edgestill.pipeline.distill.optimizer import Average, optimizer_of, put_back, set_rate, state_of
from edgestill.pipeline.recipe.training import Schedule
from torch import nn

BOTH = pytest.mark.parametrize("name", ["adamw", "sgd"])


def net(seed=0):
    """Convolutions in the memory format they train in."""
    torch.manual_seed(seed)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 9, 2),
    )
    return layers.to(memory_format=torch.channels_last)


def stepped(model, optimizer, seed):
    x = torch.randn(8, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    model(x).pow(2).mean().backward()
    optimizer.step()


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


# --- learning rate ----------------------------------------------------------------------------


def rates(schedule, total):
    """Learning rate and momentum of every step, as ``set_rate`` sets them."""
    optimizer = optimizer_of([nn.Parameter(torch.zeros(1))], schedule)
    found = []
    for step in range(total):
        set_rate(optimizer, schedule, step, total)
        (group,) = optimizer.param_groups
        found.append((group["lr"], group["betas"][0] if "betas" in group else group["momentum"]))
    return np.array(found)


@BOTH
@pytest.mark.parametrize("total", [7, 10, 100, 333])
def test_one_cycle_is_that_of_torch(name, total):
    schedule = Schedule(optimizer=name, learning_rate=0.3)
    optimizer = optimizer_of([nn.Parameter(torch.zeros(1))], schedule)
    (group,) = optimizer.param_groups
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.3, total_steps=total)
    expected = []
    for step in range(total):
        expected.append((group["lr"], group["betas"][0] if "betas" in group else group["momentum"]))
        optimizer.step()
        if step < total - 1:
            theirs.step()
    np.testing.assert_allclose(rates(schedule, total), expected, rtol=1e-9, atol=1e-12)


@BOTH
@pytest.mark.parametrize("total", [1, 10, 333])
def test_cosine_is_that_of_torch(name, total):
    schedule = Schedule(optimizer=name, learning_rate=0.3, schedule="cosine")
    optimizer = optimizer_of([nn.Parameter(torch.zeros(1))], schedule)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total)
    expected = []
    for _ in range(total):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    found = rates(schedule, total)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-7, atol=1e-12)
    assert set(found[:, 1]) == {0.9}


@BOTH
@pytest.mark.parametrize("total", [1, 10, 333])
def test_linear_is_that_of_torch(name, total):
    schedule = Schedule(optimizer=name, learning_rate=0.3, schedule="linear")
    optimizer = optimizer_of([nn.Parameter(torch.zeros(1))], schedule)
    theirs = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=total)
    expected = []
    for _ in range(total):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    found = rates(schedule, total)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-7, atol=1e-12)
    assert set(found[:, 1]) == {0.9}


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_warm_up_rises_in_a_line_to_the_peak_and_the_schedule_follows(schedule):
    told = Schedule(learning_rate=0.5, schedule=schedule, warmup=0.2)
    found = rates(told, 50)[:, 0]
    np.testing.assert_allclose(found[:10], 0.5 * np.arange(1, 11) / 10)
    expected = rates(told.model_copy(update={"warmup": 0.0}), 40)[:, 0]
    np.testing.assert_allclose(found[10:], expected)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "linear"])
@pytest.mark.parametrize("warmup", [0.0, 0.5])
@pytest.mark.parametrize("total", [1, 2, 3, 4, 5])
def test_rates_of_a_few_steps_lie_between_nothing_and_the_peak(schedule, warmup, total):
    told = Schedule(learning_rate=0.3, schedule=schedule, warmup=warmup)
    found = rates(told, total)
    assert (found[:, 0] > 0).all()
    assert found[:, 0].max() <= 0.3 * (1 + 1e-12)
    assert ((found[:, 1] >= 0.85) & (found[:, 1] <= 0.95)).all()


# --- steps ------------------------------------------------------------------------------------


@BOTH
def test_fused_steps_are_those_of_the_plain_optimizer(name):
    schedule = Schedule(optimizer=name, learning_rate=0.05, weight_decay=0.1)
    ours, plain = net(), net()
    fused = optimizer_of(list(ours.parameters()), schedule)
    reference = optimizer_of(list(plain.parameters()), schedule)
    assert fused.param_groups[0]["fused"]
    reference.param_groups[0].update(fused=False, foreach=False)
    before = weights(ours)
    for step in range(5):
        stepped(ours, fused, step)
        stepped(plain, reference, step)
    for one, other, first in zip(weights(ours), weights(plain), before, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
        assert not torch.equal(one, first)


@BOTH
def test_an_optimizer_goes_on_from_a_checkpoint_bit_for_bit(name, tmp_path):
    schedule = Schedule(optimizer=name, learning_rate=0.05)
    model = net()
    optimizer = optimizer_of(list(model.parameters()), schedule)
    for step in range(3):
        stepped(model, optimizer, step)
    groups = {"model": model.state_dict(), "optimizer": state_of(optimizer)}
    checkpoint.write(tmp_path, groups, {})
    found = checkpoint.read(tmp_path).groups
    other = net(seed=1)
    other.load_state_dict(found["model"])
    again = optimizer_of(list(other.parameters()), schedule)
    put_back(again, found["optimizer"])
    for step in range(3, 6):
        stepped(model, optimizer, step)
        stepped(other, again, step)
    assert all(map(torch.equal, weights(model), weights(other)))


# --- the average ------------------------------------------------------------------------------


def test_the_average_is_that_of_its_formula_and_holds_the_statistics_too():
    model = net()
    optimizer = optimizer_of(list(model.parameters()), Schedule(learning_rate=0.05))
    average = Average(model, 0.6)
    expected = {key: value.double() for key, value in model.state_dict().items()}
    for step in range(1, 9):
        stepped(model, optimizer, step)
        average.update(step)
        decay = min(0.6, (1 + step) / (10 + step))
        for key, value in model.state_dict().items():
            expected[key] = decay * expected[key] + (1 - decay) * value.double()
    own = {key: value.clone() for key, value in model.state_dict().items()}
    with average.in_place():
        for key, value in model.state_dict().items():
            if key == "1.num_batches_tracked":
                assert value == own[key] == 8
                continue
            torch.testing.assert_close(value.double(), expected[key], rtol=1e-5, atol=1e-6)
            assert not torch.equal(value, own[key])
    assert all(torch.equal(own[key], value) for key, value in model.state_dict().items())


def test_the_average_is_taken_out_again_where_something_fails():
    model = net()
    average = Average(model, 0.9)
    stepped(model, optimizer_of(list(model.parameters()), Schedule()), 0)
    own = weights(model)
    with pytest.raises(KeyboardInterrupt), average.in_place():
        raise KeyboardInterrupt
    assert all(map(torch.equal, weights(model), own))


# --- checkpoints ------------------------------------------------------------------------------

GROUPS = {
    "a": {"x/y": torch.arange(6.0).reshape(2, 3).T, "half": torch.ones(3, dtype=torch.bfloat16)},
    "b": {"count": torch.tensor(7), "none": torch.zeros(0), "yes": torch.tensor([True, False])},
}


def test_a_checkpoint_gives_back_tensors_and_facts_exactly(tmp_path):
    facts = {"mean": 0.1 + 0.2, "tiny": 5e-324, "curve": [1, None]}
    checkpoint.write(tmp_path, GROUPS, facts)
    found = checkpoint.read(tmp_path)
    assert found.facts == facts
    assert {name: set(group) for name, group in found.groups.items()} == {
        name: set(group) for name, group in GROUPS.items()
    }
    for name, group in GROUPS.items():
        for key, tensor in group.items():
            assert found.groups[name][key].dtype == tensor.dtype
            assert torch.equal(found.groups[name][key], tensor)


def test_reading_a_checkpoint_leaves_random_numbers_alone(tmp_path):
    checkpoint.write(tmp_path, {"random": {"torch": torch.get_rng_state()}}, {})
    torch.manual_seed(5)
    before = torch.get_rng_state()
    checkpoint.read(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_tied_weights_fit_in_a_checkpoint(tmp_path):
    shared = torch.randn(4, 4)
    checkpoint.write(tmp_path, {"model": {"one": shared, "other": shared}}, {})
    found = checkpoint.read(tmp_path).groups["model"]
    assert torch.equal(found["one"], shared)
    assert torch.equal(found["other"], shared)


@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "header", "tensors", "end", "other"])
def test_a_damaged_checkpoint_is_none(damage, tmp_path):
    checkpoint.write(tmp_path, GROUPS, {"step": 1})
    assert checkpoint.read(tmp_path) is not None
    path = tmp_path / checkpoint.FILE
    content = bytearray(path.read_bytes())
    if damage == "absent":
        path.unlink()
        assert checkpoint.read(tmp_path) is None
        return
    where = {"header": 9, "tensors": len(content) - 20, "end": len(content) - 1}
    if damage in where:
        content[where[damage]] ^= 1
    kept = {"empty": b"", "cut": content[:-7], "other": b"not a checkpoint" * 9}
    path.write_bytes(kept.get(damage, content))
    assert checkpoint.read(tmp_path) is None


def test_a_checkpoint_is_replaced_whole(tmp_path):
    checkpoint.write(tmp_path, GROUPS, {"step": 1})
    with pytest.raises(ValueError, match="JSON"):
        checkpoint.write(tmp_path, GROUPS, {"step": float("nan")})
    assert checkpoint.read(tmp_path).facts == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.FILE]
