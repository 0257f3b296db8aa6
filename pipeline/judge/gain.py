"""What distillation gave, and what the samples without a label gave of it.

gain_of(inputs, test, task, sampling).difference        # distilled minus plain, with its interval
"""

from collections.abc import Sequence
from typing import NamedTuple

from ...devices.onboard.stats.estimate import Estimate
from .. import tasks
from ..data.arrays import Arrays
from ..distill.loop import outputs_of
from ..distill.teacher_answers import restored
from ..engine.stage import Made
from ..records import DataRecord, Gain, ModelRecord
from ..tasks.sampling import Sampling
from ..tasks.seeds import mean_over_seeds
from .answers import Logits
from .inputs import VerifyInputs
from .promise import FINDING_CONFIDENCE


class _Asked(NamedTuple):
    """Students of one kind on test, one a seed."""

    outputs: list[Logits]
    scores: tuple[float, ...]


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

    def asked(models: Sequence[Made[ModelRecord]]) -> _Asked:
        outputs = _outputs(models, test, inputs.data.record)
        return _Asked(outputs, tuple(task.selection(one, test.y) for one in outputs))

    def difference(of: _Asked, control: _Asked) -> Estimate:
        if len(of.scores) == 1:
            finding = sampling.at(FINDING_CONFIDENCE)
            return task.drop(of.outputs[0], control.outputs[0], test.y, finding)
        pairs = zip(of.scores, control.scores, strict=True)
        return mean_over_seeds([a - b for a, b in pairs], FINDING_CONFIDENCE)

    distilled, plain = asked(students), asked(inputs.plain)
    labelled = asked(inputs.labelled) if inputs.labelled else None
    return Gain(
        seeds=tuple(made.record.seed for made in students),
        distilled_score=distilled.scores,
        plain_score=plain.scores,
        difference=difference(distilled, plain),
        labelled_score=labelled.scores if labelled else (),
        by_unlabelled=difference(distilled, labelled) if labelled else None,
    )


def _outputs(models: Sequence[Made[ModelRecord]], test: Arrays, data: DataRecord) -> list[Logits]:
    return [outputs_of(restored(made, data), test.x, data) for made in models]
