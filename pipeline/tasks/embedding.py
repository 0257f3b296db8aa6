"""Embedding: outputs are a vector, and the truth is the teacher's vector of the same sample."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..records import Fidelity
from .blocks import check_same_shape
from .bootstrap import Resampling, bootstrap_mean
from .proportions import proportion
from .task import FidelityFigure, Metric, Outputs, Task, Truth
from .vectors import as_near, cosines, nearest, own_is_nearest


def _cosine(outputs: Outputs, teacher: Truth) -> float:
    return float(cosines(outputs, teacher).mean())


def _cosine_estimate(outputs: Outputs, teacher: Truth) -> Estimate:
    how = Resampling(bounds=(-1.0, 1.0))
    return bootstrap_mean(cosines(outputs, teacher), "mean cosine to the teacher", how)


def _cosine_drop(reference: Outputs, outputs: Outputs, teacher: Truth) -> Estimate:
    lost = cosines(reference, teacher) - cosines(outputs, teacher)
    return bootstrap_mean(lost, "mean paired difference of cosine", Resampling(bounds=(-2.0, 2.0)))


def _metrics(outputs: Outputs, teacher: Truth) -> dict[str, float]:
    recall = float(own_is_nearest(outputs, teacher).mean())
    return {"cosine": _cosine(outputs, teacher), "recall@1": recall}


def _answers_differ(a: Outputs, b: Outputs, teacher: Truth) -> NDArray[np.bool_]:
    """The teacher vector nearest to b is no longer nearest to a."""
    check_same_shape(a, b)
    return ~as_near(a, nearest(b, teacher), nearest(a, teacher), teacher)


def _fidelity(
    student: Outputs,
    teacher: Outputs,
    truth: Truth,  # noqa: ARG001
    names: Sequence[str],  # noqa: ARG001
) -> Fidelity:
    own_nearest = own_is_nearest(student, teacher)
    recall = proportion(int(own_nearest.sum()), len(own_nearest))
    return Fidelity(
        task=TASK.name,
        samples=len(student),
        agreement=recall,
        figures={"cosine": _cosine_estimate(student, teacher), "recall@1": recall},
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
    reported=(Metric("cosine", "none"), Metric("recall@1", "share")),
    selection=_cosine,
    score=_cosine_estimate,
    drop=_cosine_drop,
    metrics=_metrics,
    answers_differ=_answers_differ,
    baseline=lambda _: 0.0,
    fidelity=_fidelity,
    agreement_title=_AGREEMENT,
    agreement_figure="recall@1",
    fidelity_figures={
        "cosine": FidelityFigure("Cosine to the teacher", "none"),
        "recall@1": FidelityFigure(f"{_AGREEMENT} (recall@1)", "share"),
    },
)
