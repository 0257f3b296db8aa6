"""Means over classes: the nearer of the jackknife's end and of the classes' exact ends."""

from dataclasses import replace

import numpy as np
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.class_means import f1_of_overlap, mean_of_classes
from edgestill.pipeline.tasks.class_recall import together
from edgestill.pipeline.tasks.proportions import proportion
from edgestill.pipeline.tasks.sampling import Sampling

ANY = Sampling(0.95)
WHAT = "mean recall"


def _halves(wrong, samples=24):
    rows = np.arange(samples)
    return [(rows + samples * i, rows >= missed) for i, missed in enumerate(wrong)]


def test_few_wrong_samples_of_a_mean_recall_are_known_by_the_classes_exact_intervals():
    recalled = _halves([1, 1, 1])
    wide = Estimate(23 / 24, 0.0, 0.998, "m", 72)
    found = mean_of_classes(WHAT, lambda _: wide, recalled, ANY)
    exact = proportion(23, 24, together(together(0.95, 2), 3))
    assert (found.value, found.high) == (wide.value, 0.998)
    assert found.low == pytest.approx(exact.low)
    assert exact.low > 0.7
    unknown = Estimate(23 / 24, None, None, "m", 72, "they differ too much")
    assert mean_of_classes(WHAT, lambda _: unknown, recalled, ANY).missing is None
    near = Estimate(23 / 24, 0.9, 0.97, "m", 72)
    found = mean_of_classes(WHAT, lambda _: near, recalled, ANY)
    assert (found.value, found.low, found.high) == (near.value, near.low, near.high)
    asked = []
    mean_of_classes(WHAT, lambda sampling: asked.append(sampling.confidence) or near, recalled, ANY)
    assert asked == [together(0.95, 2)], "each of two intervals has half of the error"


def test_samples_of_one_person_are_no_trials_of_a_class():
    wide = Estimate(23 / 24, 0.0, 1.0, "m", 9)
    people = Sampling(0.95, np.arange(72) % 9)
    assert mean_of_classes(WHAT, lambda _: wide, _halves([1, 1, 1]), people) == wide


def test_a_mean_recall_says_what_it_is_and_leaves_out_classes_without_samples():
    near = Estimate(23 / 24, 0.9, 0.97, "m", 1200, None, "share", "measured")
    recalled = [*_halves([1, 0]), (np.arange(0), np.zeros(0, bool))]
    wide = replace(near, low=0.0, high=1.0)
    found = mean_of_classes(WHAT, lambda _: wide, recalled, ANY)
    each = [proportion(k, 24, 1 - 0.025 / 2) for k in (23, 24)]
    assert found.low == pytest.approx(np.mean([one.low for one in each]))
    assert found.high == pytest.approx(np.mean([one.high for one in each]))
    assert found.method == (
        "mean recall, 95 % interval: the nearer ends of a jackknife over 1,200 samples and of "
        "exact intervals of all classes"
    )
    assert (found.n, found.unit, found.kind) == (1200, "share", "measured")
    unknown = Estimate.unknown("it is not defined", "m")
    assert mean_of_classes(WHAT, lambda _: unknown, recalled, ANY) == unknown
    assert mean_of_classes(WHAT, lambda _: near, recalled[2:], ANY) == near
    half = replace(near, low=None, missing="why")
    assert mean_of_classes(WHAT, lambda _: half, recalled, ANY).high == found.high


def test_f1_grows_with_the_share_of_right_ones_of_a_class():
    # 6 hits of 8 samples and 7 answers: 9 are of the class or answered with it.
    assert f1_of_overlap(6 / 9) == pytest.approx(2 * 6 / (8 + 7))
    assert (f1_of_overlap(0.0), f1_of_overlap(1.0)) == (0.0, 1.0)


def test_few_wrong_samples_of_a_macro_f1_are_known_by_the_classes_exact_intervals():
    labels = np.repeat(np.arange(3), 20)
    answers = np.where(np.arange(60) % 20 == 0, (labels + 1) % 3, labels)
    found = of("classification").metrics(np.eye(3)[answers], labels, ANY)["macro-F1"]
    # 19 of 21 that are of a class or answered with it.
    exact = proportion(19, 21, together(together(0.95, 2), 3))
    assert found.value == pytest.approx(19 / 20)
    assert found.low == pytest.approx(2 * exact.low / (1 + exact.low))
    assert found.method.startswith(
        "macro-F1, 95 % interval: the nearer ends of a jackknife over 60"
    )
    present = np.eye(3)[labels]
    of_labels = of("multi-label").metrics(2 * np.eye(3)[answers] - 1, present, ANY)["macro-F1"]
    assert (of_labels.value, of_labels.low) == (found.value, found.low)
    assert of_labels.method == found.method
    people = of("classification").metrics(
        np.eye(3)[answers], labels, Sampling(0.95, np.arange(60) % 12)
    )
    assert people["macro-F1"].method == "macro-F1, 95 % interval by jackknife over 12 groups"


def test_the_interval_of_a_macro_f1_covers_it():
    """Of 3 classes alike, each answered rightly in 19 of 20 cases: F1 is 0.95."""
    random, missed = np.random.default_rng(0), np.zeros(2)
    for _ in range(200):
        labels = random.integers(0, 3, 90)
        wrong = random.random(90) < 0.05
        answers = np.where(wrong, (labels + random.integers(1, 3, 90)) % 3, labels)
        found = of("classification").metrics(np.eye(3)[answers], labels, ANY)["macro-F1"]
        missed += [found.low > 0.95, found.high < 0.95]
    assert (missed / 200 <= 0.025).all()
