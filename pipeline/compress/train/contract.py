"""What a method that trains the student on is given, and what it must give back."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from ...distill.loop import Course, Fitted
from ...engine.stage import Made
from ...models.deployed import Deployed
from ...progress import Progress
from ...recipe.part import Part
from ...recipe.training import Schedule
from ...records import DataRecord, ModelRecord, Plan
from ..method import Effect

FILE = "model.onnx"
"""Where a method writes its file, in the folder it is given."""
P = TypeVar("P", bound=Part)


@dataclass(frozen=True, slots=True)
class Pupil(Generic[P]):
    """A trained student, and all that taught it.

    Attributes:
        model: the best student, in eval mode; the method may change it.
        settings: the method's own part of the recipe.
        plan: how int8 is done for the target.
        schedule: by which the student was trained.
        teaching: what a model made of the student is trained on and towards, by a schedule.
        data: the data stage's output.
        opset: of the file to write.
        out: the folder to write ``FILE`` to.
        work: where a training that is killed goes on from.
        progress: told of each step.
    """

    model: Deployed
    settings: P
    plan: Plan
    schedule: Schedule
    teaching: Callable[[torch.nn.Module, Schedule], AbstractContextManager[Course]]
    data: Made[DataRecord]
    opset: int
    out: Path
    work: Path
    progress: Progress


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a method made of it.

    Attributes:
        twin: the torch model that the file must answer as.
        fitted: how it was trained.
        effect: how many nodes it changed, and what the reader should know.
        rounds: whether it computes in int8, so that the file may differ from it by a step.
    """

    twin: torch.nn.Module
    fitted: Fitted
    effect: Effect
    rounds: bool = True


def best_of(students: Sequence[Made[ModelRecord]]) -> Made[ModelRecord]:
    """The student that ships: the best on validation, the first of equals."""
    return max(students, key=lambda made: made.record.validation_score)
