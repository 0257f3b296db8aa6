"""What an exporter is given and what it gives back: the contract of ``exporters.EXPORTERS``.

def packages(job: Job) -> dict[str, Package]: ...       # by the model's name
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from torch import nn

Cpu = Literal["arm", "amd64"]


@dataclass(frozen=True, slots=True)
class Finished:
    """A model that is compressed and stamped; an exporter reads it and changes nothing of it.

    Attributes:
        name: the variant's. Files of a package are named for it.
        onnx: the finished ``.onnx`` file.
        module: the torch module that it was exported from; None where a method wrote the file.
    """

    name: str
    onnx: Path
    module: "nn.Module | None" = None


@dataclass(frozen=True, slots=True)
class Job:
    """The models of one build, to be exported to one format.

    Attributes:
        folder: holds the ``.onnx`` files; the exporter writes its files there.
        models: at least one.
        cpu: the CPU that files are optimized for, where a format has such files.
    """

    folder: Path
    models: tuple[Finished, ...]
    cpu: Cpu = "arm"


@dataclass(frozen=True, slots=True)
class File:
    """One file of a package.

    Attributes:
        name: relative to the folder of the variants.
        bytes: its size; None where an older report does not record it.
        sha256: of its content; None where an older report does not record it.
    """

    name: str
    bytes: int | None
    sha256: str | None

    @classmethod
    def of(cls, path: Path) -> Self:
        """A file that was written, under its own name."""
        content = path.read_bytes()
        return cls(path.name, len(content), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True)
class Package:
    """One model in one format.

    Attributes:
        format: its key in ``EXPORTERS``.
        title: the runtime that the format is for, for the reader of a report.
        suffix: of the model's file, such as ``.ort``.
        model: the model's file.
        beside: files that are delivered with it, under their own names.
        runtime: the runtime that loads the file, by its name in ``devices.onboard.runtimes``;
            None: there is none.
        no_runtime: why there is none; None where there is one.
        answers_hold: whether the answers of that runtime on this machine are those of the target.
        least_agreement: share of test samples that have to be answered as by the ``.onnx`` file.
            A file that agrees less often is not the same model.
        about: a sentence or two for the reader of a report.
    """

    format: str
    title: str
    suffix: str
    model: File
    beside: tuple[File, ...] = ()
    runtime: str | None = None
    no_runtime: str | None = None
    answers_hold: bool = False
    least_agreement: float = 1.0
    about: str = ""

    @property
    def files(self) -> tuple[File, ...]:
        """The model's file first, then what is delivered with it."""
        return (self.model, *self.beside)


Exporter = Callable[[Job], dict[str, Package]]
"""Writes the files of one format and describes them, by the model's name.

Raises a ``ModelError`` where a model cannot be expressed in the format.
"""
