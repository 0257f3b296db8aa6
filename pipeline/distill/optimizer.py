"""Steps: the optimizer, its learning rate as a function of the step, and the average of weights."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from ..recipe.training import Schedule

MOMENTUM = 0.9
ONE_CYCLE_MOMENTUM = (0.85, 0.95)
"""At the peak of the learning rate and at its ends (Smith 2018, §4)."""
_RISES = 0.3
"""Share of one cycle in which the rate rises."""
_FIRST, _LAST = 1 / 25, 1 / 250_000
"""Learning rate at both ends of one cycle, over its peak."""


def optimizer_of(
    parameters: Sequence[torch.nn.Parameter], schedule: Schedule
) -> torch.optim.Optimizer:
    """The recipe's optimizer in its fused form: one kernel for all parameters."""
    if schedule.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=schedule.learning_rate,
            momentum=MOMENTUM,
            nesterov=True,
            weight_decay=schedule.weight_decay,
            fused=True,
        )
    return torch.optim.AdamW(
        parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )


def set_rate(optimizer: torch.optim.Optimizer, schedule: Schedule, step: int, total: int) -> None:
    """Learning rate and momentum of one step.

    One cycle (Smith 2018; Smith & Topin 2019) rises along a half cosine to the peak and falls along
    another to almost nothing, its momentum the other way round. ``cosine`` (Loshchilov & Hutter
    2017, eq. 5, without restarts) rises in a line where there is a warm-up, and falls along a half
    cosine to 0; ``linear`` falls along a line.

    Args:
        optimizer: the settings go here.
        schedule: the recipe's part.
        step: from 0.
        total: steps of the whole training.
    """
    if schedule.schedule == "one-cycle":
        rate, momentum = _one_cycle(step, total)
    else:
        rate, momentum = _after_warmup(step, total, schedule), MOMENTUM
    for group in optimizer.param_groups:
        group["lr"] = schedule.learning_rate * rate
        if "betas" in group:
            group["betas"] = (momentum, group["betas"][1])
        else:
            group["momentum"] = momentum


def _after_warmup(step: int, total: int, schedule: Schedule) -> float:
    rising = round(schedule.warmup * total)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, total - rising)
    return 1.0 - done if schedule.schedule == "linear" else _between(1.0, 0.0, done)


def _one_cycle(step: int, total: int) -> tuple[float, float]:
    peak = max(1.0, _RISES * total - 1.0)
    low, high = ONE_CYCLE_MOMENTUM
    if step <= peak:
        done = step / peak
        return _between(_FIRST, 1.0, done), _between(high, low, done)
    done = (step - peak) / max(1.0, total - 1.0 - peak)
    return _between(1.0, _LAST, done), _between(low, high, done)


def _between(start: float, end: float, done: float) -> float:
    """From start to end along a half cosine."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * done))


def state_of(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """What the optimizer remembers, by the number of the parameter and a name."""
    return {
        f"{number}/{name}": value
        for number, remembered in optimizer.state_dict()["state"].items()
        for name, value in remembered.items()
        if isinstance(value, torch.Tensor)
    }


def put_back(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give the optimizer back what ``state_of`` took."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    remembered: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition("/")
        parameter = parameters[int(number)]
        if value.shape == parameter.shape:
            # Fused kernels go through memory in order: a moment must have its parameter's layout.
            value = torch.empty_like(parameter).copy_(value)
        remembered.setdefault(int(number), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": remembered, "param_groups": groups})


class Average:
    """A running mean over the steps of a model's state (Polyak & Juditsky 1992).

    Early on the mean forgets faster, or it would remember the first weights for long: behind step t
    the decay is min(decay, (1 + t) / (10 + t)). The statistics of batch norm are averaged too, for
    those of the latest weights are not those of the mean.

    Args:
        model: whose weights and statistics, all that are no whole numbers.
        decay: share of the mean that a step keeps, below 1.
    """

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self._decay = decay
        state = model.state_dict().values()
        self._state = [tensor for tensor in state if tensor.is_floating_point()]
        self.mean = [tensor.clone() for tensor in self._state]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the state behind a step in, the first of which is 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.mean, self._state, 1.0 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with the mean's state; afterwards with its own again."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for mean, tensor in zip(self.mean, self._state, strict=True):
            own = tensor.clone()
            tensor.copy_(mean)
            mean.copy_(own)
