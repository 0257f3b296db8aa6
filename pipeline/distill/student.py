"""The student: from hard labels and soft targets, and again from hard labels alone.

It starts from random weights, or from those of a training on other data (``start``).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .. import tasks
from ..data.arrays import Arrays, draw, open_split, open_with_unlabelled
from ..engine.compute import device
from ..engine.stage import Made
from ..engine.store import file_sha256
from ..models import deployed, example, parameters
from ..models.deployed import Deployed
from ..models.factory import blamed_if_users
from ..models.transformer import initialize
from ..models.weights import WEIGHTS, save
from ..progress import Progress
from ..recipe.distill import SoftLosses
from ..recipe.training import Schedule
from ..records import DataRecord, ModelRecord, StartRecord
from . import losses
from .batches import Batch, Batches, ViewOf
from .hard_labels import Loss, hard_labels
from .inputs import Distillation, StudentInputs, Training
from .layers import LayerLosses
from .loop import TrainingSetup, fit, new_view_each_epoch
from .probe import fit_head
from .start import Began, begin
from .steps import scored_after
from .targets import ANSWERS, open_targets
from .teacher_answers import TeacherAnswers, restored

PASSES_OF_A_STEP = 3
"""Passes forward that take as many operations as a step (Kaplan et al. 2020, §2.1: a pass back
takes twice those of one forward)."""
Answer = Callable[[Batch], torch.Tensor]
"""The teacher's outputs [n, outputs] for a batch."""


class Objective(NamedTuple):
    """What a student is trained towards.

    Attributes:
        loss: of outputs and batch.
        view_of: the view that an epoch shows.
        extra: more parameters to train, such as those of a bridge between layers.
    """

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
    teachers = distillation.teachers if distillation else None
    if teachers and distillation and distillation.layers and distillation.layers.initialize:
        initialize(model, restored(teachers.models[0], record))
    began = _begun(model, inputs)
    with open_training(model, training, seed) as setup:
        chosen_by = setup.chosen_by.name
        if inputs.stepwise:
            setup = setup._replace(scored_after=frozenset(scored_after(setup.total_steps)))
        start = None
        if began is not None:
            setup, start = _started(model, began, setup, inputs)
        how = _how(distillation) if began is None else f"adapted, {_how(distillation)}"
        what = f"student {architecture.model} {how}, seed {seed}"
        with blamed_if_users(architecture.model, "student.model"):
            fitted = fit(model, setup, progress=progress, what=what, work=work)
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
        selected_by=chosen_by,
        weights_sha256=file_sha256(out / WEIGHTS),
        start=start,
        steps=fitted.steps,
    )


def _begun(model: Deployed, inputs: StudentInputs) -> Began | None:
    """Load the weights that the student starts from; None where it starts from random ones."""
    start, record = inputs.start, inputs.training.samples.data.record
    if start is None or start.weights is None:
        return None
    return begin(model, start.weights, start.tune, record, inputs.architecture.model)


def _started(
    model: Deployed, began: Began, setup: TrainingSetup, inputs: StudentInputs
) -> tuple[TrainingSetup, StartRecord]:
    """Fit the last layer of a student with loaded weights; how it is trained then, and the record.

    It is scored before the first step, too, as it has learned something by then.
    """
    assert inputs.start is not None  # noqa: S101 - it has begun from that
    fitted = fit_head(
        model, began.head, setup.batches.train, setup.validation, setup.data, setup.schedule
    )
    record = StartRecord(
        weights_sha256=inputs.start_hash or "",
        tune=inputs.start.tune,
        head=began.head,
        trained_parameters=began.trained,
        head_samples=fitted.samples,
        head_steps=math.ceil(fitted.samples / setup.schedule.batch_size / PASSES_OF_A_STEP),
    )
    scored = setup.scored_after | ({0} if fitted.samples else set())
    setup = setup._replace(frozen=began.frozen, scored_after=scored, untaught=fitted.untaught)
    return setup, record


def _how(distillation: Distillation | None) -> str:
    """What a line of progress calls a training."""
    if distillation is None:
        return "plain"
    return "distilled on labelled samples" if distillation.labelled_only else "distilled"


