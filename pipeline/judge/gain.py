"""What distillation gave, and what the samples without a label gave of it.

gain_of(inputs, test, task, sampling).difference        # distilled minus plain, with its interval
"""

from functools import partial

from .. import tasks
from ..data.arrays import Arrays
from ..records import Gain
from ..tasks.sampling import Sampling
from .inputs import VerifyInputs
from .students import asked, difference


def gain_of(inputs: VerifyInputs, test: Arrays, task: tasks.Task, sampling: Sampling) -> Gain:
    """The distilled students against their controls on test, seed by seed.

    Asked in PyTorch: the controls never ship.

    Args:
        inputs: of the verify stage, with plain students.
        test: the test split.
        task: what is scored.
        sampling: how the test samples were drawn.
    """
    students = inputs.models.students
    ask = partial(asked, test=test, data=inputs.data.record, task=task)
    between = partial(difference, truth=test.y, task=task, sampling=sampling)
    distilled, plain = ask(students), ask(inputs.plain)
    labelled = ask(inputs.labelled) if inputs.labelled else None
    return Gain(
        seeds=tuple(made.record.seed for made in students),
        distilled_score=distilled.scores,
        plain_score=plain.scores,
        difference=between(distilled, plain),
        labelled_score=labelled.scores if labelled else (),
        by_unlabelled=between(distilled, labelled) if labelled else None,
    )
