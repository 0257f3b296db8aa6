"""What a stage is, and what it has made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..records import Record

Inputs = TypeVar("Inputs")
Output = TypeVar("Output", bound=Record)


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


@dataclass(frozen=True, slots=True)
class Made(Generic[Output]):
    """A stage's output: its key always, its record and folder once the stage has run."""

    stage: Stage[Any, Output]
    key: str
    _record: Output | None = None
    _path: Path | None = None

    @property
    def record(self) -> Output:
        """The stage's record; only while building."""
        if self._record is None:
            raise RuntimeError(f"{self.stage.name} was planned, not built")
        return self._record

    @property
    def path(self) -> Path:
        """The folder of the stage's files; only while building."""
        if self._path is None:
            raise RuntimeError(f"{self.stage.name} was planned, not built")
        return self._path
