"""The tuned stage: the best student, changed by a method and trained further.

One table names the methods. A method gets the student and the training that it came from, trains
with the loop that every model is trained with, and writes an ONNX file. The stage scores the
result and stores the answers of its torch model.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ....devices.onboard.model import training_operators
from ....exporters.program import save_program
from ... import tasks
from ...data.arrays import draw, open_split
from ...distill import student
from ...distill.batches import as_model_input
from ...distill.inputs import Training
from ...distill.loop import TrainingSetup, evaluate, outputs_of
from ...distill.teacher_answers import restored
from ...engine.store import file_sha256
from ...judge.answers import REFERENCE
from ...progress import Progress
from ...recipe.training import Schedule
from ...records import TunedRecord
from ..inputs import TunedInputs
from . import prune_and_distil, qat, rounding_sensitivity
from .contract import FILE, PROGRAM, RANGES, StudentToTune, Tuned, best_of

METHODS: dict[str, Callable[[StudentToTune[Any]], Tuned]] = {
    "int8-qat": qat.train,
    "pruned": prune_and_distil.train,
}
REFERENCE_SAMPLES = 64
"""Validation samples whose answers are stored, to compare the file with the torch model."""
ABSENT = (
    "distill.layers: left out {layers}, whose outputs are not computed once batch norm is folded "
    "into the layer; name the batch norm behind it instead"
)


def tune(out: Path, progress: Progress, inputs: TunedInputs, work: Path) -> TunedRecord:
    """Train the best student further, with the teacher that it was distilled from.

    Args:
        out: ``model.onnx``, ``reference.npz``, ``program.pt2`` and ``ranges.npz`` go here.
        progress: gets each step.
        inputs: of the tuned stage.
        work: the folder of a training that can be resumed.

    Raises:
        HostError: a library that the method needs is not installed.
        ModelError: the student cannot be captured or exported.
        NoEffectError: the method changed nothing.
    """
    samples, distillation = inputs.training.samples, inputs.training.distillation
    data, record = samples.data, samples.data.record
    best = best_of(inputs.students, tasks.of(record.task))
    trainings = Trainings(inputs.training, best.record.seed)
    torch.manual_seed(best.record.seed)
    tuned = METHODS[inputs.method](
        StudentToTune(
            model=restored(best, record),
            settings=inputs.settings,
            plan=inputs.plan,
            schedule=inputs.training.schedule,
            open_training=trainings.open,
            data=data,
            opset=inputs.opset,
            out=out,
            work=work,
            progress=progress,
        )
    )
    training_operators.check(out / FILE, f"{inputs.method} of the student {best.record.model}")
    reference = tuned.reference
    chosen_by = tasks.of(record.task).chooses(
        samples.select_by, class_weights=inputs.training.schedule.class_weights
    )
    validation = student.validation_split(data, distillation)
    _, score = evaluate(reference, validation, record, chosen_by)
    x = draw(open_split(data.path, "validation"), REFERENCE_SAMPLES).x
    np.savez(out / REFERENCE, allow_pickle=False, x=x, logits=outputs_of(reference, x, record))
    if tuned.ranges is not None:
        tuned.ranges.write(out / RANGES)
    save_program(tuned.floats, np.array(x[:1]), 2, out / PROGRAM, any_batch=True)
    return TunedRecord(
        method=inputs.method,
        seed=best.record.seed,
        curve=tuned.fitted.curve,
        best_epoch=tuned.fitted.best.epoch,
        validation_score=score,
        score_before=best.record.validation_score,
        selected_by=chosen_by.name,
        changed_nodes=tuned.effect.changed_nodes,
        notes=(*tuned.effect.notes, *trainings.notes),
        rounds=tuned.rounds,
        moves=_sensitivity(reference, torch.from_numpy(as_model_input(x, record))),
        sha256=file_sha256(out / FILE),
    )


class Trainings:
    """Trainings of models that a method made of the student.

    Args:
        training: how the student was trained.
        seed: of the batch order.
    """

    def __init__(self, training: Training, seed: int) -> None:
        self._training, self._seed = training, seed
        self.notes: tuple[str, ...] = ()
        """Which losses between layers the latest training leaves out."""

    def open(
        self, model: torch.nn.Module, schedule: Schedule
    ) -> AbstractContextManager[TrainingSetup]:
        """The training of one such model by a schedule; its teacher is open in the context."""
        training = replace(self._training, schedule=schedule)
        distillation = training.distillation
        layers = distillation.layers if distillation else None
        if distillation and layers and layers.layers and isinstance(model, qat.Captured):
            absent = model.absent([pair.student for pair in layers.layers])
            pairs = tuple(pair for pair in layers.layers if pair.student not in absent)
            layers = layers.model_copy(update={"layers": pairs})
            training = replace(training, distillation=replace(distillation, layers=layers))
            names = ", ".join(map(repr, absent))
            self.notes = (ABSENT.format(layers=names),) if absent else ()
        return student.open_training(model, training, self._seed)


def _sensitivity(reference: torch.nn.Module, samples: torch.Tensor) -> float:
    """How far another order of summing moves the answers; 0 where a rounding step cannot grow."""
    if isinstance(reference, qat.Captured) and rounding_sensitivity.propagates(reference.net):
        return rounding_sensitivity.largest_change(reference.net, samples)
    return 0.0
