"""The adaptation stage: how many steps and samples a start from other weights saves, and its gain.

A student that was trained on other data starts with features that a random one has to learn. Both
are trained by the same schedule, and scored on validation after the same steps; the former is
scored before the first one, too, where its last layer has been fitted. The score to reach is the
best of the student from random weights, at the end of its schedule; the learning rate of the other
one is still far from its end when it reaches it, so that the steps are an upper bound of what a
schedule of its own takes. Complete shorter schedules say what one takes, where a recipe asks.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .. import tasks
from ..data.arrays import open_groups, open_split
from ..engine.stage import Made
from ..progress import Progress
from ..records import (
    AdaptationRecord,
    FewerSamples,
    ModelRecord,
    Reached,
    ShorterTraining,
)
from ..tasks.metric import Metric
from ..tasks.sampling import Sampling
from .adaptation_steps import first_step, scores_of, share_of
from .inputs import AdaptationInputs
from .promise import FINDING_CONFIDENCE
from .students import Asked, asked, difference


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
    kinds = (inputs.students, inputs.scratch, *inputs.fewer, *inputs.shorter)
    with progress.steps("adaptation", sum(map(len, kinds))) as steps:
        adapted, scratch, *others = (
            asked(models, test, data.record, task, steps.advance) for models in kinds
        )
    fewer, shorter = others[: len(inputs.fewer)], others[len(inputs.fewer) :]
    sampling = Sampling(FINDING_CONFIDENCE, open_groups(data.path, "test"))
    over_scratch = partial(difference, control=scratch, truth=test.y, task=task, sampling=sampling)
    first, labelled = inputs.students[0].record, data.record.samples("train")
    assert first.start is not None  # noqa: S101 - the flow calls this stage for such students
    pairs = zip(inputs.students, inputs.scratch, strict=True)
    reached = tuple(_reached(a.record, b.record, metric) for a, b in pairs)
    total = first.steps[-1].step

    def compared(share: float, made: Sequence[Made[ModelRecord]], found: Asked) -> dict[str, Any]:
        own = tuple(one.record.validation_score for one in made)
        return {
            "share": share,
            "validation_scores": own,
            "test_scores": found.scores,
            "reaches": _reaching(own, reached, metric),
            "difference": over_scratch(found),
        }

    return AdaptationRecord(
        start=first.start,
        metric=metric.name,
        total_steps=total,
        batch_size=schedule.batch_size,
        samples=labelled,
        scratch=tuple(made.record for made in inputs.scratch),
        reached=reached,
        steps_share=share_of(reached, total),
        adapted_score=adapted.scores,
        scratch_score=scratch.scores,
        difference=over_scratch(adapted),
        fewer=tuple(
            FewerSamples(
                samples=max(schedule.batch_size, round(share * labelled)),
                **compared(share, made, found),
            )
            for share, made, found in zip(inputs.shares, inputs.fewer, fewer, strict=True)
        ),
        shorter=tuple(
            ShorterTraining(
                steps=scores_of(made[0].record)[-1].step, **compared(share, made, found)
            )
            for share, made, found in zip(inputs.step_shares, inputs.shorter, shorter, strict=True)
        ),
    )


def _reached(adapted: ModelRecord, scratch: ModelRecord, metric: Metric) -> Reached:
    target = scratch.validation_score
    return Reached(
        seed=adapted.seed, target=target, steps=first_step(scores_of(adapted), target, metric)
    )


def _reaching(own: Sequence[float], reached: Sequence[Reached], metric: Metric) -> int:
    """How many seeds have the score to reach."""
    pairs = zip(own, reached, strict=True)
    return sum(metric.merit(score) >= metric.merit(one.target) for score, one in pairs)
