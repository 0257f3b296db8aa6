"""The student: from hard labels and soft targets, and again from hard labels alone."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .. import tasks
from ..data.arrays import Arrays, open_split
from ..engine.stage import Made
from ..engine.store import file_sha256
from ..models import deployed, example, parameters
from ..models.deployed import Deployed
from ..models.transformer import initialize
from ..models.weights import WEIGHTS, save
from ..progress import Progress
from ..recipe.distill import SoftLosses
from ..records import DataRecord, ModelRecord
from . import losses
from .batches import Lesson, Lessons, ViewOf
from .hard_labels import Loss, hard_labels
from .inputs import Distillation, StudentInputs, Training
from .layers import LayerLosses
from .loop import Course, every_epoch_anew, fit
from .targets import ANSWERS, open_targets
from .teacher_answers import Asking, restored

Answer = Callable[[Lesson], torch.Tensor]
"""The teacher's outputs [n, outputs] for a batch."""


class Tuition(NamedTuple):
    """What a teacher brings to the training: its loss, the views it knows, more parameters."""

    loss: Loss
    view_of: ViewOf
    extra: tuple[torch.nn.Parameter, ...] = ()


def train_student(out: Path, progress: Progress, inputs: StudentInputs, work: Path) -> ModelRecord:
    """Train one student.

    Args:
        out: ``weights.safetensors`` goes here.
        progress: gets each step.
        inputs: of the student stage.
        work: the folder of a training that can be resumed.
    """
    architecture, training, seed = inputs.architecture, inputs.training, inputs.seed
    record, distillation = training.samples.data.record, training.distillation
    torch.manual_seed(seed)
    outputs = tasks.of(record.task).outputs(record) or 0
    if distillation:
        outputs = distillation.targets.record.outputs
    model = deployed(architecture, record, outputs)
    if distillation and distillation.initializes and distillation.teachers:
        initialize(model, restored(distillation.teachers.models[0], record))
    with taught(model, training, seed) as course:
        how = "distilled" if distillation else "plain"
        what = f"student {architecture.model} {how}, seed {seed}"
        fitted = fit(model, course, progress=progress, what=what, work=work)
    save(model, out / WEIGHTS)
    return ModelRecord(
        model=architecture.model,
        width=architecture.width,
        arguments=architecture.arguments,
        outputs=outputs,
        parameters=parameters(model),
        seed=seed,
        distilled=distillation is not None,
        origin="trained",
        curve=fitted.curve,
        best_epoch=fitted.best.epoch,
        validation_score=fitted.best.validation_score,
        weights_sha256=file_sha256(out / WEIGHTS),
    )


@contextmanager
def taught(model: torch.nn.Module, training: Training, seed: int) -> Iterator[Course]:
    """A training of a student, ready for ``fit``; its teacher is open while the context lasts.

    Args:
        model: the student; losses between layers need the model itself.
        training: how it is trained.
        seed: of the batch order.
    """
    samples, distillation = training.samples, training.distillation
    record = samples.data.record
    lessons = Lessons(record, open_split(samples.data.path, "train"), samples.augment, samples.seed)
    with ExitStack() as stack:
        tuition = Tuition(hard_labels(record, training.schedule), every_epoch_anew)
        if distillation is not None and distillation.targets.record.views:
            tuition = _stored(tuition.loss, distillation, lessons.train.x, record)
        elif distillation is not None and distillation.teachers is not None:
            teachers, layers = distillation.teachers, distillation.layers
            if layers is not None and layers.layers:
                teacher = restored(teachers.models[0], record)
                between = LayerLosses(model, teacher, layers.layers, example(record), seed)
                stack.enter_context(between)
                tuition = _inside(tuition.loss, distillation.soft, teacher, between, record)
            else:
                asking = stack.enter_context(Asking(teachers.models, teachers.shares, record))
                tuition = _online(tuition.loss, distillation.soft, asking, record)
        yield Course(
            lessons,
            judging(samples.data, distillation),
            record,
            training.schedule,
            tuition.loss,
            tuition.view_of,
            seed,
            tuition.extra,
        )


def judging(data: Made[DataRecord], distillation: Distillation | None) -> Arrays:
    """The validation split; its answers are the teacher's where those are what is learnt."""
    validation = open_split(data.path, "validation")
    if tasks.of(data.record.task).labels is None and distillation is not None:
        vectors = np.load(distillation.targets.path / ANSWERS.format(split="validation"))
        validation = validation._replace(y=vectors)
    return validation


def _soft(hard: Loss, answer: Answer, soft: SoftLosses, data: DataRecord) -> Loss:
    """Hard labels and the teacher's answers."""
    task = tasks.of(data.task)
    unit = torch.tensor(data.answer_std) if task.label_units else torch.ones(())
    total = losses.distillation(soft, task)

    def loss(outputs: torch.Tensor, lesson: Lesson) -> torch.Tensor:
        labels = lesson.y if task.exclusive else None
        teacher_outputs = answer(lesson)
        return total(outputs / unit, hard(outputs, lesson), labels, teacher_outputs / unit)

    return loss


def _stored(hard: Loss, distillation: Distillation, x: NDArray[Any], data: DataRecord) -> Tuition:
    """Stored answers; epoch e shows view e modulo the number of views."""
    targets = distillation.targets
    target, views = open_targets(targets, x), targets.record.views
    loss = _soft(hard, lambda lesson: target(lesson.rows, lesson.view), distillation.soft, data)
    return Tuition(loss, lambda epoch: epoch % views)


def _online(hard: Loss, soft: SoftLosses, asking: Asking, data: DataRecord) -> Tuition:
    """A teacher that is asked at every step."""

    def answer(lesson: Lesson) -> torch.Tensor:
        found = asking(lesson.x.numpy(), "train", lesson.rows)
        assert found is not None  # noqa: S101 - every teacher answers train
        return torch.from_numpy(found)

    return Tuition(_soft(hard, answer, soft, data), every_epoch_anew)


def _inside(
    hard: Loss, soft: SoftLosses, teacher: Deployed, between: LayerLosses, data: DataRecord
) -> Tuition:
    """A teacher that is asked at every step and looked into, for layers are compared."""

    def answer(lesson: Lesson) -> torch.Tensor:
        with torch.no_grad():
            answers: torch.Tensor = teacher(lesson.x)
        return answers

    taught = _soft(hard, answer, soft, data)

    def loss(outputs: torch.Tensor, lesson: Lesson) -> torch.Tensor:
        return taught(outputs, lesson) + between()

    return Tuition(loss, every_epoch_anew, tuple(between.parameters()))
