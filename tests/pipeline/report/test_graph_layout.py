"""Places of boxes: below what they read, apart from each other, few crossings."""

import random

import pytest
from edgestill.pipeline.report.graph_layout import layout


def apart(placed):
    """Distances of neighbours in a row."""
    rows = {}
    for row, across in zip(placed.row, placed.across, strict=True):
        rows.setdefault(row, []).append(across)
    return [
        right - left
        for row in rows.values()
        for left, right in zip(sorted(row), sorted(row)[1:], strict=False)
    ]


def test_a_chain_is_a_straight_line():
    placed = layout(4, [(0, 1), (1, 2), (2, 3)])
    assert placed.row == (0, 1, 2, 3)
    assert placed.across == (0.0,) * 4
    assert (placed.rows, placed.width) == (4, 0.0)


def test_two_branches_stand_side_by_side_below_the_middle_of_what_they_read():
    placed = layout(4, [(0, 1), (0, 2), (1, 3), (2, 3)])
    assert placed.row == (0, 1, 1, 2)
    assert placed.across == pytest.approx((0.5, 0.0, 1.0, 0.5))


def test_an_edge_past_a_row_takes_a_place_in_it_beside_the_box():
    placed = layout(3, [(0, 1), (1, 2), (0, 2)])
    first, passed, last = placed.routes[2]
    assert abs(passed - placed.across[1]) >= 0.625
    assert (first, last) == (placed.across[0], placed.across[2])
    assert len(placed.routes[0]) == 2


def test_rows_are_ordered_so_that_no_edge_crosses_where_none_has_to():
    # Two chains that their numbers interleave the wrong way round.
    edges = [(0, 3), (1, 2), (2, 5), (3, 4)]
    placed = layout(6, edges)
    left = placed.across[0] < placed.across[1]
    assert (placed.across[3] < placed.across[2]) == left
    assert (placed.across[4] < placed.across[5]) == left


def test_what_reads_nothing_stands_just_above_its_first_reader():
    placed = layout(5, [(0, 1), (1, 2), (2, 4), (3, 4)])
    assert placed.row[3] == 2


def test_one_box_and_none_have_a_layout():
    assert layout(1, []).rows == 1
    empty = layout(0, [])
    assert (empty.rows, empty.width, empty.across) == (0, 0.0, ())


@pytest.mark.parametrize("seed", range(20))
def test_of_any_graph_edges_lead_down_and_boxes_do_not_overlap(seed):
    drawn = random.Random(seed)
    count = drawn.randint(2, 60)
    edges = [
        (before, at)
        for at in range(1, count)
        for before in sorted(
            {drawn.randrange(max(0, at - 9), at) for _ in range(drawn.randint(0, 3))}
        )
    ]
    placed = layout(count, edges)
    assert all(placed.row[before] < placed.row[at] for before, at in edges)
    assert min(apart(placed), default=1.0) >= 1.0 - 1e-9
    for (before, at), route in zip(edges, placed.routes, strict=True):
        assert len(route) == placed.row[at] - placed.row[before] + 1
    assert min(placed.across) >= 0.0
    assert max(placed.across) <= placed.width + 1e-9
