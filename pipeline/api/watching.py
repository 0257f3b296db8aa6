"""How a call from Python says what it is doing: on the screen, to a function, or not at all.

    with watched(print, "edgestill.build") as watch:
        build(..., progress=watch.progress, around=watch.stage, planned=watch.planned)

``True`` shows a bar on a terminal, lines in a log, and in a notebook one line that is replaced: a
bar there would need ipywidgets, which not every notebook has. A function is called with an
``Event``.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, runtime_checkable

from ..printable import printable
from ..progress import OnConsole, Progress, Silent, Steps, numbered

_running: ContextVar[tuple[str, int]] = ContextVar("running", default=("", 0))
"""The stage and its number. Stages of a cluster run at once, each in a context of its own."""
_LEAST_S = 0.2
"""Between two versions of the line in a notebook."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a call does.

    Attributes:
        kind: ``begin`` and ``end`` of a stage, a ``step`` of it, a ``note`` or a ``warning``.
        stage: the stage of a build; empty outside one.
        number: of the stage among those that run, from 1; 0 outside a stage.
        stages: how many run, those of a search among them; 0 where that is not known yet.
        what: what the steps are of: ``epochs``, ``benchmark``.
        done: steps that are done.
        total: of all steps.
        text: the note, the warning, or what is to be said of the step.
    """

    kind: Literal["begin", "step", "end", "note", "warning"]
    stage: str = ""
    number: int = 0
    stages: int = 0
    what: str = ""
    done: int = 0
    total: int = 0
    text: str = ""


@runtime_checkable
class Observer(Progress, Protocol):
    """Progress that follows the stages of a build as well."""

    def stage(self, name: str, /) -> AbstractContextManager[None]:
        """Entered around each stage that runs."""
        ...


@runtime_checkable
class Planned(Progress, Protocol):
    """Progress that wants to know the stages that will run, and when all are done."""

    def planned(self, stages: Sequence[str], /) -> None:
        """Called once, before the first of them."""
        ...

    def ended(self, what: str, /) -> None:
        """Called after the last of them."""
        ...


@runtime_checkable
class Expecting(Progress, Protocol):
    """Progress that says how much time is left of all stages."""

    def expected(self, seconds: Sequence[float | None], /) -> None:
        """Called once, with the seconds that each stage to run took in earlier builds."""
        ...


ProgressOption = bool | Callable[[Event], object] | Progress
"""``True``: shown; ``False``: not; a function of an ``Event``; or an object of one's own."""


class Watch:
    """What a call reports to.

    Attributes:
        progress: gets steps, notes and warnings.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def planned(self, stages: Sequence[str], seconds: Sequence[float | None] = ()) -> None:
        """The stages that will run are known, for a progress that asks for them.

        Args:
            stages: in their order.
            seconds: that each took in earlier builds of the name, None where that is not known.
        """
        if isinstance(self.progress, Planned):
            self.progress.planned(stages)
        if isinstance(self.progress, Expecting):
            self.progress.expected(seconds)

    def ended(self, what: str) -> None:
        """All stages are done, for a progress that says how long they took."""
        if isinstance(self.progress, Planned):
            self.progress.ended(what)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Entered around each stage that runs."""
        if isinstance(self.progress, Observer):
            with self.progress.stage(name):
                yield
        else:
            yield


@contextmanager
def watched(progress: ProgressOption, call: str) -> Iterator[Watch]:
    """Report to what was asked for; an error of a user's function ends the call as it is.

    Args:
        progress: what the user gave.
        call: the name of the function that is running, for a note on such an error.

    Raises:
        BaseException: whatever the user's function raised, even where a stage took it for a
            failure of its own.
    """
    if not isinstance(progress, bool) and callable(progress):
        caller = Caller(progress, call)
        try:
            yield Watch(caller)
        except BaseException:
            if caller.failure is not None:
                raise caller.failure from None
            raise
        if caller.failure is not None:
            raise caller.failure
        return
    if isinstance(progress, bool):
        yield Watch(shown() if progress else Silent())
    else:
        yield Watch(progress)


def shown() -> Progress:
    """The progress of ``True``: on a terminal, in a log or in a notebook."""
    if (display := _notebook()) is not None:
        return InNotebook(display)
    from rich.console import Console

    return OnConsole(Console(stderr=True, markup=False, emoji=False, highlight=False))