@contextmanager
def open_training(model: torch.nn.Module, training: Training, seed: int) -> Iterator[TrainingSetup]:
    """A training of a student, ready for ``fit``; its teacher is open while the context lasts.

    Args:
        model: the student; losses between layers need the model itself.
        training: how it is trained.
        seed: of the batch order.
    """
    samples, distillation = training.samples, training.distillation
    record = samples.data.record
    path, schedule = samples.data.path, training.schedule
    answered = open_with_unlabelled(path)
    train = answered
    if distillation is None or distillation.labelled_only:
        train = open_split(path, "train")
        if training.share < 1.0:
            train = draw(train, max(schedule.batch_size, round(training.share * len(train.x))))
        schedule = _as_many_steps(schedule, len(train.x), record)
    batches = Batches(record, train, samples.augment, samples.seed)
    with ExitStack() as stack:
        objective = Objective(hard_labels(record, schedule), new_view_each_epoch)
        if distillation is not None and distillation.targets.record.views:
            objective = _stored(objective.loss, distillation, answered.x, record)
        elif distillation is not None and distillation.teachers is not None:
            teachers, layers = distillation.teachers, distillation.layers
            if layers is not None and layers.layers:
                teacher = restored(teachers.models[0], record)
                between = LayerLosses(model, teacher, layers.layers, example(record), seed)
                stack.enter_context(between.to(device()))
                teacher.to(device())
                objective = _with_layers(
                    objective.loss, distillation.soft, teacher, between, record
                )
            else:
                answers = TeacherAnswers(teachers.models, teachers.shares, record)
                stack.enter_context(answers)
                objective = _online(objective.loss, distillation.soft, answers, record)
        yield TrainingSetup(
            batches,
            validation_split(samples.data, distillation),
            record,
            schedule,
            objective.loss,
            objective.view_of,
            seed,
            objective.extra,
            samples.select_by,
        )


def _as_many_steps(schedule: Schedule, samples: int, data: DataRecord) -> Schedule:
    """A schedule on some samples with the steps of one on all, the unlabelled ones too."""
    every = data.samples("train") + data.unlabelled
    if every == samples:
        return schedule
    steps = schedule.epochs * (every // schedule.batch_size)
    epochs = max(1, round(steps / (samples // schedule.batch_size)))
    return schedule.model_copy(update={"epochs": epochs})


def validation_split(data: Made[DataRecord], distillation: Distillation | None) -> Arrays:
    """The validation split; its labels are the teacher's vectors where a task has none."""
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

    def loss(outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        teacher_outputs = answer(batch)
        labels = batch.y if task.exclusive else None
        if task.exclusive and task.labels is None:
            labels = teacher_outputs.argmax(1)
        elif labels is not None and batch.labelled is not None:
            labels = torch.where(batch.labelled, labels, teacher_outputs.argmax(1))
        of = unit.to(outputs.device)
        return total(outputs / of, hard(outputs, batch), labels, teacher_outputs / of)

    return loss


def _stored(hard: Loss, distillation: Distillation, x: NDArray[Any], data: DataRecord) -> Objective:
    """Stored answers; epoch e shows view e modulo the number of views.

    Args:
        hard: the loss of the labels.
        distillation: what is stored, and the soft losses.
        x: all samples that were answered; those that have a label come first.
        data: of what task.
    """
    targets = distillation.targets
    target, views = open_targets(targets, x), targets.record.views

    def answer(batch: Batch) -> torch.Tensor:
        return target(batch.rows, batch.view).to(batch.x.device)

    return Objective(_soft(hard, answer, distillation.soft, data), lambda epoch: epoch % views)


def _online(hard: Loss, soft: SoftLosses, teacher: TeacherAnswers, data: DataRecord) -> Objective:
    """The teacher answers at every step."""

    def answer(batch: Batch) -> torch.Tensor:
        outputs = teacher(batch.x.cpu().numpy(), "train", batch.rows[batch.own])
        assert outputs is not None  # noqa: S101 - every teacher answers train
        return batch.whole(torch.from_numpy(outputs).to(batch.x.device))

    return Objective(_soft(hard, answer, soft, data), new_view_each_epoch)


def _with_layers(
    hard: Loss, soft: SoftLosses, teacher: Deployed, between: LayerLosses, data: DataRecord
) -> Objective:
    """The teacher runs at every step, and its layers are compared with the student's."""

    def answer(batch: Batch) -> torch.Tensor:
        with torch.no_grad():
            answers: torch.Tensor = teacher(batch.x)
        return batch.whole(answers)

    of_outputs = _soft(hard, answer, soft, data)

    def loss(outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        return of_outputs(outputs, batch) + between(batch.whole)

    return Objective(loss, new_view_each_epoch, tuple(between.parameters()))
