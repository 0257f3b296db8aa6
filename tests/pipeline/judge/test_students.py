"""How two kinds of students differ: paired by sample of one seed, over the seeds of several."""

import numpy as np
import pytest
import task_samples
from edgestill.pipeline import tasks
from edgestill.pipeline.judge.promise import FINDING_CONFIDENCE
from edgestill.pipeline.judge.students import Asked, difference
from edgestill.pipeline.tasks.sampling import Sampling

TASK = tasks.of("classification")
SAMPLING = Sampling(0.999)


def kind(seeds, noise=0.0):
    """Students that answer alike but for noise, and the truth."""
    logits, truth = task_samples.classified()
    rng = np.random.default_rng(1)
    outputs = [logits + noise * rng.standard_normal(logits.shape) for _ in range(seeds)]
    return Asked(outputs, tuple(TASK.selection(one, truth) for one in outputs)), truth


def test_of_one_seed_the_difference_is_paired_by_sample_at_the_confidence_of_a_finding():
    better, truth = kind(1)
    worse, _ = kind(1, noise=3.0)
    found = difference(better, worse, truth, TASK, SAMPLING)
    finding = SAMPLING.at(FINDING_CONFIDENCE)
    assert found == TASK.drop(better.outputs[0], worse.outputs[0], truth, finding)
    assert found.value == pytest.approx(better.scores[0] - worse.scores[0])
    assert found.n == len(truth)


def test_of_several_seeds_it_is_over_the_seeds():
    better, truth = kind(3)
    worse, _ = kind(3, noise=3.0)
    found = difference(better, worse, truth, TASK, SAMPLING)
    assert found.n == 3
    apart = np.subtract(better.scores, worse.scores)
    assert found.value == pytest.approx(apart.mean())
    assert found.low < found.value < found.high