def _notebook() -> Callable[..., Any] | None:
    """IPython's ``display`` where a kernel of a notebook runs this; nothing is imported for it."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return getattr(sys.modules.get("IPython.display"), "display", None)


class Caller:
    """Calls a function of the user's with every event.

    Attributes:
        stages: how many stages run; 0: not known.
        failure: what the function raised.
    """

    def __init__(self, function: Callable[[Event], object], call: str) -> None:
        self._function, self._call = function, call
        self._number, self.stages = 0, 0
        _running.set(("", 0))
        self.failure: BaseException | None = None

    def steps(self, what: str, total: int) -> Steps:
        """Begin steps; each is an event."""
        self.emit("step", what=what, total=total)
        return _Counted(self, what, total)

    def note(self, text: str) -> None:
        """A sentence."""
        self.emit("note", text=text)

    def warn(self, text: str) -> None:
        """A sentence that the reader should act on."""
        self.emit("warning", text=text)

    def planned(self, stages: Sequence[str]) -> None:
        """The stages that are still to run."""
        self.stages = self._number + len(stages)

    def ended(self, what: str) -> None:
        """All stages have said so themselves."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A stage begins and, unless it fails, ends."""
        self._number += 1
        _running.set((name, self._number))
        self.emit("begin")
        yield
        self.emit("end")
        _running.set(("", 0))

    def emit(self, kind: Any, **more: Any) -> None:
        """Call the function; after it raised once, raise that again and do not call it."""
        if self.failure is not None:
            raise self.failure
        stage, number = _running.get()
        try:
            self._function(Event(kind, stage, number, self.stages, **more))
        except BaseException as error:
            where = f" in stage {stage}" if stage else ""
            error.add_note(f"raised by the function given as progress= to {self._call}{where}")
            self.failure = error
            raise


class _Counted:
    def __init__(self, caller: Caller, what: str, total: int) -> None:
        self._caller, self._what, self._total, self._done = caller, what, total, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def advance(self, detail: str = "") -> None:
        self._done += 1
        self._caller.emit("step", what=self._what, done=self._done, total=self._total, text=detail)


class InNotebook:
    """One line below the cell, replaced as the call goes on; warnings stay.

    Args:
        display: IPython's.

    Attributes:
        stages: how many stages run; 0: not known.
    """

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display, self._shown_s = display, 0.0
        self._handle: Any = None
        self._number, self.stages = 0, 0
        _running.set(("", 0))
        self._began = time.monotonic()

    def steps(self, what: str, total: int) -> Steps:
        """Begin steps: the line says how many are done, and the time left."""
        return _OneLine(self, what, total)

    def note(self, text: str) -> None:
        """A sentence, until the next line replaces it."""
        self.show(text, at_once=True)

    def warn(self, text: str) -> None:
        """A sentence that stays."""
        self._display({"text/plain": f"warning: {printable(text)}"}, raw=True)

    def planned(self, stages: Sequence[str]) -> None:
        """The stages that are still to run."""
        self.stages = self._number + len(stages)

    def ended(self, what: str) -> None:
        """How long all of it took."""
        self.show(f"{what} done in {time.monotonic() - self._began:.1f} s", at_once=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Name a stage while it runs and say how long it took."""
        self._number += 1
        _running.set((name, self._number))
        began = time.monotonic()
        self.show("…", at_once=True)
        yield
        self.show(f"done in {time.monotonic() - began:.1f} s", at_once=True)
        _running.set(("", 0))

    def show(self, text: str, *, at_once: bool = False) -> None:
        """Replace the line; a step too soon after the last one is left out."""
        now = time.monotonic()
        if not at_once and now - self._shown_s < _LEAST_S:
            return
        self._shown_s = now
        stage, number = _running.get()
        head = f"{numbered(number, self.stages)}, {stage}: " if stage else ""
        line = {"text/plain": printable(f"{head}{text}")}
        if self._handle is None:
            self._handle = self._display(line, raw=True, display_id=True)
        else:
            self._handle.update(line, raw=True)


class _OneLine:
    def __init__(self, notebook: InNotebook, what: str, total: int) -> None:
        self._notebook, self._what, self._total = notebook, what, total
        self._done, self._began = 0, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        took_s = time.monotonic() - self._began
        self._notebook.show(
            f"{self._what} {self._done}/{self._total}, in {took_s:.1f} s", at_once=True
        )

    def advance(self, detail: str = "") -> None:
        self._done += 1
        left_s = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        left = f", {left_s:.0f} s left" if self._done < self._total else ""
        self._notebook.show(f"{self._what} {self._done}/{self._total}{left}  {detail}".rstrip())
