"""What static int8 takes of the distilled student, and of the same student without the teacher.

A finding, not a budget: it has no part in the verdict and none of its error rate.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from numpy.typing import NDArray

from .. import tasks
from ..records import Int8Drops
from ..tasks.paired_drops import difference_of_drops
from ..tasks.sampling import Sampling
from ..tasks.seeds import mean_over_seeds
from .answers import Logits
from .inputs import VerifyInputs
from .promise import FINDING_CONFIDENCE
from .quality import FP32, Running

INT8 = "int8-static"
"""The variant that is compared."""


class Pair(NamedTuple):
    """What one student answers on test in fp32 and in int8, [n, outputs] each."""

    fp32: Logits
    int8: Logits


def int8_drops(
    inputs: VerifyInputs,
    running: Running,
    answers: Mapping[str, Logits],
    truth: NDArray[Any],
    task: tasks.Task,
    sampling: Sampling,
) -> Int8Drops | None:
    """Drop of the distilled students minus drop of the plain ones, paired.

    Args:
        inputs: of the verify stage.
        running: how files are run.
        answers: of the variants on test, by name: of the best distilled student.
        truth: labels of test.
        task: by whose score.
        sampling: how the test samples were drawn.

    Raises:
        ModelError: a file cannot be run or gives NaN.
    """
    if inputs.int8_plain is None:
        return None
    # These files give logits, whatever those that ship end in.
    beside = replace(running, folder=inputs.int8_plain.path, probabilities=None)
    best = inputs.variants.record.student.seed
    pairs = {(True, best): Pair(answers[FP32], answers[INT8])}
    for student in inputs.int8_plain.record.students:
        fp32, int8 = (
            beside.outputs(file, precise=running.precise) for file in (student.fp32, student.int8)
        )
        pairs[student.distilled, student.seed] = Pair(fp32, int8)
    seeds = tuple(made.record.seed for made in inputs.models.students)
    distilled, plain = ([pairs[how, seed] for seed in seeds] for how in (True, False))
    drops = [
        tuple(task.selection(one.fp32, truth) - task.selection(one.int8, truth) for one in students)
        for students in (distilled, plain)
    ]
    if len(seeds) == 1:
        sampled = sampling.at(FINDING_CONFIDENCE)
        difference = difference_of_drops(task.metric, distilled[0], plain[0], truth, sampled)
    else:
        apart = [a - b for a, b in zip(*drops, strict=True)]
        difference = mean_over_seeds(apart, FINDING_CONFIDENCE)
    changed = [
        tuple(int(task.answers_differ(one.int8, one.fp32, truth).sum()) for one in students)
        for students in (distilled, plain)
    ]
    return Int8Drops(
        seeds=seeds,
        distilled_drop=drops[0],
        plain_drop=drops[1],
        distilled_changed=changed[0],
        plain_changed=changed[1],
        difference=difference,
    )
