"""Regression: outputs are numbers in the units of the labels."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..recipe.training import Schedule
from ..records import DataRecord, Fidelity
from . import number_labels
from .blocks import check_same_shape
from .bootstrap import Statistic, bootstrap, bootstrap_mean, bootstrap_paired
from .labels import Labels, ReadLabels
from .proportions import proportion
from .task import FidelityFigure, Metric, Outputs, SampleLoss, Task, Truth

if TYPE_CHECKING:
    import torch

MOVED = 0.1
"""A number counts as another answer from here on, in standard deviations of the truth."""
_FLAT = 1e-9
"""Of a variance, in the sample's own: what rounding leaves of numbers that are all the same."""


def deviations(numbers: NDArray[Any]) -> NDArray[np.float64]:
    """Standard deviation of each column, float64 [k]; 0 where only rounding tells values apart."""
    wide = numbers.astype(np.float64)
    deviation = wide.std(0)
    return np.where(deviation > 1e-12 * np.abs(wide).max(0), deviation, 0.0)


def explained(outputs: Outputs, truth: Truth) -> Statistic:
    """R²: 1 - Σ(y - z)² / Σ(y - ȳ)², the mean over the numbers that vary, under the weights too."""
    y, z = _numbers(outputs, truth)
    # Centred, for the spread below is a difference of sums; and in deviations, so that whether a
    # number varies can be told.
    deviation = deviations(y)
    y, z = y - y.mean(0), z - y.mean(0)
    scale = np.where(deviation > 0.0, deviation, 1.0)
    error, y = ((y - z) / scale) ** 2, y / scale

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights.sum(1)[:, None]
        spread = weights @ y**2 - (weights @ y) ** 2 / total
        varies = spread > _FLAT * total
        ratio = np.divide(weights @ error, spread, out=np.zeros_like(spread), where=varies)
        defined = varies.sum(1)
        mean: NDArray[np.float64] = np.full(len(weights), np.nan)
        np.divide((varies - ratio).sum(1), defined, out=mean, where=defined > 0)
        return mean

    return statistic


def _r2(outputs: Outputs, truth: Truth) -> float:
    """R²; minus the RMSE where no number of the truth varies, so that epochs can be compared."""
    y, z = _numbers(outputs, truth)
    share = float(explained(z, y)(np.ones((1, len(y))))[0])
    return -float(_rmse(z, y).mean()) if np.isnan(share) and np.isfinite(z).all() else share


def _r2_estimate(outputs: Outputs, truth: Truth) -> Estimate:
    return bootstrap(explained(outputs, truth), len(truth), "R²")


def _r2_drop(reference: Outputs, outputs: Outputs, truth: Truth) -> Estimate:
    statistics = explained(reference, truth), explained(outputs, truth)
    return bootstrap_paired(*statistics, len(truth), "paired difference of R²")


def _metrics(outputs: Outputs, truth: Truth) -> dict[str, float]:
    y, z = _numbers(outputs, truth)
    once, columns = np.ones((1, len(y))), range(y.shape[1])
    shares = [float(explained(z[:, [i]], y[:, [i]])(once)[0]) for i in columns]
    by_number = {"RMSE": _rmse(z, y), "MAE": np.abs(y - z).mean(0), "R²": np.array(shares)}
    metrics: dict[str, float] = {}
    for name, values in by_number.items():
        defined = np.flatnonzero(~np.isnan(values))
        if len(defined):
            metrics[name] = float(values[defined].mean())
        if len(values) > 1:
            metrics |= {f"{name}[{i}]": float(values[i]) for i in defined}
    return metrics


def _answers_differ(a: Outputs, b: Outputs, truth: Truth) -> NDArray[np.bool_]:
    """Any number moved by more than ``MOVED`` deviations of the truth."""
    check_same_shape(a, b)
    y, z = _numbers(a, truth)
    return np.asarray((np.abs(z - b.reshape(z.shape)) > MOVED * deviations(y)).any(1))


def _rmse(z: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(((y - z) ** 2).mean(0)))


