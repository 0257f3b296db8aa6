"""Progress of a command on stderr: live on a terminal, plain lines elsewhere.

>>> progress = OnConsole(stderr())                                        # doctest: +SKIP
>>> build(recipe, progress=progress, around=progress.stage)               # doctest: +SKIP
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from ..printable import printable
from .duration import duration, roughly
from .reported import Steps, numbered

if TYPE_CHECKING:
    from rich.console import Console

    from .live import Live

MEASURES = "benchmark"
"""The stage during which nothing may be drawn by a clock."""


def is_live(console: "Console") -> bool:
    """Whether lines can be written over: on a terminal that can, and not in a build server's log.

    Build servers set ``CI``, some of them with a terminal whose output they keep.
    """
    by_server = os.environ.get("CI", "").lower() not in ("", "0", "false")
    return console.file.isatty() and not console.is_dumb_terminal and not by_server


class OnConsole:
    """On a terminal a bar that moves; on a pipe, in a log or a build server plain lines.

    The bar has the stage, the steps done, the time left of these steps and the time since the
    beginning. What is being done stands below it, so that the bar has room at 80 columns, too.

    Args:
        console: where it is shown.
        moves: whether lines are written over; None: as ``is_live`` says.
    """

    def __init__(self, console: "Console", *, moves: bool | None = None) -> None:
        self._console = console
        self._moves = is_live(console) if moves is None else moves
        self._began = time.monotonic()
        self._number, self._planned = 0, 0
        self._expected: tuple[float | None, ...] = ()
        self._before = 0
        self._stage_began = self._began
        self._live: Live | None = None
        self._running: dict[int, str] = {}

    def planned(self, stages: Sequence[str]) -> None:
        """The stages that are still to run, so that each is told as one of so many.

        A search runs stages before it knows which follow; those are told by their number alone.
        """
        self._planned = self._number + len(stages)

    def expected(self, seconds: Sequence[float | None]) -> None:
        """The seconds that each of these stages took in earlier builds, None where unknown."""
        # What ran before these, as in a search, is none of them.
        self._expected, self._before = tuple(seconds), self._number

    def left(self) -> float | None:
        """Seconds until all stages are done; None where one of them has no earlier time.

        None, too, where the last one has taken longer than it did, or where several run at once.
        """
        if len(self._running) > 1:
            return None
        rest = self._expected[max(0, self._number - self._before - 1) :]
        known = [seconds for seconds in rest if seconds is not None]
        if not known or len(known) < len(rest):
            return None
        this = known[0] - (time.monotonic() - self._stage_began)
        left = max(0.0, this) + sum(known[1:])
        return left or None

    def steps(self, what: str, total: int) -> Steps:
        """Begin steps: a live bar on a terminal, a line in a log."""
        if not self._moves:
            return _Lines(self.note, what, total)
        if self._live is not None:
            return _Bar(self._live, what, total)
        return _Alone(self._started("", ticking=False), what, total, self.note)

    def note(self, text: str) -> None:
        """One sentence, as it is."""
        self._print(printable(text))

    def warn(self, text: str) -> None:
        """One sentence, marked as a warning."""
        self._print(f"warning: {printable(text)}", "yellow")

    def _print(self, text: str, style: str = "") -> None:
        # A terminal gets lines broken between words, a log each in one.
        self._console.print(
            text,
            style=style,
            markup=False,
            highlight=False,
            soft_wrap=not self._console.is_terminal,
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Name a stage while it runs and say how long it took, and all of them until here.

        Several may run at once, on a cluster; they share the lines that are written over.
        """
        began = self._stage_began = time.monotonic()
        self._number += 1
        number = self._number
        of = f"{numbered(number, self._planned)}, "
        self._running[number] = f"{of}{name}"
        if self._moves:
            self._show(name)
        else:
            left = self.left()
            told = "" if left is None else f" about {roughly(left)} left of all stages"
            self.note(f"{of}{name} …{told}")
        try:
            yield
        finally:
            del self._running[number]
            self._show_others()
        so_far = f", {duration(time.monotonic() - self._began)} so far" * (self._number > 1)
        self.note(f"{of}{name} done in {duration(time.monotonic() - began)}{so_far}")

    def _show(self, name: str) -> None:
        if self._live is not None:
            self._live.title = self._title()
            return
        # A thread that draws takes time from what is measured.
        live = self._started(self._title(), ticking=name != MEASURES, left=self.left)
        self._live = live.__enter__()

    def _show_others(self) -> None:
        if self._live is None:
            return
        if self._running:
            self._live.title = self._title()
            return
        live, self._live = self._live, None
        live.__exit__()

    def _title(self) -> str:
        """The stage that runs; or how many, by their names."""
        titles = list(self._running.values())
        if len(titles) == 1:
            return titles[0]
        counts = Counter(title.rpartition(", ")[2] for title in titles)
        names = (f"{n} × {name}" if n > 1 else name for name, n in counts.items())
        return f"{len(titles)} stages at once: {', '.join(names)}"

    def ended(self, what: str) -> None:
        """Say how long all of it took."""
        self.note(f"{what} done in {duration(time.monotonic() - self._began)}")

    def _started(
        self, title: str, *, ticking: bool, left: Callable[[], float | None] = lambda: None
    ) -> "Live":
        # A tenth of the imports of a build with nothing to do, which shows no bar.
        from .live import Live

        return Live(self._console, title, self._began, ticking=ticking, left=left)


class _Bar:
    """Steps in a live region that something else began."""

    def __init__(self, live: "Live", what: str, total: int) -> None:
        self._live, self._task = live, live.begin(printable(what), total)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._live.end(self._task)

    def advance(self, detail: str = "") -> None:
        self._live.advance(self._task, printable(detail))


class _Alone(_Bar):
    """Steps with a live region of their own, and a line at the end of it."""

    def __init__(self, live: "Live", what: str, total: int, note: Callable[[str], None]) -> None:
        super().__init__(live, what, total)
        self._what, self._note, self._began = what, note, time.monotonic()

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *how: object) -> None:
        self._live.__exit__(*how)
        if how[0] is None:
            self._note(f"{self._what} done in {duration(time.monotonic() - self._began)}")


class _Lines:
    """About five lines for any number of steps, each with the time left."""

    def __init__(self, note: Callable[[str], None], what: str, total: int) -> None:
        self._note, self._what, self._total = note, what, total
        self._done, self._began = 0, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def advance(self, detail: str = "") -> None:
        self._done += 1
        every = max(1, self._total // 5)
        if self._done > self._total or (self._done % every and self._done != self._total):
            return
        took = time.monotonic() - self._began
        left = took / self._done * (self._total - self._done)
        time_ = f"{duration(left)} left" if self._done < self._total else f"in {duration(took)}"
        self._note(f"  {self._what} {self._done}/{self._total}, {time_}  {detail}".rstrip())
