"""Is a teacher fit to learn from? It takes a batch, gives finite numbers, and beats chance.

It is checked before hours are spent on it. A model that was trained elsewhere and is taken as it is
may be no better than chance: that is a warning, since nothing here can mend it.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import ModelError, reason
from .. import tasks, teachers
from ..data.arrays import Arrays
from ..models import example
from ..models.deployed import Deployed
from ..recipe.architecture import Teacher
from ..records import DataRecord
from ..tasks.constant import must_beat, value_of_constant
from .loop import outputs_of


def check_one_batch(model: Deployed, data: DataRecord) -> None:
    """Run a loaded model on two samples.

    Raises:
        ModelError: it fails, or gives another count of numbers, or one that is not finite.
    """
    model.eval()
    try:
        with torch.no_grad():
            answers = model(example(data))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ModelError(
            found=f"a teacher that cannot take these samples ({reason(error)})",
            expected=f"a model of {list(data.sample_shape)} samples",
            where="teacher.model",
        ) from error
    outputs = tasks.of(data.task).outputs(data)
    expected = outputs or "any number of"
    if answers.ndim != 2 or (outputs and answers.shape[1] != outputs):
        raise ModelError(
            found=f"answers of shape {list(answers.shape)} for two samples",
            expected=f"[2, {expected}], a number for each of the classes",
            where="teacher.model",
        )
    if not torch.isfinite(answers).all():
        raise ModelError(
            found="answers that are not finite", expected="finite numbers", where="teacher.model"
        )


def answers_of_module(model: Deployed, validation: Arrays, data: DataRecord) -> NDArray[np.float32]:
    """A loaded model's outputs.

    Raises:
        ModelError: an answer that is not finite.
    """
    answers = outputs_of(model, validation.x, data)
    finite = np.isfinite(answers).all(1)
    if not finite.all():
        raise ModelError(
            found=f"answers that are not finite, for row {int(np.argmin(finite))} of validation",
            expected="finite numbers",
            where="teacher.model",
        )
    return answers


def score_of(answers: NDArray[np.float32], truth: NDArray[Any], data: DataRecord) -> float:
    """The task's score; 1 for vectors, which are the labels themselves.

    Raises:
        ModelError: vectors that are all alike, which any student would meet.
    """
    task = tasks.of(data.task)
    if task.labels is not None:
        return task.selection(answers, truth)
    if (answers == answers[0]).all():
        raise ModelError(
            found="a teacher that gives the same vector for every sample of validation",
            expected="vectors that tell samples apart",
            where="teacher.model",
        )
    return 1.0


_ONE_LENGTH = 1e-3
"""Relative: rounding of vectors that were normalized in half precision."""


class Doubt(NamedTuple):
    """A teacher whose score shows no knowledge."""

    found: str
    expected: str


def doubt_of(answers: NDArray[np.float32], truth: NDArray[Any], data: DataRecord) -> Doubt | None:
    """What is wrong with answers; None where they are better than any constant answer.

    Args:
        answers: outputs, float [n, k].
        truth: labels; not read where the answers themselves are the labels.
        data: of what task.
    """
    task = tasks.of(data.task)
    if task.labels is None:
        return None
    for metric in must_beat(task):
        score, least = metric.measure(answers, truth), value_of_constant(metric, truth)
        if metric.merit(score) <= metric.merit(least):
            return Doubt(
                f"{metric.name} {score:.4f} on validation",
                f"more than one who knows nothing reaches ({least:.4f})",
            )
    return None


def taken_for_vectors(answers: NDArray[np.float32], data: DataRecord) -> str | None:
    """The warning of probabilities that are learned as vectors; None where they are none.

    Cosine and squared error count each output by its size, cross-entropy by what it decides. Rows
    of one length are vectors that somebody normalized, whatever their sign.

    Args:
        answers: outputs, float [n, k].
        data: of what task.
    """
    if data.task != "embedding" or answers.shape[1] < 2:
        return None
    lengths = np.linalg.norm(answers, axis=1)
    if np.allclose(lengths, lengths[0], rtol=_ONE_LENGTH):
        return None
    for name, what in (("class-logits", "classes"), ("label-logits", "labels")):
        of = tasks.of(name).probabilities
        if of is not None and of.recognized(answers):
            return (
                f"the teacher's vectors look like probabilities of {what}: data.task = '{name}' "
                "learns those by cross-entropy (losses = { kd = 1.0 }) and scores what they decide"
            )
    return None


def as_it_comes(doubt: Doubt) -> str:
    """The warning of a model of the user's that is taken as it is."""
    return (
        f"the teacher, not trained here, has {doubt.found}, which is not {doubt.expected}: check "
        "its weights, teacher.normalize and the order of the classes"
    )


def no_teacher(doubt: Doubt, teacher: Teacher) -> ModelError:
    """The refusal of a teacher from which nothing can be learned."""
    fix = "train longer, or change teacher.learning_rate"
    if teacher.weights is not None or teachers.kind(teacher.model) not in ("family", "factory"):
        fix = "check data.mean, data.std and the order of the classes"
    return ModelError(
        found=f"a teacher with {doubt.found}", expected=doubt.expected, where="teacher", fix=fix
    )
