"""What a cluster has to do for the engine: take tasks, and tell what became of them.

``ray_cluster`` is the one that Ray runs; tests have one of threads.
"""

from dataclasses import dataclass, field
from typing import Protocol

from .keys import Machine
from .task import Event, Outcome, Task


@dataclass(frozen=True, slots=True)
class Place:
    """What a task takes of a node, and which node it may be.

    Attributes:
        cpus: cores.
        gpus: GPUs.
        device: the device that it measures on: it runs where that is, alone; None: anywhere.
    """

    cpus: int = 1
    gpus: int = 0
    device: str | None = None

    @property
    def alone(self) -> bool:
        """Whether nothing else may run there at the same time."""
        return self.device is not None

    def __str__(self) -> str:
        if self.device is not None:
            return f"the node with the resource {resource(self.device)}"
        cores = f"{self.cpus} core{'s' if self.cpus > 1 else ''}"
        return f"{cores} and {self.gpus} GPU{'s' if self.gpus > 1 else ''}" if self.gpus else cores


def resource(device: str) -> str:
    """The custom resource of the node that a device is measured on."""
    return f"device:{device}"


@dataclass(frozen=True, slots=True)
class Lost:
    """A task ended without an answer: its worker or its node died.

    Attributes:
        why: as an end of a sentence: ``its worker died``.
        memory: whether it was ended because the node ran out of memory.
    """

    why: str
    memory: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """What was heard since the last time.

    Attributes:
        events: number of the task, its node's id, and the event.
        ended: number of the task, its node's id (empty: not known) and what became of it.
    """

    events: list[tuple[int, str, Event]] = field(default_factory=list)
    ended: list[tuple[int, str, Outcome | Lost]] = field(default_factory=list)


class Executor(Protocol):
    """Runs tasks somewhere."""

    @property
    def shares_devices(self) -> bool:
        """Whether what is measured on is a node that trains, too, as there is no other."""
        ...

    @property
    def grows(self) -> bool:
        """Whether nodes may still come."""
        ...

    def parallel(self, place: Place) -> int:
        """How many tasks of this kind it runs at once now; at least 1."""
        ...

    def submit(self, number: int, task: Task, place: Place, avoid: frozenset[str]) -> None:
        """Take a task.

        Args:
            number: by which it is told of.
            task: to run.
            place: what it takes.
            avoid: ids of nodes that must not run it.
        """
        ...

    def hear(self, timeout_s: float) -> News:
        """What was heard; waits so long at most for the first of it."""
        ...

    def cancel(self, numbers: list[int]) -> None:
        """End tasks, also those that run."""
        ...

    def missing(self, place: Place, avoid: frozenset[str]) -> str | None:
        """Why no node that is there now could ever take such a task; None: one could."""
        ...

    def machine(self, place: Place) -> Machine:
        """What of the node that such a task runs on stands in keys.

        Raises:
            HostError: there is none, or it gives no answer.
        """
        ...

    def node(self, node_id: str) -> str:
        """A node's name for people."""
        ...

    def close(self) -> None:
        """End all that runs."""
        ...
