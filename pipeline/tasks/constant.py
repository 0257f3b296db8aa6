"""Whether a model is better than an answer that does not depend on its input.

A classifier of 9 to 1 data that always gives the frequent class is right in 90 % of cases. Each
task names the best such answer for the metrics by which a model must be better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...devices.onboard.stats.estimate import Estimate
from ..records import OverConstant
from .class_recall import together
from .metric import Metric
from .sampling import Sampling
from .task import Outputs, Task, Truth


def must_beat(task: Task) -> tuple[Metric, ...]:
    """The metrics by which a model must be better than a constant answer."""
    return tuple(metric for metric in task.reported if metric.constant is not None)


def value_of_constant(metric: Metric, truth: Truth) -> float:
    """The metric of the best constant answer.

    Raises:
        ValueError: none is named for this metric.
    """
    if metric.constant is None:
        raise ValueError(f"{metric.name} has no constant answer")
    return metric.measure(metric.constant(truth), truth)


def over_constant(
    task: Task,
    outputs: Outputs,
    truth: Truth,
    names: Sequence[str],
    metrics: Mapping[str, Estimate],
    sampling: Sampling,
) -> tuple[OverConstant, ...]:
    """What a model gains over the best constant answer, by each metric that asks for it.

    Args:
        task: of the data.
        outputs: of the model, float [n, k].
        truth: labels, or the teacher's vectors.
        names: of the classes, labels or numbers.
        metrics: of the model, as ``Task.metrics`` gives them.
        sampling: how the samples were drawn.
    """
    found = []
    for metric in must_beat(task):
        constant = value_of_constant(metric, truth)
        gain = _gain(task, metric, outputs, truth, metrics, sampling)
        if _one_answer(task, outputs, truth) and gain.value is not None and gain.value <= 0.0:
            gain = Estimate.exact(gain.value, "one answer for all of test", gain.unit)
        answer = task.constant_answer(truth, names)
        found.append(OverConstant(metric=metric.name, answer=answer, constant=constant, gain=gain))
    return tuple(found)


def _gain(
    task: Task,
    metric: Metric,
    outputs: Outputs,
    truth: Truth,
    metrics: Mapping[str, Estimate],
    sampling: Sampling,
) -> Estimate:
    """Paired by sample for the score; else the figure less that of the constant answer."""
    if metric == task.metric and metric.constant is not None:
        return _negative(task.drop(metric.constant(truth), outputs, truth, sampling))
    figure = metrics.get(metric.name)
    if figure is not None and metric.mean_of is not None:
        figure = _mean_of(task, metric.mean_of, outputs, truth, sampling)
    if figure is None:
        return Estimate.unknown(f"{metric.name} is not defined on these test samples")
    less = _plus(figure, -value_of_constant(metric, truth))
    return less if metric.higher_is_better else _negative(less)


def _mean_of(
    task: Task, part: str, outputs: Outputs, truth: Truth, sampling: Sampling
) -> Estimate | None:
    """A mean over classes, between the means of the ends of their intervals, which hold together.

    Wider than need be for many samples, and sound where a class has few, or all of them are right
    so that their spread is not seen.
    """

    def parts(sampling: Sampling) -> list[Estimate]:
        figures = task.metrics(outputs, truth, sampling)
        return [figure for name, figure in figures.items() if name.startswith(f"{part}[")]

    found = parts(sampling.at(together(sampling.confidence, len(parts(sampling)))))
    if not found:
        return None
    value, low, high = (
        None if None in ends else sum(end for end in ends if end is not None) / len(ends)
        for ends in zip(*((one.value, one.low, one.high) for one in found), strict=True)
    )
    missing = next((one.missing for one in found if one.missing), None)
    method = f"mean of {len(found)}, whose intervals hold together; each: {found[0].method}"
    n = sampling.n(len(outputs))
    return Estimate(value, low, high, method, n, missing, found[0].unit, found[0].kind)


def _one_answer(task: Task, outputs: Outputs, truth: Truth) -> bool:
    """Whether all samples get the same answer."""
    first = np.broadcast_to(outputs[:1], outputs.shape)
    return not task.answers_differ(outputs, first, truth).any()


def _negative(figure: Estimate) -> Estimate:
    value, low, high = (
        None if end is None else -end for end in (figure.value, figure.high, figure.low)
    )
    return replace(figure, value=value, low=low, high=high)


def _plus(figure: Estimate, more: float) -> Estimate:
    value, low, high = (
        None if end is None else end + more for end in (figure.value, figure.low, figure.high)
    )
    return replace(figure, value=value, low=low, high=high)
