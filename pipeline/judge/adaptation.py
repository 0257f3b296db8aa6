"""The adaptation stage: how many steps and samples a start from other weights saves, and its gain.

A student that was trained on other data starts with features that a random one has to learn. Both
are trained by the same schedule, and scored on validation after the same steps. The score to reach
is the best of the student from random weights, at the end of its schedule; the learning rate of the
other one is still far from its end when it reaches it, so that the steps are an upper bound of what
a schedule of its own takes. Complete shorter schedules say what one takes, where a recipe asks.
"""

from collections.abc import Sequence
from pathlib import Path

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
from .students import asked, difference


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
    first, labelled = inputs.students[0].record, data.record.samples("train")
    assert first.start is not None  # noqa: S101 - the flow calls this stage for such students
    pairs = zip(inputs.students, inputs.scratch, strict=True)
    reached = tuple(_reached(a.record, b.record, metric) for a, b in pairs)
    total = first.steps[-1].step
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
        difference=difference(adapted, scratch, test.y, task, sampling),
        fewer=tuple(
            _fewer(share, made, found.scores, reached, metric, labelled, schedule.batch_size)
            for share, made, found in zip(inputs.shares, inputs.fewer, fewer, strict=True)
        ),
        shorter=tuple(
            _shorter(share, made, found.scores, reached, metric)
            for share, made, found in zip(inputs.step_shares, inputs.shorter, shorter, strict=True)
        ),
    )


def _reached(adapted: ModelRecord, scratch: ModelRecord, metric: Metric) -> Reached:
    target = scratch.validation_score
    return Reached(
        seed=adapted.seed, target=target, steps=first_step(scores_of(adapted), target, metric)
    )


def _fewer(
    share: float,
    students: Sequence[Made[ModelRecord]],
    test_scores: tuple[float, ...],
    reached: Sequence[Reached],
    metric: Metric,
    labelled: int,
    batch_size: int,
) -> FewerSamples:
    """What the students of one share of the samples reach."""
    own = _on_validation(students)
    return FewerSamples(
        share=share,
        samples=max(batch_size, round(share * labelled)),
        validation_scores=own,
        test_scores=test_scores,
        reaches=_reaching(own, reached, metric),
    )


def _shorter(
    share: float,
    students: Sequence[Made[ModelRecord]],
    test_scores: tuple[float, ...],
    reached: Sequence[Reached],
    metric: Metric,
) -> ShorterTraining:
    """What the students of one share of the epochs reach."""
    own = _on_validation(students)
    return ShorterTraining(
        share=share,
        steps=students[0].record.steps[-1].step,
        validation_scores=own,
        test_scores=test_scores,
        reaches=_reaching(own, reached, metric),
    )


def _on_validation(students: Sequence[Made[ModelRecord]]) -> tuple[float, ...]:
    return tuple(made.record.validation_score for made in students)


def _reaching(own: Sequence[float], reached: Sequence[Reached], metric: Metric) -> int:
    """How many seeds have the score to reach."""
    pairs = zip(own, reached, strict=True)
    return sum(metric.merit(score) >= metric.merit(one.target) for score, one in pairs)
