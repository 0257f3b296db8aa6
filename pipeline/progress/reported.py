"""What a stage reports of itself: steps, sentences and warnings.

Stages get a ``Progress`` and never print. ``Silent`` shows nothing: it is ``progress=False``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self


class Progress(Protocol):
    """What a stage reports while it runs."""

    def steps(self, what: str, total: int) -> "Steps":
        """Begin ``total`` steps of something."""
        ...

    def note(self, text: str) -> None:
        """Report one sentence."""
        ...

    def warn(self, text: str) -> None:
        """Report one sentence that the reader should act on."""
        ...


class Steps(Protocol):
    """A series of steps, as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

    def advance(self, detail: str = "") -> None:
        """One step is done, also beyond the total; ``detail`` is shown with the bar."""
        ...


def numbered(number: int, stages: int) -> str:
    """Which stage it is, of how many: ``stage 3 of 10``.

    Args:
        number: from 1.
        stages: all of them; fewer than ``number``: it is not known how many.
    """
    return f"stage {number} of {stages}" if number <= stages else f"stage {number}"


@contextmanager
def measuring(progress: Progress, total: int) -> Iterator[Callable[[int, int, str], None]]:
    """Steps of a measurement of at least ``total`` processes; one note if it needs more.

    Yields:
        What a measurement calls after each process.
    """
    with progress.steps("benchmark", total) as steps:

        def on_process(done: int, _: int, name: str) -> None:
            if done == total + 1:
                progress.note("benchmark: not decided yet, going on with more processes")
            steps.advance(name)

        yield on_process


class Silent:
    """Prints nothing and keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def steps(self, what: str, total: int) -> Steps:  # noqa: ARG002
        """Begin steps that are not shown."""
        return _Unseen()

    def note(self, text: str) -> None:
        """Print nothing."""

    def warn(self, text: str) -> None:
        """Keep the warning."""
        self.warnings.append(text)


class _Unseen:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def advance(self, detail: str = "") -> None: ...
