"""The memory that models need on a microcontroller, counted by its interpreter on this machine.

found = look(subjects_of([Path("model.tflite")]), Silent())
found["model.tflite"].arena.total_bytes
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...devices.bench.arena import arena_of
from ...devices.bench.settings import Subject
from ...devices.onboard.measure.answer import ArenaAnswer
from ...devices.onboard.runtimes.contract import Tensor
from ...errors import UsageError, no_name
from ..progress import Progress
from ..report import numbers
from .result import Result
from .screen import Screen

_WHAT = (
    "arena: the block that a program gives the model, of which tensors share one part in turn; "
    "counted by {} on this machine. The part kept is smaller on a core with 32-bit pointers."
)


@dataclass(frozen=True, slots=True, repr=False)
class ArenaCounted(Result):
    """Models, and the memory that each needs on a microcontroller.

    Attributes:
        models: each with what the interpreter answered, in the order given.
    """

    models: tuple[tuple[Subject, ArenaAnswer], ...]

    def __getitem__(self, name: str) -> ArenaAnswer:
        """What the interpreter answered of the model of this name.

        Raises:
            UnknownNameError: there is none; it is a KeyError, too.
        """
        for model, answer in self.models:
            if model.name == name:
                return answer
        raise no_name(name, (model.name for model, _ in self.models))

    def how(self) -> str:
        """What was counted, in sentences."""
        return _WHAT.format(", ".join(sorted({answer.runtime for _, answer in self.models})))

    def screen(self) -> Screen:
        """A row a model."""
        return Screen(
            title=f"arena of {numbers.how_many(len(self.models), 'model')}",
            head=("model", "arena", "of it tensors", "of it kept", "file"),
            rows=tuple(
                (
                    model.name,
                    f"{answer.arena.total_bytes:,} B",
                    f"{answer.arena.tensors_bytes:,} B",
                    f"{answer.arena.kept_bytes:,} B",
                    f"{model.path.stat().st_size:,} B",
                )
                for model, answer in self.models
            ),
            below=(self.how(),),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a model."""
        return [
            {
                "model": model.name,
                "file_bytes": model.path.stat().st_size,
                "arena_bytes": answer.arena.total_bytes,
                "tensors_bytes": answer.arena.tensors_bytes,
                "kept_bytes": answer.arena.kept_bytes,
            }
            for model, answer in self.models
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``bench --arena --json``."""
        return {"models": [_record(model, answer) for model, answer in self.models]}


def look(models: Sequence[Subject], progress: Progress) -> ArenaCounted:
    """The arena of each model.

    Raises:
        UsageError: a file of another format.
        HostError: the toolchain tflite-micro is not set up.
        ModelError: TensorFlow Lite Micro cannot load or run a model.
    """
    for model in models:
        if model.path.suffix.lower() != ".tflite":
            raise UsageError(
                model.name, expected="a .tflite file, which microcontrollers run", where="--arena"
            )
    found = []
    with progress.steps("arena", len(models)) as steps:
        for model in models:
            found.append((model, arena_of(model.path)))
            steps.advance(model.name)
    return ArenaCounted(tuple(found))


def _record(model: Subject, answer: ArenaAnswer) -> dict[str, Any]:
    return {
        "name": model.name,
        "file_bytes": model.path.stat().st_size,
        "runtime": answer.runtime,
        "arena_bytes": answer.arena.total_bytes,
        "tensors_bytes": answer.arena.tensors_bytes,
        "kept_bytes": answer.arena.kept_bytes,
        "inputs": [_port(port) for port in answer.takes],
        "outputs": [_port(port) for port in answer.gives],
    }


def _port(port: Tensor) -> dict[str, Any]:
    return {
        "name": port.name,
        "type": port.type,
        "shape": list(port.shape),
        "scale": port.scale,
        "zero_point": port.zero_point,
    }