def _numbers(outputs: Outputs, truth: Truth) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Truth and outputs, float64 [n, k]."""
    y, z = (x.reshape(len(x), -1).astype(np.float64) for x in (truth, outputs))
    check_same_shape(y, z)
    return y, z


def _fidelity(
    student: Outputs,
    teacher: Outputs,
    truth: Truth,
    names: Sequence[str],  # noqa: ARG001
) -> Fidelity:
    differ = _answers_differ(student, teacher, truth)
    z, t = student.astype(np.float64), teacher.astype(np.float64)
    deviation = deviations(truth.reshape(z.shape))
    varies = deviation > 0.0
    apart = Estimate.unknown("no number of test varies", "mean |difference|", len(z))
    if varies.any():
        by_sample = (np.abs(z - t)[:, varies] / deviation[varies]).mean(1)
        apart = bootstrap_mean(by_sample, "mean |difference| in deviations of the truth")
    what = "Pearson correlation with the teacher"
    return Fidelity(
        task=TASK.name,
        samples=len(z),
        agreement=proportion(int((~differ).sum()), len(differ)),
        figures={
            "correlation": bootstrap(correlation(z, t), len(z), what),
            "mean |difference|": apart,
        },
        teacher_calibration=None,
        student_calibration=None,
        classes=(),
        worst_class=None,
        worst_drop=Estimate.unknown("a regression has no classes"),
        changed=None,
    )


def correlation(z: NDArray[np.float64], t: NDArray[np.float64]) -> Statistic:
    """The mean over numbers of Pearson's r between student and teacher, under weights.

    A number in which the student always says the same follows the teacher in nothing, r = 0; one in
    which the teacher does is left out.
    """
    z, t = (_standardized(x) for x in (z, t))

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights.sum(1)[:, None]

        def covariance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
            product = (weights @ a) * (weights @ b) / total**2
            of_ab: NDArray[np.float64] = (weights @ (a * b)) / total - product
            return of_ab

        spread_z, spread_t = covariance(z, z), covariance(t, t)
        defined = spread_t > _FLAT
        both = defined & (spread_z > _FLAT)
        under = np.sqrt(np.where(both, spread_z * spread_t, 1.0))
        r = np.where(both, covariance(z, t) / under, 0.0)
        counted = defined.sum(1)
        mean: NDArray[np.float64] = np.full(len(weights), np.nan)
        np.divide(r.sum(1), counted, out=mean, where=counted > 0)
        return mean

    return statistic


def _standardized(x: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = deviations(x)
    varies = deviation > 0.0
    return np.where(varies, x - x.mean(0), 0.0) / np.where(varies, deviation, 1.0)


def _read(labels: Mapping[str, NDArray[Any]], names: Sequence[str], where: str) -> ReadLabels:
    return number_labels.read(labels, names, where, flat=True)


def hard_loss(data: DataRecord, schedule: Schedule | None) -> SampleLoss:  # noqa: ARG001
    """Squared error in deviations of each number, the mean over the numbers of a sample.

    In its own units a number counted in thousands would outweigh the others.
    """
    import torch
    import torch.nn.functional as F

    unit = torch.tensor(data.answer_std)

    def loss(outputs: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
        return F.mse_loss(outputs / unit, labels / unit, reduction="none").mean(1)

    return loss


TASK = Task(
    name="regression",
    labels=Labels(one_column=False, text="number", in_window="last", read=_read),
    output_noun=("number", "numbers"),
    label_units=True,
    hard_loss=hard_loss,
    soft_losses={"mse": "mse"},
    reported=(
        Metric("R²", "none"),
        Metric("RMSE", "label unit", higher_is_better=False),
        Metric("MAE", "label unit", higher_is_better=False),
    ),
    selection=_r2,
    score=_r2_estimate,
    drop=_r2_drop,
    metrics=_metrics,
    answers_differ=_answers_differ,
    baseline=lambda _: 0.0,
    fidelity=_fidelity,
    agreement_title="Answers within a tenth of a deviation of the teacher's",
    fidelity_figures={
        "correlation": FidelityFigure("Correlation with the teacher", "none"),
        "mean |difference|": FidelityFigure(
            "Mean difference from the teacher, in deviations of the truth", "label deviations"
        ),
    },
)
