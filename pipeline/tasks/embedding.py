"""Embedding: outputs are a vector, and the truth is the teacher's vector of the same sample."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..records import Fidelity, OutputShift
from .blocks import check_same_shape
from .jackknife import Figure, mean
from .proportions import share
from .sampling import Sampling
from .task import FidelityFigure, Metric, Outputs, Task, Truth
from .vectors import as_near, cosines, nearest, own_is_nearest


def _cosine(outputs: Outputs, teacher: Truth) -> float:
    return float(cosines(outputs, teacher).mean())


def _cosine_estimate(outputs: Outputs, teacher: Truth, sampling: Sampling) -> Estimate:
    near = Figure("mean cosine to the teacher", perfect=1.0, bounds=(-1.0, 1.0))
    return mean(cosines(outputs, teacher), near, sampling)


def _cosine_drop(
    reference: Outputs, outputs: Outputs, teacher: Truth, sampling: Sampling
) -> Estimate:
    lost = cosines(reference, teacher) - cosines(outputs, teacher)
    return mean(lost, Figure("mean paired difference of cosine", bounds=(-2.0, 2.0)), sampling)


def _metrics(outputs: Outputs, teacher: Truth, sampling: Sampling) -> dict[str, Estimate]:
    return {
        "cosine": _cosine_estimate(outputs, teacher, sampling),
        "recall@1": share(own_is_nearest(outputs, teacher), sampling, "recall@1"),
    }


def _mean_vector(teacher: Truth) -> Outputs:
    """The mean of the teacher's directions for every sample; no vector has a larger mean cosine."""
    lengths = np.linalg.norm(teacher.astype(np.float64), axis=1, keepdims=True)
    directions = np.divide(teacher, lengths, out=np.zeros(teacher.shape), where=lengths > 0.0)
    return np.tile(directions.mean(0), (len(teacher), 1))


def _recall(outputs: Outputs, teacher: Truth) -> float:
    return float(own_is_nearest(outputs, teacher).mean())


def _answers_differ(a: Outputs, b: Outputs, teacher: Truth) -> NDArray[np.bool_]:
    """The teacher vector nearest to b is no longer nearest to a."""
    check_same_shape(a, b)
    return ~as_near(a, nearest(b, teacher), nearest(a, teacher), teacher)


def _vector_shift(
    a: Outputs,
    b: Outputs,
    teacher: Truth,
    names: Sequence[str],  # noqa: ARG001
) -> tuple[OutputShift, ...]:
    cosine = cosines(a, b)
    vector = OutputShift(
        name="vector",
        measure="cosine",
        changed=int(_answers_differ(a, b, teacher).sum()),
        typical=float(np.median(cosine)),
        farthest=float(cosine.min()),
    )
    return (vector,)


def _fidelity(
    student: Outputs,
    teacher: Outputs,
    truth: Truth,  # noqa: ARG001
    names: Sequence[str],  # noqa: ARG001
    sampling: Sampling,
) -> Fidelity:
    figures = _metrics(student, teacher, sampling)
    return Fidelity(
        task=TASK.name,
        samples=len(student),
        agreement=figures["recall@1"],
        figures=figures,
        teacher_calibration=None,
        student_calibration=None,
        classes=(),
        worst_class=None,
        worst_drop=Estimate.unknown("an embedding has no classes"),
        changed=None,
    )


_AGREEMENT = "Nearest to the teacher's vector of the same sample"

TASK = Task(
    name="embedding",
    labels=None,
    outputs=lambda _: None,
    output_noun=None,
    hard_loss=None,
    soft_losses={"cosine": "cosine", "mse": "mse"},
    reported=(
        Metric("cosine", "none", value=_cosine, constant=_mean_vector),
        Metric("recall@1", "share", value=_recall),
    ),
    score=_cosine_estimate,
    drop=_cosine_drop,
    metrics=_metrics,
    answers_differ=_answers_differ,
    same_answer="the same nearest vector of the teacher",
    output_shifts=_vector_shift,
    constant_answer=lambda teacher, names: "the mean of the teacher's vectors",  # noqa: ARG005
    fidelity=_fidelity,
    agreement_title=_AGREEMENT,
    agreement_figure="recall@1",
    fidelity_figures={
        "cosine": FidelityFigure("Cosine to the teacher", "none"),
        "recall@1": FidelityFigure(f"{_AGREEMENT} (recall@1)", "share"),
    },
)
