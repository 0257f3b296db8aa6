"""The frontier and the volume it covers, held against counting cells and against Optuna's own."""

import itertools

import numpy as np
import pytest
from edgestill.pipeline.search.pareto import (
    SCORE,
    Box,
    dominates,
    front,
    hypervolume,
    minimized,
    unbeaten,
)


def drawn(dimensions, seed=0, count=12, cells=8):
    """Points on a grid, so that the volume can be counted cell by cell."""
    random = np.random.default_rng(seed)
    return [tuple(map(float, one)) for one in random.integers(0, cells, (count, dimensions))]


def test_a_point_dominates_one_that_is_nowhere_better_and_not_equal():
    assert dominates((1.0, 2.0), (1.0, 3.0))
    assert not dominates((1.0, 2.0), (1.0, 2.0))
    assert not dominates((1.0, 4.0), (2.0, 3.0))


def test_the_front_has_each_point_that_no_other_dominates_once():
    points = [(1.0, 5.0), (2.0, 2.0), (2.0, 2.0), (3.0, 3.0), (5.0, 1.0)]
    assert front(points) == [0, 1, 4]


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_the_hypervolume_is_the_number_of_cells_that_some_point_dominates(dimensions, seed):
    points, reference = drawn(dimensions, seed), (8.0,) * dimensions
    cells = itertools.product(range(8), repeat=dimensions)
    covered = sum(bool((np.array(points) <= cell).all(axis=1).any()) for cell in cells)
    assert hypervolume(points, reference) == pytest.approx(covered)


def test_the_hypervolume_is_that_of_optuna():
    optuna = pytest.importorskip("optuna")
    points = [tuple(map(float, one)) for one in np.random.default_rng(1).random((40, 3))]
    theirs = optuna._hypervolume.compute_hypervolume(np.array(points), np.ones(3))
    assert hypervolume(points, (1.0, 1.0, 1.0)) == pytest.approx(theirs)


def test_what_reaches_beyond_the_reference_counts_for_nothing():
    assert hypervolume([(0.5, 2.0)], (1.0, 1.0)) == 0.0
    assert hypervolume([], (1.0, 1.0)) == 0.0


def test_a_box_counts_scores_upwards_and_resources_by_their_logarithms():
    points = [{SCORE: 0.9, "size": 100.0}, {SCORE: 0.5, "size": 1.0}, {SCORE: 0.7, "size": 10.0}]
    box = Box.around(points)
    assert box.coordinates(points[2]) == pytest.approx((0.5, 0.5))
    # The corners of the box themselves cover nothing; the one in the middle covers a quarter.
    assert box.covered(points) == pytest.approx(0.25)
    assert box.covered([{SCORE: 0.9, "size": 1.0}]) == pytest.approx(1.0)
    assert box.covered([]) == 0.0


def test_a_figure_that_is_the_same_for_all_is_left_out_of_the_volume():
    points = [{SCORE: 0.9, "size": 5.0}, {SCORE: 0.5, "size": 5.0}]
    box = Box.around(points)
    assert box.covered(points[:1]) == pytest.approx(1.0)
    assert Box.around(points[:1]).covered(points[:1]) == 1.0


def test_values_to_be_minimized_have_the_score_turned_around():
    assert minimized({SCORE: 0.9, "size": 5.0}) == (-0.9, 5.0)


@pytest.mark.parametrize(
    ("points", "kept"),
    [
        # Exact figures: as by their values.
        ([((1, 1), (3, 3)), ((2, 2), (1, 1)), ((3, 3), (2, 2))], [0, 1]),
        # Two latencies whose intervals overlap: neither is shown to be better.
        ([((0.9, 0.9), (1.0, 1.1)), ((0.9, 0.9), (1.05, 1.2))], [0, 1]),
        # They are apart.
        ([((0.9, 0.9), (1.0, 1.1)), ((0.9, 0.9), (1.15, 1.2))], [0]),
        # The same measurement, and a better score.
        ([((0.9, 0.9), (1.0, 1.1)), ((0.8, 0.8), (1.0, 1.1))], [1]),
        # Better in the score, and perhaps slower.
        ([((0.8, 0.8), (1.05, 1.2)), ((0.9, 0.9), (1.0, 1.1))], [0, 1]),
        # Twins.
        ([((1, 1), (1, 2)), ((1, 1), (1, 2))], [0]),
    ],
)
def test_a_point_is_beaten_only_where_that_is_shown(points, kept):
    assert unbeaten(points) == kept
