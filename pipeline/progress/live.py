"""The lines at the bottom of a terminal that are written over while something runs.

    with Live(console, "stage 3 of 10, student", began, ticking=True) as live:
        task = live.begin("student resnet8", 930)
        live.advance(task, "loss 0.18")

At 80 columns:

    stage 3 of 10, student                            1 min 03 s, about 2 min left
      student resnet8, seed 0 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━╺━━━━━ 744/930  4.1 s left
      loss 0.0772  validation accuracy 0.9389
"""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.table import Column, Table
from rich.text import Text

from .duration import duration, roughly

_SECONDS_BETWEEN = 0.1
_MOST = 8
"""Bars that are shown; a cluster may have as many as it has workers."""
_WIDEST = 100
"""Columns; a bar over a whole wide screen says no more."""


class Live:
    """A title with the time since the beginning, bars, and what is being done.

    Args:
        console: a terminal.
        title: above the bars; empty: the time stands beside the bar.
        began: when all began, by ``time.monotonic``.
        ticking: whether a thread draws twice a second; else only an advance does.
        left: seconds left of all that the title is one of; None where that is not known.
    """

    def __init__(
        self,
        console: Console,
        title: str,
        began: float,
        *,
        ticking: bool,
        left: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._region = _Region(title, began, console, left, ticking=ticking)
        self._ticking, self._drawn = ticking, 0.0

    def __enter__(self) -> Self:
        self._region.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._region.stop()

    @property
    def title(self) -> str:
        """What stands above the bars."""
        return self._region.title

    @title.setter
    def title(self, text: str) -> None:
        self._region.title = text

    def begin(self, what: str, total: int) -> TaskID:
        """A bar for so many steps."""
        return self._region.add_task(what, total=total)

    def advance(self, task: TaskID, detail: str) -> None:
        """One step is done."""
        self._region.detail = detail
        self._region.advance(task)
        self._region.forget_total_beyond(task)
        if not self._ticking and time.monotonic() - self._drawn > _SECONDS_BETWEEN:
            self._drawn = time.monotonic()
            self._region.refresh()

    def end(self, task: TaskID) -> None:
        """Take the bar away."""
        self._region.detail = ""
        self._region.remove_task(task)


class _Region(Progress):
    detail = ""

    def __init__(
        self,
        title: str,
        began: float,
        console: Console,
        left: Callable[[], float | None],
        *,
        ticking: bool,
    ) -> None:
        self.title, self._began, self._screen, self._left = title, began, console, left
        super().__init__(
            TextColumn(
                "  {task.description}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", max_width=_room(console)),
            ),
            BarColumn(
                bar_width=None,
                complete_style="cyan",
                finished_style="green",
                table_column=Column(ratio=1),
            ),
            MofNCompleteColumn(table_column=Column(no_wrap=True, justify="right")),
            _TimeLeft(table_column=Column(no_wrap=True, justify="right")),
            console=console,
            auto_refresh=ticking,
            refresh_per_second=2,
            transient=True,
            expand=True,
            # What a user's module prints to a terminal goes above the bar; a pipe gets it as it is.
            redirect_stdout=sys.stdout.isatty(),
        )

    def forget_total_beyond(self, task: TaskID) -> None:
        """Where more steps were done than there were to be, nobody knows how many are left."""
        with self._lock:
            one = self._tasks[task]
            if one.total is not None and one.completed > one.total:
                one.total = None

    def get_renderables(self) -> Iterable[RenderableType]:
        """The lines from above to below."""
        lines = Table.grid(expand=True)
        lines.width = min(self._screen.width, _WIDEST)
        since = duration(time.monotonic() - self._began)
        if self.title:
            head = Table.grid(Column(ratio=1, no_wrap=True), Column(no_wrap=True), expand=True)
            left = self._left()
            about = "" if left is None else f", about {roughly(left)} left"
            head.add_row(
                Text(self.title, "bold", no_wrap=True, overflow="ellipsis"), Text(f"{since}{about}")
            )
            lines.add_row(head)
        if self.tasks:
            lines.add_row(self.make_tasks_table(self.tasks[:_MOST]))
        if (more := len(self.tasks) - _MOST) > 0:
            lines.add_row(Text(f"  and {more} more", "dim"))
        if self.detail or (self.tasks and not self.title):
            detail = self.detail if self.title else f"{since} so far  {self.detail}"
            lines.add_row(Text(f"  {detail}", "dim", no_wrap=True, overflow="ellipsis"))
        yield lines


def _room(console: Console) -> int:
    """Columns for the name of what is done, so that a bar of 12 or more has room."""
    return max(12, min(console.width, _WIDEST) // 2 - 8)


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        """The time left, once a step is done."""
        left = None if task.total is None or task.finished else task.time_remaining
        return Text("" if left is None else f"{duration(left)} left", "cyan")
