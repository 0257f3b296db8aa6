"""Regression: outputs are numbers in the units of the labels."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..recipe.training import Schedule
from ..records import DataRecord, Fidelity, OutputShift
from . import number_labels
from .blocks import check_same_shape
from .class_counts import mean_ratio
from .jackknife import Figure, OfSums, mean, of_sums
from .labels import Labels, ReadLabels
from .proportions import share
from .sampling import Sampling
from .task import FidelityFigure, Metric, Outputs, SampleLoss, Task, Truth

if TYPE_CHECKING:
    import torch

MOVED = 0.1
"""A number counts as another answer from here on, in standard deviations of the truth."""
_TOLERANCE = f"{MOVED:g} standard deviations of the truth"
_FLAT = 1e-9
"""Of a variance, in the sample's own: what rounding leaves of numbers that are all the same."""


def deviations(numbers: NDArray[Any]) -> NDArray[np.float64]:
    """Standard deviation of each column, float64 [k]; 0 where only rounding tells values apart."""
    wide = numbers.astype(np.float64)
    deviation = wide.std(0)
    return np.where(deviation > 1e-12 * np.abs(wide).max(0), deviation, 0.0)


def explained(outputs: Outputs, truth: Truth) -> tuple[NDArray[np.float64], OfSums]:
    """R²: 1 - Σ(y - z)² / Σ(y - ȳ)², the mean over the numbers that vary, as a figure of sums.

    Returns:
        What is summed over samples, float64 [n, m], and the figure of those sums.
    """
    y, z = _numbers(outputs, truth)
    # Centred, for the spread below is a difference of sums; and in deviations, so that whether a
    # number varies can be told.
    deviation = deviations(y)
    varies = deviation > 0.0
    z = (z - y.mean(0))[:, varies] / deviation[varies]
    y = (y - y.mean(0))[:, varies] / deviation[varies]
    width = y.shape[1]

    def formula(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        total = sums[:, :1]
        errors, of_y, of_squares = (sums[:, 1 + i * width :][:, :width] for i in range(3))
        spread = of_squares - of_y**2 / total
        return 1.0 - mean_ratio(errors, np.where(spread > _FLAT * total, spread, 0.0))

    return np.concatenate([np.ones((len(y), 1)), (y - z) ** 2, y, y**2], 1), formula


def _r2(outputs: Outputs, truth: Truth) -> float:
    """R²; minus the RMSE where no number of the truth varies, so that epochs can be compared."""
    y, z = _numbers(outputs, truth)
    summed, figure = explained(z, y)
    r2 = float(figure(summed.sum(0)[None])[0])
    return -float(_rmse(z, y).mean()) if np.isnan(r2) and np.isfinite(z).all() else r2


def _r2_estimate(outputs: Outputs, truth: Truth, sampling: Sampling) -> Estimate:
    return of_sums(*explained(outputs, truth), Figure("R²", perfect=1.0), sampling)


def _r2_drop(reference: Outputs, outputs: Outputs, truth: Truth, sampling: Sampling) -> Estimate:
    (before, figure), (after, _) = explained(reference, truth), explained(outputs, truth)
    width = before.shape[1]

    def lost(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return figure(sums[:, :width]) - figure(sums[:, width:])

    both = np.concatenate([before, after], 1)
    return of_sums(both, lost, Figure("paired difference of R²"), sampling)


def _metrics(outputs: Outputs, truth: Truth, sampling: Sampling) -> dict[str, Estimate]:
    y, z = _numbers(outputs, truth)
    metrics = _overall(z, y, sampling)
    if y.shape[1] > 1:
        for i in range(y.shape[1]):
            of_one = _overall(z[:, [i]], y[:, [i]], sampling)
            metrics |= {f"{name}[{i}]": figure for name, figure in of_one.items()}
    return metrics


def _overall(
    z: NDArray[np.float64], y: NDArray[np.float64], sampling: Sampling
) -> dict[str, Estimate]:
    """The mean of each metric over numbers."""
    ones = np.ones((len(y), 1))

    def rmse(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.sqrt(sums[:, 1:] / sums[:, :1]).mean(1))

    squares = np.concatenate([ones, (y - z) ** 2], 1)
    metrics = {
        "RMSE": of_sums(squares, rmse, Figure("RMSE", "label unit", perfect=0.0), sampling),
        "MAE": mean(
            np.abs(y - z).mean(1), Figure("mean |error|", "label unit", perfect=0.0), sampling
        ),
    }
    r2 = _r2_estimate(z, y, sampling)
    return metrics if r2.value is None else metrics | {"R²": r2}


def _answers_differ(a: Outputs, b: Outputs, truth: Truth) -> NDArray[np.bool_]:
    """Any number moved by more than ``MOVED`` deviations of the truth."""
    check_same_shape(a, b)
    y, z = _numbers(a, truth)
    return np.asarray((np.abs(z - b.reshape(z.shape)) > MOVED * deviations(y)).any(1))


def _number_shifts(
    a: Outputs, b: Outputs, truth: Truth, names: Sequence[str]
) -> tuple[OutputShift, ...]:
    """In the units of each number; the tolerance is that of ``_answers_differ``."""
    y, z = _numbers(a, truth)
    apart, tolerance = np.abs(z - b.reshape(z.shape)), MOVED * deviations(y)
    return tuple(
        OutputShift(
            name=names[i],
            measure="difference",
            changed=int((apart[:, i] > tolerance[i]).sum()),
            tolerance=float(tolerance[i]),
            typical=float(np.median(apart[:, i])),
            farthest=float(apart[:, i].max()),
        )
        for i in range(apart.shape[1])
    )


def _constant(truth: Truth, outputs: int) -> NDArray[np.bool_]:  # noqa: ARG001
    return np.asarray(deviations(truth.reshape(len(truth), -1)) == 0.0)


def _rmse(z: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(((y - z) ** 2).mean(0)))


def _mean_rmse(outputs: Outputs, truth: Truth) -> float:
    y, z = _numbers(outputs, truth)
    return float(_rmse(z, y).mean())


def _mae(outputs: Outputs, truth: Truth) -> float:
    y, z = _numbers(outputs, truth)
    return float(np.abs(y - z).mean())


def _means(truth: Truth) -> Outputs:
    """The mean of each number of the truth for every sample; its R² is 0."""
    y = truth.reshape(len(truth), -1).astype(np.float64)
    return np.tile(y.mean(0), (len(y), 1))


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
    sampling: Sampling,
) -> Fidelity:
    differ = _answers_differ(student, teacher, truth)
    z, t = student.astype(np.float64), teacher.astype(np.float64)
    deviation = deviations(truth.reshape(z.shape))
    varies = deviation > 0.0
    apart = Estimate.unknown("no number of test varies", "mean |difference|", len(z))
    if varies.any():
        by_sample = (np.abs(z - t)[:, varies] / deviation[varies]).mean(1)
        difference = "mean |difference| in deviations of the truth"
        apart = mean(by_sample, Figure(difference, "label deviations", perfect=0.0), sampling)
    follows = Figure("Pearson correlation with the teacher", perfect=1.0, bounds=(-1.0, 1.0))
    return Fidelity(
        task=TASK.name,
        samples=len(z),
        agreement=share(~differ, sampling, "agreement"),
        figures={
            "correlation": of_sums(*correlation(z, t), follows, sampling),
            "mean |difference|": apart,
        },
        teacher_calibration=None,
        student_calibration=None,
        classes=(),
        worst_class=None,
        worst_drop=Estimate.unknown("a regression has no classes"),
        changed=None,
    )


def correlation(
    z: NDArray[np.float64], t: NDArray[np.float64]
) -> tuple[NDArray[np.float64], OfSums]:
    """The mean over numbers of Pearson's r between student and teacher, as a figure of sums.

    A number in which the student always says the same follows the teacher in nothing, r = 0; one in
    which the teacher does is left out.
    """
    z, t = (_standardized(x) for x in (z, t))
    width = z.shape[1]

    def figure(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        total = sums[:, :1]
        of_z, of_t, zz, tt, zt = (sums[:, 1 + i * width :][:, :width] / total for i in range(5))
        spread_z, spread_t = zz - of_z**2, tt - of_t**2
        defined = spread_t > _FLAT
        both = defined & (spread_z > _FLAT)
        under = np.sqrt(np.where(both, spread_z * spread_t, 1.0))
        r = np.where(both, (zt - of_z * of_t) / under, 0.0)
        counted = defined.sum(1)
        mean_r: NDArray[np.float64] = np.full(len(sums), np.nan)
        np.divide(r.sum(1), counted, out=mean_r, where=counted > 0)
        return mean_r

    return np.concatenate([np.ones((len(z), 1)), z, t, z**2, t**2, z * t], 1), figure


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
        of = unit.to(outputs.device)
        return F.mse_loss(outputs / of, labels / of, reduction="none").mean(1)

    return loss


TASK = Task(
    name="regression",
    labels=Labels(one_column=False, text="number", in_window="last", read=_read),
    output_noun=("number", "numbers"),
    label_units=True,
    hard_loss=hard_loss,
    soft_losses={"mse": "mse"},
    reported=(
        Metric(
            "R²",
            "none",
            of_each=True,
            value=_r2,
            constant=_means,
            nothing=(0.0, "predicted no better than by the mean"),
        ),
        Metric("RMSE", "label unit", higher_is_better=False, of_each=True, value=_mean_rmse),
        Metric("MAE", "label unit", higher_is_better=False, of_each=True, value=_mae),
    ),
    score=_r2_estimate,
    drop=_r2_drop,
    metrics=_metrics,
    answers_differ=_answers_differ,
    same_answer=f"every number within {_TOLERANCE}",
    tolerance=_TOLERANCE,
    output_shifts=_number_shifts,
    left_out=_constant,
    left_out_of="R² is",
    why_left_out=("does not vary", "do not vary"),
    constant_answer=lambda truth, names: "always answering the mean",  # noqa: ARG005
    fidelity=_fidelity,
    agreement_title="Answers within a tenth of a deviation of the teacher's",
    fidelity_figures={
        "correlation": FidelityFigure("Correlation with the teacher", "none"),
        "mean |difference|": FidelityFigure(
            "Mean difference from the teacher, in deviations of the truth", "label deviations"
        ),
    },
)
