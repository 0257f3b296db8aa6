"""Progress of a build on stderr: live on a terminal, plain lines elsewhere.

Stages get a ``Progress`` and never print. ``Silent`` is for tests and for ``edgestill.build()``.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console

from .printable import printable


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
        """One step is done; ``detail`` is shown beside the bar."""
        ...


@contextmanager
def measuring(progress: Progress, total: int) -> Iterator[Callable[[int, int, str], None]]:
    """Steps of a measurement of at least ``total`` processes; one note if it needs more.

    Yields:
        What a measurement calls after each process.
    """
    with progress.steps("benchmark", total) as steps:

        def on_process(done: int, _: int, name: str) -> None:
            if done <= total:
                steps.advance(name)
            elif done == total + 1:
                progress.note("benchmark: not decided yet, going on with more processes")

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


class OnConsole:
    """Bars on a terminal; on a pipe or in a log, a line when something begins and ends."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def steps(self, what: str, total: int) -> Steps:
        """Begin steps: a live bar on a terminal, a line in a log."""
        if self._console.is_terminal:
            return _Bar(self._console, what, total)
        return _Lines(self._console, what, total)

    def note(self, text: str) -> None:
        """One sentence, as it is."""
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """One sentence, marked as a warning."""
        self._console.print(
            f"warning: {printable(text)}",
            style="yellow",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Name a stage while it runs and say how long it took."""
        began = time.monotonic()
        self.note(f"{name} …")
        yield
        self.note(f"{name} done in {time.monotonic() - began:.1f} s")


class _Bar:
    def __init__(self, console: Console, what: str, total: int) -> None:
        # A tenth of the imports of a build with nothing to do, which shows no bar.
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bars = Progress(
            TextColumn("  {task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            transient=True,
        )
        self._task = self._bars.add_task(what, total=total, detail="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def advance(self, detail: str = "") -> None:
        self._bars.update(self._task, advance=1, detail=detail)


class _Lines:
    """About five lines for any number of steps, each with the time left."""

    def __init__(self, console: Console, what: str, total: int) -> None:
        self._console, self._what, self._total = console, what, total
        self._done, self._began = 0, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def advance(self, detail: str = "") -> None:
        self._done += 1
        every = max(1, self._total // 5)
        if self._done % every and self._done != self._total:
            return
        left_s = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        self._console.print(
            f"  {self._what} {self._done}/{self._total}, {left_s:.0f} s left  "
            f"{printable(detail)}".rstrip(),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
