"""What a stage is, and what it has made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ..records import Record

Inputs = TypeVar("Inputs")
Output = TypeVar("Output", bound=Record)
Waited = TypeVar("Waited", bound=Record, covariant=True)


@dataclass(frozen=True, slots=True)
class Stage(Generic[Inputs, Output]):
    """A stage: its name, its function, the types of its input and output, and what its key needs.

    Attributes:
        name: as users type it, ``--until student``.
        run: ``module:function`` below ``edgestill``; imported only when it must run. Called as
            ``run(out: Path, progress, inputs) -> record``.
        takes: the frozen dataclass of its inputs; every field is part of the key.
        gives: the record it returns.
        libraries: distributions whose version decides the result.
        threads: whether the thread count decides it (1 and 2 torch threads train different
            weights).
        device: whether it computes on the device that the recipe trains on.
        processes: whether all processes of the job share its work (a training).
        machine: whether the result belongs to this machine alone (a measurement).
        resumes: whether it resumes after a kill; ``run`` then also gets ``work``, a folder that
            is kept until the stage is done.
        shards: how it is shared out over the workers of a cluster; None: it is one task.
        reads_files: whether it reads the user's files alone, and so runs where the command runs.
    """

    name: str
    run: str
    takes: type[Inputs]
    gives: type[Output]
    libraries: tuple[str, ...]
    threads: bool = False
    device: bool = False
    processes: bool = False
    machine: bool = False
    resumes: bool = False
    shards: "Shards | None" = None
    reads_files: bool = False


@dataclass(frozen=True, slots=True)
class Shards:
    """How a stage is made of parts that depend on nothing of each other.

    Attributes:
        stage: of one part. Each is an entry of the store, so that a lost one is made again alone.
        split: ``module:function``, called with the inputs of the whole stage, whose records can be
            read; returns those of each part. It imports nothing heavy.
        merge: ``module:function``, called as ``merge(out, progress, inputs, parts)`` with what the
            parts made. Gives the record and the files, byte for byte, of the whole stage.
    """

    stage: Stage[Any, Any]
    split: str
    merge: str


class Pending(Protocol[Waited]):
    """A stage that may still run, elsewhere. Both wait for it, and raise what ended it."""

    def record(self) -> Waited:
        """The stage's record."""
        ...

    def path(self) -> Path:
        """The folder of the stage's files."""
        ...


@dataclass(frozen=True, slots=True)
class Made(Generic[Output]):
    """A stage's output: its key always, its record and folder once the stage has run.

    Where it still runs, record and folder wait for its end.
    """

    stage: Stage[Any, Output]
    key: str
    _record: Output | None = None
    _path: Path | None = None
    _pending: Pending[Output] | None = field(default=None, compare=False, repr=False)

    @property
    def record(self) -> Output:
        """The stage's record; only while building."""
        if self._record is None:
            if self._pending is not None:
                return self._pending.record()
            raise RuntimeError(f"{self.stage.name} was planned, not built")
        return self._record

    @property
    def path(self) -> Path:
        """The folder of the stage's files; only while building."""
        if self._path is None:
            if self._pending is not None:
                return self._pending.path()
            raise RuntimeError(f"{self.stage.name} was planned, not built")
        return self._path


def function_of(reference: str) -> Callable[..., Any]:
    """The function that ``module:function`` names, below ``edgestill``; imported now."""
    module, _, name = reference.partition(":")
    return getattr(import_module(f"edgestill.{module}"), name)  # type: ignore[no-any-return]
