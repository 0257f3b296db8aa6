"""The score of every model on each group of test, and whether validation told what test shows.

>>> by_group(answers, y, groups, task)[0]
GroupScore(name='subject 3', samples=120, scores={'teacher': 0.91, 'fp32': 0.641})
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.distributions import normal_quantile
from ...devices.onboard.stats.estimate import Estimate
from ..records import DataRecord, GroupScore, ModelRecord
from ..tasks import Task
from ..tasks.sampling import Sampling
from ..tasks.task import Truth
from .answers import Logits
from .quality import FP32

_CONFIDENCE = 0.99
"""With which validation has to differ from test before it is remarked on."""


def by_group(
    answers: Mapping[str, Logits], truth: Truth, groups: NDArray[np.str_] | None, task: Task
) -> tuple[GroupScore, ...]:
    """The score on each group, the group with the lowest score of the fp32 student first.

    Args:
        answers: float [n, outputs] by model.
        truth: labels of test.
        groups: of each sample, [n]; None without groups.
        task: its score.
    """
    if groups is None:
        return ()
    sampling = Sampling(_CONFIDENCE)
    scores = []
    for name in np.unique(groups):
        rows = groups == name
        found = {
            model: task.score(outputs[rows], truth[rows], sampling).value
            for model, outputs in answers.items()
        }
        scores.append(GroupScore(name=str(name), samples=int(rows.sum()), scores=found))
    sign = 1.0 if task.metric.higher_is_better else -1.0

    def worst_first(group: GroupScore) -> float:
        score = group.scores.get(FP32)
        return math.inf if score is None else sign * score

    return tuple(sorted(scores, key=worst_first))


def validation_remark(
    student: ModelRecord, data: DataRecord, outputs: Logits, truth: Truth, task: Task
) -> str | None:
    """A sentence where the student's score on validation is far from that on test, else None.

    Both are samples. The half width of test's interval over samples, scaled to the number of
    validation's, is that of validation. Groups are left out of it on purpose: other groups are the
    first cause of a difference that one has to hear of.

    Args:
        student: whose file was scored; it has the score on validation, of the metric that chose its
            epoch.
        data: the number of samples, and the groups.
        outputs: of the student on test, float [n, outputs].
        truth: labels of test.
        task: its metrics.
    """
    metric, sampling = task.named(student.selected_by), Sampling(_CONFIDENCE)
    if metric == task.metric:
        test = task.score(outputs, truth, sampling)
    else:
        missing = Estimate.unknown(f"no {metric.name} on test")
        test = task.metrics(outputs, truth, sampling).get(metric.name, missing)
    half = _half_width(test)
    if test.value is None or half is None:
        return None
    validation, count = student.validation_score, data.samples("validation")
    # With no error at all in test, a validation of the same size could show three errors in n.
    if metric.unit == "share":
        half = max(half, normal_quantile(_CONFIDENCE) / len(truth))
    both = half * math.sqrt(1.0 + len(truth) / count)
    if abs(validation - test.value) <= both:
        return None
    sides = "above" if validation > test.value else "below"
    if data.groups.get("test"):
        cause = (
            "groups differ, and test has others than validation "
            f"({len(data.groups['test'])} in all); its score tells of new groups"
        )
    else:
        cause = (
            "the two splits are not alike: look for samples of one recording, subject or day in "
            "both train and validation, and name them in data.group"
        )
    shown = _percent if metric.unit == "share" else _plain
    return (
        f"the student's {metric.name} is {shown(validation)} on validation and "
        f"{shown(test.value)} on test, {sides} it by more than chance: {cause}"
    )


def _half_width(estimate: Estimate) -> float | None:
    if estimate.low is None or estimate.high is None:
        return None
    return (estimate.high - estimate.low) / 2.0


def _percent(value: float) -> str:
    return f"{value:.1%}".replace("%", " %")


def _plain(value: float) -> str:
    return f"{value:.3f}"
