"""The adaptation stage: how many steps and samples a start from other weights saves, and its gain.

A student that was trained on other data starts with features that a random one has to learn. Both
are trained by the same schedule, and scored on validation after the same steps. The score to reach
is the best of the student from random weights, at the end of its schedule; the learning rate of the
other one is still far from its end when it reaches it, so that the steps are an upper bound of what
a schedule of its own takes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import tasks
from ..data.arrays import Arrays, open_groups, open_split
from ..distill.loop import outputs_of
from ..distill.teacher_answers import restored
from ..engine.stage import Made
from ..progress import Progress
from ..records import (
    AdaptationRecord,
    DataRecord,
    FewerSamples,
    ModelRecord,
    Reached,
)
from ..tasks.metric import Metric
from ..tasks.sampling import Sampling
from ..tasks.seeds import mean_over_seeds
from .adaptation_steps import first_step, scores_of, share_of
from .inputs import AdaptationInputs
from .promise import FINDING_CONFIDENCE


def compare_with_scratch(
    out: Path, progress: Progress, inputs: AdaptationInputs
) -> AdaptationRecord:
    """Compare students that started from weights with the same ones from random weights.

    Args:
        out: nothing is written there.
        progress: gets each model that is run on test.
        inputs: of the adaptation stage.
    """
    del out
    data, schedule = inputs.samples.data, inputs.schedule
    task, test = tasks.of(data.record.task), open_split(data.path, "test")
    metric = task.chooses(inputs.samples.select_by, class_weights=schedule.class_weights)
    every = (*inputs.students, *inputs.scratch, *(made for one in inputs.fewer for made in one))
    with progress.steps("adaptation", len(every)) as steps:
        answers = {}
        for made in every:
            answers[made.key] = _answers(made, test, data.record)
            steps.advance()
    scores = {key: task.selection(outputs, test.y) for key, outputs in answers.items()}
    pairs = tuple(zip(inputs.students, inputs.scratch, strict=True))
    first, labelled = inputs.students[0].record, data.record.samples("train")
    assert first.start is not None  # noqa: S101 - the flow calls this stage for such students
    reached = tuple(_reached(a.record, b.record, metric) for a, b in pairs)
    total = first.steps[-1].step
    if len(pairs) == 1:
        a, b = (answers[made.key] for made in pairs[0])
        sampling = Sampling(FINDING_CONFIDENCE, open_groups(data.path, "test"))
        difference = task.drop(a, b, test.y, sampling)
    else:
        gains = [scores[a.key] - scores[b.key] for a, b in pairs]
        difference = mean_over_seeds(gains, FINDING_CONFIDENCE)
    return AdaptationRecord(
        start=first.start,
        metric=metric.name,
        total_steps=total,
        batch_size=schedule.batch_size,
        samples=labelled,
        scratch=tuple(made.record for made in inputs.scratch),
        reached=reached,
        steps_share=share_of(reached, total),
        adapted_score=tuple(scores[a.key] for a, _ in pairs),
        scratch_score=tuple(scores[b.key] for _, b in pairs),
        difference=difference,
        fewer=tuple(
            _fewer(share, made, scores, reached, metric, labelled, schedule.batch_size)
            for share, made in zip(inputs.shares, inputs.fewer, strict=True)
        ),
    )


def _answers(made: Made[ModelRecord], test: Arrays, data: DataRecord) -> NDArray[np.float32]:
    return outputs_of(restored(made, data), test.x, data)


def _reached(adapted: ModelRecord, scratch: ModelRecord, metric: Metric) -> Reached:
    target = scratch.validation_score
    return Reached(
        seed=adapted.seed, target=target, steps=first_step(scores_of(adapted), target, metric)
    )


def _fewer(
    share: float,
    students: Sequence[Made[ModelRecord]],
    scores: dict[str, float],
    reached: Sequence[Reached],
    metric: Metric,
    labelled: int,
    batch_size: int,
) -> FewerSamples:
    """What the students of one share reach."""
    own = [made.record.validation_score for made in students]
    targets = [one.target for one in reached]
    return FewerSamples(
        share=share,
        samples=max(batch_size, round(share * labelled)),
        validation_scores=tuple(own),
        test_scores=tuple(scores[made.key] for made in students),
        reaches=sum(metric.merit(a) >= metric.merit(b) for a, b in zip(own, targets, strict=True)),
    )
