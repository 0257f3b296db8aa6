"""What an exporter is given and what it gives back: the contract of ``exporters.EXPORTERS``.

def packages(job: Job) -> dict[str, Package]: ...       # by the model's name
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from .interface import OUTPUT
from .learned_ranges import LearnedRanges
from .scaled import Scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from .microcontroller import Needs

Cpu = Literal["arm", "amd64"]
_FOUND_BY_NAME = (".bin", ".json")
"""OpenVINO's weights, and the scales of a model for microcontrollers."""
AS_IN_ONNX = "as in onnx"
"""The types that a file computes in: those of the ``.onnx`` file that it was converted from."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A model that is compressed and stamped; an exporter reads it and changes nothing of it.

    Attributes:
        name: the variant's. Files of a package are named for it.
        onnx: the finished ``.onnx`` file.
        module: the torch module that it was exported from; None where a method wrote the file.
        floats: of one that was trained with int8 rounding: the torch module without it, whose
            weights are to be rounded again.
        ranges: of such a one: what was learned of its activations; None: not known.
    """

    name: str
    onnx: Path
    module: "nn.Module | None" = None
    floats: "nn.Module | None" = None
    ranges: LearnedRanges | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """The models of one build, to be exported to one format.

    Attributes:
        folder: holds the ``.onnx`` files; the exporter writes its files there.
        models: at least one; one named ``fp32`` has the torch module that others are made of.
        cpu: the CPU that files are optimized for, where a format has such files.
        calibration: samples [n, ...] as the models take them, for formats that quantize by
            themselves; None where no such format is asked for.
        batch: samples a query, for formats whose files have a fixed batch.
        log: a folder for what converters print.
        needs_of: counts what a ``.tflite`` file takes of a microcontroller; None where no format
            for one is asked for.
        output: the name of the models' output.
        int8_io: whether static int8 files take and give int8 where the format leaves the choice.
        axes: the order in which ``.tflite`` files take the axes of a query of samples; None: that
            of the samples.
    """

    folder: Path
    models: tuple[Finished, ...]
    cpu: Cpu = "arm"
    calibration: "NDArray[Any] | None" = None
    batch: int = 1
    log: Path | None = None
    needs_of: "Callable[[Path], Needs] | None" = None
    output: str = OUTPUT
    int8_io: bool = False
    axes: tuple[int, ...] | None = None


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
        arena_bytes: memory that it takes on a microcontroller; None: it is for no such.
        computes_in: the numeric type of all its multiply-accumulates, such as ``int8``, or
            ``AS_IN_ONNX``; None: not known.
        input: what it takes, where that is another type or order of axes than the ``.onnx`` file
            takes; the JSON file beside the model says it as well.
        output: what it gives; None where there is no ``input``.
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
    arena_bytes: int | None = None
    computes_in: str | None = None
    input: Scaled | None = None
    output: Scaled | None = None

    @property
    def apart(self) -> bool:
        """Whether another runtime than that of the ``.onnx`` file runs it.

        Its answers and times are then others, so it is verified, measured and judged by itself.
        """
        return self.runtime not in (None, "onnxruntime")

    @property
    def files(self) -> tuple[File, ...]:
        """The model's file first, then what is delivered with it."""
        return (self.model, *self.beside)

    def renamed(self, stem: str) -> dict[str, str]:
        """New names of its files, by their present ones, where the model is to be called ``stem``.

        A file that is found by the model's name is called so as well. Others keep their names,
        such as a C header, which is included by it.
        """
        old = self.model.name.removesuffix(self.suffix)
        names = {self.model.name: f"{stem}{self.suffix}"}
        for file in self.beside:
            found = file.name.startswith(f"{old}.") and file.name.endswith(_FOUND_BY_NAME)
            names[file.name] = f"{stem}{file.name.removeprefix(old)}" if found else file.name
        return names


@dataclass(frozen=True, slots=True)
class NotCarried:
    """Why a format does not have a model.

    Attributes:
        reason: half a sentence for the reader of a report.
    """

    reason: str


Exporter = Callable[[Job], "dict[str, Package | NotCarried]"]
"""Writes the files of one format and describes them, by the model's name.

Raises a ``ModelError`` where the format should have a model and cannot express it.
"""
