"""The student: from hard labels and soft targets, and again from hard labels alone."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from .. import tasks
from ..data.arrays import Arrays, open_split
from ..engine.flow import Made
from ..engine.store import file_sha256
from ..models import deployed, example, parameters
from ..models.deployed import Deployed
from ..models.transformer import initialize
from ..models.weights import WEIGHTS, save
from ..progress import Progress
from ..recipe.architecture import Architecture
from ..recipe.augment import Augment
from ..recipe.distill import SoftLosses, TeacherLayers
from ..recipe.training import Schedule
from ..records import DataRecord, ModelRecord, TargetsRecord
from . import losses
from .batches import Lesson, Lessons, ViewOf
from .hard_labels import Loss, hard_labels
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


def learn(
    out: Path,
    progress: Progress,
    *,
    architecture: Architecture,
    schedule: Schedule,
    augment: Augment,
    data: Made[DataRecord],
    seed: int,
    views_seed: int,
    work: Path,
    named: str | None = None,
    soft: SoftLosses | None = None,
    inside: TeacherLayers | None = None,
    targets: Made[TargetsRecord] | None = None,
    teachers: tuple[Made[ModelRecord], ...] = (),
    shares: tuple[float, ...] = (),
) -> ModelRecord:
    """Train one student.

    Args:
        out: ``weights.safetensors`` goes here.
        progress: told of each step.
        architecture: of the student.
        schedule: the same with and without soft targets, so that the two can be compared.
        augment: how samples are varied; without a teacher in a way of its own each epoch.
        data: the data stage's output.
        seed: of the first weights and the batch order.
        views_seed: of the views, those the teacher was asked about.
        work: where a training that is killed goes on from.
        named: hash of the module that makes the student; part of the key only.
        soft: the soft losses and their weights; None trains without the teacher.
        inside: losses between layers, and where the first weights come from.
        targets: stored answers of the teacher.
        teachers: asked while the student learns, where there are no stored answers.
        shares: what each teacher counts.
    """
    del named
    torch.manual_seed(seed)
    record = data.record
    outputs = targets.record.outputs if targets is not None else record.classes
    model = deployed(architecture, record, outputs)
    if inside is not None and inside.initialize:
        initialize(model, restored(teachers[0], record))
    lesson = (schedule, augment, data, seed, views_seed)
    with taught(model, *lesson, soft, inside, targets, teachers, shares) as course:
        fitted = fit(
            model,
            course,
            progress=progress,
            what=f"student {architecture.model} {'distilled' if soft else 'plain'}, seed {seed}",
            work=work,
        )
    save(model, out / WEIGHTS)
    return ModelRecord(
        model=architecture.model,
        width=architecture.width,
        arguments=architecture.arguments,
        outputs=outputs,
        parameters=parameters(model),
        seed=seed,
        distilled=soft is not None,
        origin="trained",
        curve=fitted.curve,
        best_epoch=fitted.best.epoch,
        validation_score=fitted.best.validation_score,
        weights_sha256=file_sha256(out / WEIGHTS),
    )


@contextmanager
def taught(
    model: torch.nn.Module,
    schedule: Schedule,
    augment: Augment,
    data: Made[DataRecord],
    seed: int,
    views_seed: int,
    soft: SoftLosses | None = None,
    inside: TeacherLayers | None = None,
    targets: Made[TargetsRecord] | None = None,
    teachers: tuple[Made[ModelRecord], ...] = (),
    shares: tuple[float, ...] = (),
) -> Iterator[Course]:
    """What a student is trained on and towards, while its teacher is at hand.

    Args:
        model: the student; losses between layers need the model itself.
        schedule: how it is trained.
        augment: how samples are varied.
        data: the data stage's output.
        seed: of the batch order.
        views_seed: of the views.
        soft: as for ``learn``, and so are the others.
        inside: losses between layers.
        targets: stored answers of the teacher.
        teachers: asked while the student learns, where there are no stored answers.
        shares: what each teacher counts.
    """
    record = data.record
    lessons = Lessons(record, open_split(data.path, "train"), augment, views_seed)
    hard = hard_labels(record, schedule)
    with ExitStack() as stack:
        tuition = Tuition(hard, every_epoch_anew)
        if soft is not None and targets is not None and targets.record.views:
            target = open_targets(targets, lessons.train.x)
            views = targets.record.views
            loss = _soft(hard, lambda lesson: target(lesson.rows, lesson.view), soft, record)
            tuition = Tuition(loss, lambda epoch: epoch % views)
        elif soft is not None and inside is not None and inside.layers:
            teacher = restored(teachers[0], record)
            between = LayerLosses(model, teacher, inside.layers, example(record), seed)
            tuition = _inside(hard, soft, teacher, stack.enter_context(between), record)
        elif soft is not None:
            asking = stack.enter_context(Asking(teachers, shares, record))
            tuition = _online(hard, soft, asking, record)
        yield Course(
            lessons,
            judging(data, targets),
            record,
            schedule,
            tuition.loss,
            tuition.view_of,
            seed,
            tuition.extra,
        )


def judging(data: Made[DataRecord], targets: Made[TargetsRecord] | None) -> Arrays:
    """The validation split; its answers are the teacher's where those are what is learnt."""
    validation = open_split(data.path, "validation")
    if tasks.of(data.record.task).labels is None and targets is not None:
        vectors = np.load(targets.path / ANSWERS.format(split="validation"))
        validation = validation._replace(y=vectors)
    return validation


def _soft(hard: Loss, answer: Answer, soft: SoftLosses, data: DataRecord) -> Loss:
    """Hard labels and the teacher's answers."""
    task = tasks.of(data.task)
    unit = torch.tensor(data.answer_std) if task.label_units else torch.ones(())

    def loss(outputs: torch.Tensor, lesson: Lesson) -> torch.Tensor:
        labels = lesson.y if task.exclusive else None
        told, taught = hard(outputs, lesson), answer(lesson)
        return losses.distillation(outputs / unit, told, labels, taught / unit, soft, task)

    return loss


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
