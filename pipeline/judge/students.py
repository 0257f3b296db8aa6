"""Students of one kind on test, one a seed, and how two kinds of them differ.

    distilled, plain = (asked(models, test, data, task) for models in (students, controls))
    difference(distilled, plain, test.y, task, sampling)      # of scores, with its interval

Asked in PyTorch: what is compared here never ships.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...devices.onboard.stats.estimate import Estimate
from .. import tasks
from ..data.arrays import Arrays
from ..distill.loop import outputs_of
from ..distill.teacher_answers import restored
from ..engine.stage import Made
from ..records import DataRecord, ModelRecord
from ..tasks.sampling import Sampling
from ..tasks.seeds import mean_over_seeds
from ..tasks.task import Truth
from .answers import Logits
from .promise import FINDING_CONFIDENCE


class Asked(NamedTuple):
    """What students of one kind answer on test, and their scores."""

    outputs: list[Logits]
    scores: tuple[float, ...]


def asked(
    models: Sequence[Made[ModelRecord]],
    test: Arrays,
    data: DataRecord,
    task: tasks.Task,
    answered: Callable[[], None] = lambda: None,
) -> Asked:
    """The answers and the score of each student.

    Args:
        models: one a seed.
        test: the test split.
        data: that they were trained on.
        task: by whose score.
        answered: called after each of them.
    """
    outputs = _outputs(models, test, data, answered)
    return Asked(outputs, tuple(task.selection(one, test.y) for one in outputs))


def _outputs(
    models: Sequence[Made[ModelRecord]],
    test: Arrays,
    data: DataRecord,
    answered: Callable[[], None] = lambda: None,
) -> list[Logits]:
    outputs = []
    for made in models:
        outputs.append(outputs_of(restored(made, data), test.x, data))
        answered()
    return outputs


def difference(
    of: Asked, control: Asked, truth: Truth, task: tasks.Task, sampling: Sampling
) -> Estimate:
    """Score of one kind minus that of another: of one seed paired by sample, else over seeds."""
    if len(of.scores) == 1:
        finding = sampling.at(FINDING_CONFIDENCE)
        return task.drop(of.outputs[0], control.outputs[0], truth, finding)
    pairs = zip(of.scores, control.scores, strict=True)
    return mean_over_seeds([a - b for a, b in pairs], FINDING_CONFIDENCE)
