"""One stage as a task that travels: what a worker gets, does and answers.

>>> perform(task, tell=events.append)                                     # doctest: +SKIP
Done(record={…}, fresh=True)

A worker runs it with a ``Builder`` of its own, on the store that all machines share. It works out
the stage's key itself: where its versions, sources or kernels would give another one, it refuses.
"""

import contextlib
import os
import pickle
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

from ...errors import EdgestillError
from ..progress import Steps
from ..recipe import user_function
from .compute import Compute
from .flow import Builder
from .keys import Machine, ingredients, this_machine
from .stage import Made, Stage
from .store import Store, digest_of
from .upstream import resolved, stored

Event = tuple[Any, ...]
"""What a task reports: its kind, then what belongs to it. They cross as plain tuples."""
Tell = Callable[[Event], None]
_SECONDS_BETWEEN = 0.2
"""Between two reports of steps that are done."""


@dataclass(frozen=True, slots=True)
class Task:
    """A stage to be run by a worker.

    Attributes:
        stage: the stage.
        inputs: recipe parts by value, other stages by key.
        parts: what its key is made of, as the machine worked it out that asks for it.
        compute: what training computes with.
        artifacts: the folder of the store; shared by all machines under this name, unless there is
            a store that they share.
        address: of that store; None: there is none.
        shards: what the parts made that it is to be merged from; None: it is run.
        cwd: the current folder of the command.
        beside: the recipe's folder, for modules of the user.
    """

    stage: Stage[Any, Any]
    inputs: Any
    parts: Mapping[str, Any]
    compute: Compute
    artifacts: str
    address: str | None = None
    shards: tuple[Made[Any], ...] | None = None
    cwd: str = field(default_factory=os.getcwd)
    beside: str | None = field(default_factory=lambda: user_function.beside())

    @property
    def key(self) -> str:
        """Of the stage."""
        return digest_of(self.parts)


@dataclass(frozen=True, slots=True)
class Done:
    """The stage is in the store.

    Attributes:
        record: of the stage, as JSON.
        fresh: whether it ran; else the store had it.
    """

    record: Mapping[str, Any]
    fresh: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The stage raised.

    Attributes:
        error: pickled.
        trace: the worker's traceback.
    """

    error: bytes
    trace: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The worker would give another key.

    Attributes:
        what: is different: ``torch``, ``kernels``.
        here: as the worker has it.
        there: as the machine has it that asked.
    """

    what: str
    here: str
    there: str


Outcome = Done | Failed | Refused


def perform(task: Task, tell: Tell) -> Outcome:
    """Run a task on this worker.

    Args:
        task: to run.
        tell: gets each event.

    Raises:
        KeyboardInterrupt: it is cancelled.
    """
    _settle(task)
    tell(("arrived", socket.gethostname(), os.getpid()))
    relay = Relay(tell)
    try:
        store = _store(task, relay)
        inputs = resolved(task.inputs, store)
        parts = ingredients(task.stage, inputs, task.compute)
        if digest_of(parts) != task.key:
            return _difference(parts, task.parts)
        builder = Builder(store, task.compute, relay, around=relay.stage)
        with contextlib.redirect_stdout(_Printed(tell)):
            if task.shards is None:
                made = builder.run_stage(task.stage, inputs)
            else:
                parts_made = [stored(one, store) for one in task.shards]
                made = builder.merge(task.stage, inputs, parts_made)
        # What was measured here is read where it was asked for.
        store.send([made.key], measured=task.stage.machine)
    except Exception as error:  # noqa: BLE001 - it is raised where the task was asked for
        trace = traceback.format_exc()
        return Failed(_pickled(error), trace)
    return Done(made.record.model_dump(mode="json"), bool(builder.ran))


def describe() -> Machine:
    """What of this worker's machine stands in keys."""
    return this_machine()


def error_of(failed: Failed) -> BaseException:
    """What a task raised, with the worker's traceback as its cause."""
    error: BaseException = pickle.loads(failed.error)  # noqa: S301 - from a task of our own
    error.__cause__ = _RemoteError(f"on a worker\n\n{failed.trace}")
    return error


class _RemoteError(Exception):
    """The traceback of a worker, for ``--debug``."""


def _pickled(error: BaseException) -> bytes:
    """An error as it is, or one of ours that says the same where it cannot travel."""
    error.__traceback__ = None
    try:
        content = pickle.dumps(error)
        pickle.loads(content)  # noqa: S301 - some only fail here
    except Exception:  # noqa: BLE001 - whatever a library's error does when it is pickled
        return pickle.dumps(EdgestillError(f"{type(error).__name__}: {error}"))
    return content


def _settle(task: Task) -> None:
    """Be where the command is, for relative paths and modules of the user."""
    with contextlib.suppress(OSError):
        os.chdir(task.cwd)
    user_function.look_beside(Path(task.beside) if task.beside else None)


_warns: list[Callable[[str], None]] = []
"""Of the task that runs: a store outlives it."""


def _store(task: Task, relay: "Relay") -> Store:
    _warns[:] = [relay.warn]
    return _opened(task.artifacts, task.address)


@cache
def _opened(artifacts: str, address: str | None) -> Store:
    return Store(Path(artifacts), lambda text: _warns[-1](text), shared=address)


def _difference(here: Mapping[str, Any], there: Mapping[str, Any]) -> Refused:
    """The first ingredient of a key that differs."""
    for name in there:
        mine, theirs = here.get(name), there[name]
        if mine == theirs:
            continue
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            return _difference(mine, theirs)
        if name in ("sources", "gives"):
            return Refused("edgestill's own source", str(mine)[:12], str(theirs)[:12])
        return Refused(name, str(mine), str(theirs))
    return Refused("key", digest_of(here)[:12], digest_of(there)[:12])


class Relay:
    """Progress of a worker: all of it becomes events.

    Args:
        tell: gets them.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell, self._number = tell, 0

    def steps(self, what: str, total: int) -> Steps:
        """Begin steps that are shown elsewhere."""
        self._number += 1
        return _Steps(self._tell, self._number, what, total)

    def note(self, text: str) -> None:
        """One sentence."""
        self._tell(("note", text))

    def warn(self, text: str) -> None:
        """One sentence, as a warning."""
        self._tell(("warn", text))

    @contextlib.contextmanager
    def stage(self, _: str) -> Iterator[None]:
        """The stage runs: it is not in the store."""
        self._tell(("begin",))
        yield


class _Steps:
    """Steps that are done are told a few times a second, and at the end."""

    def __init__(self, tell: Tell, number: int, what: str, total: int) -> None:
        self._tell, self._number = tell, number
        self._begun, self._done, self._detail, self._told = (what, total), 0, "", 0.0

    def __enter__(self) -> Self:
        self._tell(("steps", self._number, *self._begun))
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._tell(("steps done", self._number))

    def advance(self, detail: str = "") -> None:
        """One step is done."""
        self._done, self._detail = self._done + 1, detail
        if time.monotonic() - self._told >= _SECONDS_BETWEEN:
            self._flush()

    def _flush(self) -> None:
        if self._done:
            self._tell(("advance", self._number, self._done, self._detail))
        self._done, self._told = 0, time.monotonic()


class _Printed:
    """A stream whose lines are events: what a user's module prints."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._rest = tell, ""

    def write(self, text: str) -> int:
        """Tell whole lines."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._tell(("printed", line))
        return len(text)

    def flush(self) -> None:
        """Lines are told when they end."""

    def isatty(self) -> bool:
        """A log is no terminal."""
        return False
