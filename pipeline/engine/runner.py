"""Where the stages of a command run: in its own process, or on the machines of a cluster.

runner = IN_PROCESS
engine = runner.engine(store, compute, progress)
flow(recipe, named, engine)
engine.finish()
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from ..progress import Progress
from .compute import Compute
from .flow import Builder, Engine
from .stage import Made
from .store import Store

Around = Callable[[str], AbstractContextManager[None]]


class Building(Engine, Protocol):
    """An engine that runs stages.

    Attributes:
        made: the outputs, in the order of the flow.
        ran: names of the stages that ran; complete after ``finish``.
    """

    @property
    def made(self) -> list[Made[Any]]:
        """The outputs, in the order of the flow."""
        ...

    @property
    def ran(self) -> list[str]:
        """Names of the stages that ran; complete after ``finish``."""
        ...

    def finish(self) -> None:
        """Wait for all stages.

        Raises:
            EdgestillError: what one of them raised.
        """
        ...

    def let_go(self) -> None:
        """Nobody waits any longer for what still runs."""
        ...


class Runner(Protocol):
    """Makes the engines of one command."""

    def parallel(self, compute: Compute) -> int:
        """How many trainings run at once; with 1 nothing is begun before it is needed."""
        ...

    def engine(
        self,
        store: Store,
        compute: Compute,
        progress: Progress,
        *,
        until: str | None = None,
        around: Around = lambda _: nullcontext(),
    ) -> Building:
        """An engine for one flow."""
        ...


class InProcess:
    """One stage after the other, in this process."""

    def parallel(self, compute: Compute) -> int:  # noqa: ARG002
        """One."""
        return 1

    def engine(
        self,
        store: Store,
        compute: Compute,
        progress: Progress,
        *,
        until: str | None = None,
        around: Around = lambda _: nullcontext(),
    ) -> Building:
        """A ``Builder``."""
        return Builder(store, compute, progress, until=until, around=around)


IN_PROCESS = InProcess()
