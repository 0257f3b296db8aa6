"""The tuned stage: the best student trained on, by a method that changes what is trained.

One table names the methods. A method is given the student and the lessons that taught it, trains in
the one loop, and writes an ONNX file; the stage scores it and keeps what its torch model answers.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...data.arrays import draw, open_split
from ...distill.batches import fed
from ...distill.loop import Course, evaluate, outputs_of
from ...distill.student import judging, taught
from ...distill.teacher_answers import restored
from ...engine.store import file_sha256
from ...judge.answers import TWIN
from ...progress import Progress
from ...recipe.training import Schedule
from ...records import TunedRecord
from ..inputs import TunedInputs
from . import prune_and_distil as recovery
from . import qat
from . import rounding_sensitivity as shaken
from .contract import FILE, Pupil, Tuned, best_of

METHODS: dict[str, Callable[[Pupil[Any]], Tuned]] = {
    "int8-qat": qat.train,
    "pruned": recovery.train,
}
TWIN_SAMPLES = 64
FOLDED = (
    "distill.layers goes on without {layers}: what the layer gave is not computed any more once "
    "batch norm is folded into it; the batch norm behind it is, if you name that"
)


def tune(out: Path, progress: Progress, inputs: TunedInputs, work: Path) -> TunedRecord:
    """Train the best student further, with the teacher that it was distilled from.

    Args:
        out: ``model.onnx`` and ``twin.npz`` go here.
        progress: gets each step.
        inputs: of the tuned stage.
        work: the folder of a training that can be resumed.

    Raises:
        HostError: a library that the method needs is not installed.
        ModelError: the student cannot be captured or exported.
        NoEffectError: the method changed nothing.
    """
    best, training = best_of(inputs.students), inputs.training
    data, distillation = training.samples.data, training.distillation
    record, folded = data.record, list[str]()

    def teaching(model: torch.nn.Module, schedule: Schedule) -> AbstractContextManager[Course]:
        inside = distillation.layers if distillation else None
        changed = replace(training, schedule=schedule)
        if distillation and inside and inside.layers and isinstance(model, qat.Captured):
            folded[:] = model.absent([layer.student for layer in inside.layers])
            left = tuple(layer for layer in inside.layers if layer.student not in folded)
            between = inside.model_copy(update={"layers": left})
            changed = replace(changed, distillation=replace(distillation, layers=between))
        return taught(model, changed, best.record.seed)

    torch.manual_seed(best.record.seed)
    pupil = Pupil(
        model=restored(best, record),
        settings=inputs.settings,
        plan=inputs.plan,
        schedule=training.schedule,
        teaching=teaching,
        data=data,
        opset=inputs.opset,
        out=out,
        work=work,
        progress=progress,
    )
    tuned = METHODS[inputs.method](pupil)
    _, score = evaluate(tuned.twin, judging(data, distillation), record)
    x = draw(open_split(data.path, "validation"), TWIN_SAMPLES).x
    np.savez(out / TWIN, allow_pickle=False, x=x, logits=outputs_of(tuned.twin, x, record))
    moves, notes = 0.0, tuned.effect.notes
    if folded:
        notes = (*notes, FOLDED.format(layers=", ".join(map(repr, folded))))
    if isinstance(tuned.twin, qat.Captured) and shaken.passes_on(tuned.twin.net):
        moves = shaken.moved(tuned.twin.net, torch.from_numpy(fed(x, record)))
    return TunedRecord(
        method=inputs.method,
        seed=best.record.seed,
        curve=tuned.fitted.curve,
        best_epoch=tuned.fitted.best.epoch,
        validation_score=score,
        score_before=best.record.validation_score,
        changed_nodes=tuned.effect.changed_nodes,
        notes=notes,
        rounds=tuned.rounds,
        moves=moves,
        sha256=file_sha256(out / FILE),
    )
