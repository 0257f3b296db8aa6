"""The steps that a student takes to a score, from its scores in the course of a training.

>>> first_step(scores_of(student), 0.9, metric)     # doctest: +SKIP
96
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...devices.onboard.stats.estimate import Estimate
from ..records import ModelRecord, Reached, StepScore
from ..tasks.metric import Metric
from ..tasks.seeds import mean_over_seeds
from .promise import FINDING_CONFIDENCE


def scores_of(model: ModelRecord) -> tuple[StepScore, ...]:
    """Every score on validation in the course of a training, in rising order of its steps.

    The fit of a new last layer counts as steps, as many as take its operations.
    """
    if not model.steps:
        return ()
    per_epoch = model.steps[-1].step // len(model.curve)
    ends = {epoch.epoch * per_epoch: epoch.validation_score for epoch in model.curve}
    ends |= {one.step: one.score for one in model.steps}
    before = model.start.head_steps if model.start else 0
    return tuple(StepScore(step=before + step, score=ends[step]) for step in sorted(ends))


def first_step(scores: Iterable[StepScore], target: float, metric: Metric) -> int | None:
    """The first step with a score as good as a target; None where no score is."""
    good = metric.merit(target)
    return next((one.step for one in scores if metric.merit(one.score) >= good), None)


def share_of(reached: Sequence[Reached], total: int) -> Estimate:
    """The steps to the score over all steps, geometric mean over seeds, as shares multiply.

    Args:
        reached: one a seed.
        total: steps of either training.
    """
    steps = [one.steps for one in reached if one.steps is not None]
    if len(steps) < len(reached):
        never = len(reached) - len(steps)
        return Estimate.unknown(
            f"{never} of {len(reached)} seeds never had the score of the student from random "
            "weights"
        )
    mean = mean_over_seeds([math.log(one / total) for one in steps], FINDING_CONFIDENCE)
    ends = [None if one is None else math.exp(one) for one in (mean.value, mean.low, mean.high)]
    method = f"geometric {mean.method}" if len(steps) > 1 else "of one seed"
    return replace(mean, value=ends[0], low=ends[1], high=ends[2], method=method)
