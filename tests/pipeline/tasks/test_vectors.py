"""Cosines and nearest vectors: vectors of no length, of any size, and equals."""

import numpy as np
import pytest
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.jackknife import Figure, mean
from edgestill.pipeline.tasks.sampling import Sampling
from edgestill.pipeline.tasks.vectors import as_near, cosines, nearest, own_is_nearest

EMBEDDING = of("embedding")
ANY = Sampling(0.95)


def test_a_cosine_does_not_depend_on_lengths_and_is_0_for_none():
    a = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    b = np.array([[4.0, 3.0], [1.0, 0.0], [0.0, 0.0], [0.0, -1.0]])
    with np.errstate(all="raise"):
        for size in (1e-6, 1.0, 1e6):
            assert cosines(size * a, b) == pytest.approx([0.96, 0.0, 0.0, -1.0])
            assert cosines(a, size * b) == pytest.approx([0.96, 0.0, 0.0, -1.0])


def test_a_cosine_never_passes_1():
    a = np.random.default_rng(0).standard_normal((500, 3)).astype(np.float32)
    assert cosines(a, a).max() == 1.0
    assert cosines(a, -a).min() == -1.0
    assert cosines(a, 3 * a).min() > 1.0 - 1e-12


def test_no_vector_is_nearest_to_one_without_length_that_has_a_better():
    among = np.array([[0.0, 0.0], [0.001, 0.0], [0.0, 100.0]])
    vectors = np.array([[5.0, 1.0], [1.0, 5.0], [-1.0, -1.0], [0.0, 0.0]])
    with np.errstate(all="raise"):
        # To the third all others are further than at a right angle.
        assert nearest(vectors, among).tolist() == [1, 2, 0, 0]


def test_as_near_is_within_float32_and_no_more():
    among = np.array([[1.0, 0.0], [np.cos(1e-3), np.sin(1e-3)], [np.cos(2e-3), np.sin(2e-3)]])
    vectors = among[[0, 0, 1]]
    first, second = np.array([1, 2, 2]), np.array([0, 0, 1])
    # 1 - cos(0.001) is 5e-7, 1 - cos(0.002) is 2e-6.
    assert as_near(vectors, first, second, among).tolist() == [True, False, True]
    assert as_near(vectors, second, first, among).all()
    assert own_is_nearest(among[[0, 2, 2]], among).tolist() == [True, True, True]
    far = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert own_is_nearest(far[::-1], far).tolist() == [False, False]
    assert own_is_nearest(far[[0, 0]], far).tolist() == [True, False]


def test_how_far_vectors_moved_is_told_by_the_median_and_the_least_cosine():
    teacher = np.eye(3)
    moved = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.8, 0.0, 0.6]])
    (shift,) = EMBEDDING.output_shifts(moved, teacher, teacher, ())
    assert (shift.name, shift.measure, shift.changed) == ("vector", "cosine", 1)
    assert (shift.typical, shift.farthest) == (pytest.approx(0.8), pytest.approx(0.6))


def test_the_best_constant_vector_is_the_mean_direction():
    teacher = np.array([[2.0, 0.0], [0.0, 5.0], [0.0, 0.0]])
    (cosine, _) = EMBEDDING.reported
    with np.errstate(all="raise"):
        constant = cosine.constant(teacher)
    assert constant.tolist() == [pytest.approx([1 / 3, 1 / 3])] * 3
    assert cosine.measure(constant, teacher) == pytest.approx(2 * 0.5**0.5 / 3)


def test_the_interval_of_a_cosine_stays_within_its_bounds():
    teacher = np.eye(4)[np.arange(12) % 4]
    turned = np.where(np.arange(12)[:, None] < 11, teacher, -teacher)
    score = EMBEDDING.score(turned, teacher, Sampling(0.999))
    assert (score.value, score.low) == (pytest.approx(10 / 12), -1.0)
    drop = EMBEDDING.drop(-turned, turned, teacher, Sampling(0.999))
    assert (drop.value, drop.low) == (pytest.approx(-20 / 12), -2.0)
    back = EMBEDDING.drop(turned, -turned, teacher, Sampling(0.999))
    assert (back.value, back.high) == (pytest.approx(20 / 12), 2.0)


def test_what_a_cosine_falls_short_of_1_is_judged_by_its_logarithm():
    angles = np.linspace(0.1, 0.8, 12)
    turned = np.stack([np.cos(angles), np.sin(angles)], 1)
    score = EMBEDDING.score(turned, np.eye(2)[np.zeros(12, int)], ANY)
    lost = mean(1 - np.cos(angles), Figure("loss", perfect=0.0), ANY)
    assert score.value == pytest.approx(np.cos(angles).mean())
    assert (score.low, score.high) == (pytest.approx(1 - lost.high), pytest.approx(1 - lost.low))
