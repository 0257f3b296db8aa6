"""A graph as boxes: all operators in exactly one, no cycle, few of them."""

import operators_example as example
from edgestill.pipeline.report import graph_folding
from edgestill.pipeline.report.graph_folding import folded


def chain(count):
    return [() if at == 0 else (at - 1,) for at in range(count)]


def blocks(count, length):
    """Blocks of a chain with a shortcut around it."""
    edges = [()]
    for _ in range(count):
        start = len(edges) - 1
        edges += [(start + at,) for at in range(length)]
        edges.append((start, start + length))
    return edges


def whole(boxes, operators):
    """Every operator is in one box, and boxes read what their operators read."""
    home = {at: place for place, box in enumerate(boxes) for at in box.operators}
    assert sorted(home) == list(range(len(operators)))
    assert sum(len(box.operators) for box in boxes) == len(operators)
    for place, box in enumerate(boxes):
        read = {home[before] for at in box.operators for before in operators[at].after}
        assert set(box.after) == read - {place}
        assert all(before < place for before in box.after)
    return True


def test_a_small_graph_has_a_box_an_operator_however_little_it_takes():
    made = example.operators([(), (0,), (1,), (0, 2)], us=[9.0, 0.0, 0.0, 1.0])
    boxes = folded(made)
    assert [box.operators for box in boxes] == [(0,), (1,), (2,), (3,)]
    assert boxes[3].after == (0, 2)
    assert {box.module for box in boxes} == {""}


def test_in_a_long_chain_what_takes_little_is_folded_first():
    us = [100.0 if at in (10, 50) else 0.01 for at in range(90)]
    made = example.operators(chain(90), us=us)
    boxes = folded(made)
    assert [len(box.operators) for box in boxes] == [10, 1, 39, 1, 39]
    assert whole(boxes, made)


def test_chains_between_branches_are_folded_and_branches_are_kept():
    made = example.operators(blocks(15, 6))
    boxes = folded(made)
    assert len(boxes) <= graph_folding.MOST_BOXES
    assert whole(boxes, made)
    assert any(len(box.after) == 2 for box in boxes)


def test_what_is_too_large_for_chains_is_folded_by_module():
    edges = blocks(60, 2)
    names = ["stem", *(f"layers.{at // 15}.{at % 15}.{part}" for at in range(60) for part in "abc")]
    boxes = folded(example.operators(edges, names))
    assert [box.module for box in boxes] == ["", *(f"layers.{at}" for at in range(4))]
    assert whole(boxes, example.operators(edges, names))
    older = [f"/{name.replace('.', '/')}" for name in names]
    assert [len(box.operators) for box in folded(example.operators(edges, older))] == [
        len(box.operators) for box in boxes
    ]


def test_a_module_that_is_used_twice_is_no_box_with_a_cycle():
    """Its operators stand before and behind those of another module."""
    edges = blocks(80, 2)
    names = [f"m.{at % 2}.{at}.x" for at in range(len(edges))]
    boxes = folded(example.operators(edges, names))
    assert boxes is None


def test_a_graph_that_stays_large_has_no_boxes():
    edges = blocks(80, 2)
    assert folded(example.operators(edges)) is None
    long = [(), (0,)] + [(at - 1, at - 2) for at in range(2, 50)]
    assert len(long) < graph_folding.MOST_BOXES
    assert folded(example.operators(long)) is None, "50 rows"


def test_a_record_without_who_reads_whom_has_no_boxes():
    made = example.operators(chain(3))
    older = (*made[:2], made[2].model_copy(update={"after": None}))
    assert folded(older) is None
    assert folded(()) is None
