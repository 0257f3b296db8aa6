"""The teacher: trained here, or loaded from the weights the recipe names."""

from pathlib import Path

import numpy as np
import torch

from ...errors import ModelError
from ..data.arrays import Arrays, open_split
from ..flow import Made
from ..models import deployed, parameters
from ..models.weights import WEIGHTS, load_foreign, save
from ..progress import Progress
from ..recipe import Teacher
from ..records import DataRecord, Epoch, ModelRecord
from ..store import file_sha256
from .loop import evaluate, fit, hard_labels


def teach(
    out: Path,
    progress: Progress,
    *,
    teacher: Teacher,
    weights_sha256: str | None,
    data: Made[DataRecord],
    seed: int,
) -> ModelRecord:
    """Train the teacher, or load it, and see that it has something to teach.

    Args:
        out: ``weights.safetensors`` goes here.
        progress: told of each epoch.
        teacher: the recipe's part.
        weights_sha256: of the weights it names; part of the key only.
        data: the data stage's output.
        seed: of the first weights and the batch order.

    Raises:
        ModelError: the weights do not fit, or it does no better than the most frequent class.
    """
    del weights_sha256
    torch.manual_seed(seed)
    model = deployed(teacher.model, teacher.width, data.record)
    validation = open_split(data.path, "validation")
    if teacher.weights is not None:
        load_foreign(model.backbone, teacher.weights, teacher.model)
        curve: tuple[Epoch, ...] = ()
        best = None
        accuracy = evaluate(model, validation)[1]
    else:
        train = open_split(data.path, "train")
        fitted = fit(
            model,
            train,
            validation,
            teacher,
            hard_labels,
            seed=seed,
            progress=progress,
            what=f"teacher {teacher.model}",
        )
        curve, best, accuracy = fitted.curve, fitted.best.epoch, fitted.best.validation_accuracy
    _beats_the_majority(accuracy, validation, teacher)
    save(model, out / WEIGHTS)
    return ModelRecord(
        model=teacher.model,
        width=teacher.width,
        parameters=parameters(model),
        seed=seed,
        distilled=False,
        origin="loaded" if teacher.weights else "trained",
        curve=curve,
        best_epoch=best,
        validation_accuracy=accuracy,
        weights_sha256=file_sha256(out / WEIGHTS),
    )


def _beats_the_majority(accuracy: float, validation: Arrays, teacher: Teacher) -> None:
    majority = int(np.bincount(validation.y).max()) / len(validation.y)
    if accuracy <= majority:
        fix = (
            "check data.mean, data.std and the order of the classes"
            if teacher.weights
            else "train longer, or change teacher.learning_rate"
        )
        raise ModelError(
            found=f"a teacher with accuracy {accuracy:.4f} on validation",
            expected=f"more than the most frequent class alone gives ({majority:.4f})",
            where="teacher",
            fix=fix,
        )
