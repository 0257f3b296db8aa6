"""One remote stage as it is shown: on the progress of the command, and in a log of its own.

    shown = Shown("student", progress, around, log)
    shown.hear("node-1", ("steps", 1, "student resnet8", 930))
    shown.end()

Each has a context (``contextvars``) of its own, so that a progress that asks which stage is running
gets the answer of this one while others run.
"""

import contextvars
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from ..progress import Progress, Steps
from .task import Event


class Shown:
    """A stage that runs elsewhere.

    Args:
        name: of the stage.
        progress: of the command.
        around: entered when it begins, left when it ends.
        log: the file of its log; None: none is written.
        shards: how many parts it is made of, which are one series of steps; 0: it is one task.
    """

    def __init__(
        self,
        name: str,
        progress: Progress,
        around: Callable[[str], AbstractContextManager[None]],
        log: Path | None,
        shards: int = 0,
    ) -> None:
        self.name, self._progress, self._around = name, progress, around
        self._log, self._shards = log, shards
        self._context = contextvars.copy_context()
        self._stack: ExitStack | None = None
        self._steps: dict[Any, Steps] = {}
        self._stored = 0

    def hear(self, node: str, event: Event, part: str = "") -> None:
        """Take in an event.

        Args:
            node: where it happened.
            event: of a task.
            part: the part of a stage of several; its steps are not shown one by one.
        """
        kind, *rest = event
        self.write(_line(kind, rest), f"{node} {part}".strip())
        if kind == "begin":
            self.begin()
        elif kind in ("note", "warn"):
            self._in_context(getattr(self._progress, kind), rest[0])
        elif self._stack is not None and not part:
            self._context.run(self._move, kind, rest)

    def begin(self) -> None:
        """The stage, or the first part of it, runs."""
        if self._stack is not None:
            return
        self._stack = ExitStack()
        self._context.run(self._stack.enter_context, self._around(self.name))
        if self._shards:
            self._context.run(self._open, "shards", f"{self.name}, shards", self._shards)
            for _ in range(self._stored):
                self.part_done("in the store")

    def part_stored(self) -> None:
        """One of several parts was in the store."""
        self._stored += 1

    def part_done(self, node: str) -> None:
        """One of several parts is done."""
        if "shards" in self._steps:
            self._context.run(self._steps["shards"].advance, node)

    def end(self, error: BaseException | None = None) -> None:
        """The stage is done, or was ended."""
        if error is not None:
            self.write(f"ended: {error}")
        self.restart()
        stack, self._stack = self._stack, None
        if stack is not None:
            kind = type(error) if error is not None else None
            self._context.run(stack.__exit__, kind, error, None)

    def restart(self) -> None:
        """What the task had begun is begun again, or over."""
        steps, self._steps = self._steps, {}
        for one in steps.values():
            self._context.run(one.__exit__, None, None, None)

    def _move(self, kind: str, rest: list[Any]) -> None:
        if kind == "steps":
            self._open(*rest)
        elif kind == "advance" and rest[0] in self._steps:
            number, done, detail = rest
            for _ in range(done):
                self._steps[number].advance(detail)
        elif kind == "steps done" and rest[0] in self._steps:
            self._steps.pop(rest[0]).__exit__(None, None, None)

    def _open(self, number: Any, what: str, total: int) -> None:
        self._steps[number] = self._progress.steps(what, total).__enter__()

    def _in_context(self, tell: Callable[[str], None], text: str) -> None:
        self._context.run(tell, text)

    def write(self, text: str, who: str = "") -> None:
        """Add a line to the log."""
        if self._log is None or not text:
            return
        self._log.parent.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%H:%M:%S")
        with self._log.open("a", encoding="utf-8") as stream:
            stream.write(f"{stamp} {f'{who}: ' if who else ''}{text}\n")


def _line(kind: str, rest: list[Any]) -> str:
    """An event as a line of a log."""
    match kind:
        case "arrived":
            return f"on {rest[0]}, pid {rest[1]}"
        case "begin":
            return "runs"
        case "steps":
            return f"{rest[1]}: {rest[2]} steps"
        case "advance":
            return f"{rest[1]} more done  {rest[2]}".rstrip()
        case "warn":
            return f"warning: {rest[0]}"
        case "note" | "printed":
            return str(rest[0])
        case _:
            return ""
