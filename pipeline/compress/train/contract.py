"""What a method that trains the student further takes, and what it returns."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from ....exporters.learned_ranges import LearnedRanges
from ... import tasks
from ...distill.loop import Fitted, TrainingSetup
from ...engine.stage import Made
from ...models.deployed import Deployed
from ...progress import Progress
from ...recipe.part import Part
from ...recipe.training import Schedule
from ...records import DataRecord, ModelRecord, Plan
from ..method import Effect

FILE = "model.onnx"
"""The file that a method writes, in its output folder."""
PROGRAM = "program.pt2"
"""The same model in float as a torch program, from which other formats are made."""
RANGES = "ranges.npz"
"""What a training with rounding learned of activations."""
P = TypeVar("P", bound=Part)


@dataclass(frozen=True, slots=True)
class StudentToTune(Generic[P]):
    """A trained student, and the training that it came from.

    Attributes:
        model: the best student, in eval mode; the method may change it.
        settings: the method's own part of the recipe.
        plan: how int8 is done for the target.
        schedule: by which the student was trained.
        open_training: ``(model, schedule)``: a context with the training of a model that was made
            of the student.
        data: the data stage's output.
        opset: of the file to write.
        out: the folder to write ``FILE`` to.
        work: the folder of a training that can be resumed.
        progress: gets each step.
    """

    model: Deployed
    settings: P
    plan: Plan
    schedule: Schedule
    open_training: Callable[[torch.nn.Module, Schedule], AbstractContextManager[TrainingSetup]]
    data: Made[DataRecord]
    opset: int
    out: Path
    work: Path
    progress: Progress


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a method made of a student.

    Attributes:
        reference: the torch model that the file must answer as.
        fitted: how it was trained.
        effect: how many nodes it changed, and what the reader should know.
        floats: the torch model with its weights in float and no rounding; where it does not round,
            the reference itself.
        rounds: whether it computes in int8, so that the file may differ from it by a step.
        ranges: what was learned of its activations, where it rounds.
    """

    reference: torch.nn.Module
    fitted: Fitted
    effect: Effect
    floats: torch.nn.Module
    rounds: bool = True
    ranges: LearnedRanges | None = None


def best_of(students: Sequence[Made[ModelRecord]], task: tasks.Task) -> Made[ModelRecord]:
    """The student that ships: the best on validation, the first of equals.

    Args:
        students: trained alike, and so by one metric.
        task: of the data.
    """
    merit = task.named(students[0].record.selected_by).merit
    return max(students, key=lambda student: merit(student.record.validation_score))
