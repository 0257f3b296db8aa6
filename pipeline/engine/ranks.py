"""The processes that share a training: whose samples are whose, and what they add up.

>>> Ranks().own(64)
slice(0, 64, None)
>>> Ranks(rank=1, size=2).own(65)
slice(33, 65, None)

Every process has the whole model and knows the same batches in the same order. Of each batch it
computes the outputs of its own samples alone. Outputs are gathered, so that any loss is that of the
whole batch, one that compares its samples, too. Only the own samples pass a gradient on, so the sum
of the gradients of all processes is the gradient of the batch: no loss has to be a mean over
samples, and parts of unequal size need no weights.
"""

import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch

from ...errors import HostError, reason

T = TypeVar("T")


class ShareEndedError(BaseException):
    """The training that another process leads is over; what that one does with it is its own."""


class LostError(HostError):
    """Another process of the training has ended, or cannot be reached."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes of a training, of which this is one.

    Attributes:
        rank: this one's number; 0 leads: it alone keeps checkpoints and results.
        size: how many there are.
        group: torch's process group; None for a process alone.
        call: tells the others that a training begins, and connects; None: all are connected.
    """

    rank: int = 0
    size: int = 1
    group: Any = None
    call: Callable[[], "Ranks"] | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the process that keeps what comes out."""
        return self.rank == 0

    def called(self) -> "Ranks":
        """The same processes, all of them in the training."""
        return self if self.call is None else self.call()

    def own(self, count: int) -> slice:
        """The samples of a batch that this process computes; the first ones get the rest."""
        each, rest = divmod(count, self.size)
        start = self.rank * each + min(self.rank, rest)
        return slice(start, start + each + (self.rank < rest))

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in place; the same bits in each of them.

        Raises:
            LostError: another process has ended.
        """
        if self.size > 1:
            with _reached(self.size):
                self.group.allreduce([tensor]).wait()
        return tensor

    def gather(self, part: torch.Tensor, count: int) -> torch.Tensor:
        """A tensor [count, ...] of all samples, from that of the own ones, with their gradient.

        Args:
            part: float [own, ...].
            count: samples of the batch.
        """
        if self.size == 1:
            return part
        gathered: torch.Tensor = _Gather.apply(part, self, count)  # type: ignore[no-untyped-call]
        return gathered

    def add_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes, in one message a dtype."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for dtype in dict.fromkeys(gradient.dtype for gradient in gradients):
            alike = [gradient for gradient in gradients if gradient.dtype == dtype]
            flat = self.add(torch.cat([gradient.reshape(-1) for gradient in alike]))
            parts = torch.split(flat, [gradient.numel() for gradient in alike])
            for gradient, total in zip(alike, parts, strict=True):
                gradient.copy_(total.view(gradient.shape))

    def all(self, value: T) -> list[T]:
        """What each process has, in their order, in every one of them."""
        if self.size == 1:
            return [value]
        data = torch.frombuffer(bytearray(pickle.dumps(value)), dtype=torch.uint8)
        lengths = torch.zeros(self.size, dtype=torch.int64)
        lengths[self.rank] = len(data)
        whole = torch.zeros(int(self.add(lengths).sum()), dtype=torch.uint8)
        parts = torch.split(whole, lengths.tolist())
        parts[self.rank].copy_(data)
        self.add(whole)
        return [cast(T, pickle.loads(part.numpy().tobytes())) for part in parts]  # noqa: S301

    def of_first(self, value: T) -> T:
        """What the process that leads has."""
        return cast(T, self.all(value if self.leads else None)[0])

    def part(self) -> None:
        """Leave the training to the process that leads."""
        if not self.leads:
            raise ShareEndedError


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: torch.Tensor, ranks: Ranks, count: int) -> torch.Tensor:
        ctx.own = ranks.own(count)
        whole = part.new_zeros((count, *part.shape[1:]))
        whole[ctx.own] = part
        return ranks.add(whole)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return gradients[0][ctx.own], None, None


def _brief(error: RuntimeError) -> str:
    """The first sentence of gloo's, without the place in its source."""
    return re.sub(r"^\[[^\]]*\] ", "", reason(error)).partition(". ")[0]


ALONE = Ranks()
_current: ContextVar[Ranks] = ContextVar("ranks", default=ALONE)


def current() -> Ranks:
    """The processes that share the training of the running stage."""
    return _current.get()


@contextmanager
def sharing(ranks: Ranks) -> Iterator[None]:
    """Trainings are shared with these processes while the context lasts."""
    token = _current.set(ranks)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def _reached(size: int) -> Iterator[None]:
    """What a process group raises where another process is gone, as an error of ours."""
    try:
        yield
    except RuntimeError as error:
        raise LostError(
            found=f"a process that has ended or cannot be reached ({_brief(error)})",
            expected=f"{size} processes that train together",
            where="training",
            fix="look for what it said above; the same command goes on from the last checkpoint",
        ) from error
