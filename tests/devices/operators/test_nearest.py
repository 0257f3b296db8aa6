"""The nearest operator of a kind before another one."""

import numpy as np
from edgestill.devices.onboard.model.outline import of_model
from edgestill.devices.operators.nearest import NearestOfKind
from edgestill.devices.operators.weight_samples import Samples
from edgestill.devices.operators.wiring import Wiring, family
from onnx import TensorProto, helper
from onnx_files import model

FLOAT = TensorProto.FLOAT


def of(*nodes, stored=()):
    made = [helper.make_node(op, a.split(), b.split()) for op, a, b in nodes]
    return of_model(
        model(made, [("x", FLOAT, [1, 4])], [("y", FLOAT, [1, 4])], list(stored)), 1, {}
    )


def nearest(graph, written=()):
    return NearestOfKind(Wiring(graph), [family(node.op) for node in graph.nodes], set(written))


DIAMOND = (
    ("Relu", "x", "a"), ("Sigmoid", "a", "b"), ("Relu", "a", "c"), ("Mul", "b c", "d"),
    ("Tanh", "d", "y"),
)  # fmt: skip


def test_the_nearest_is_found_on_any_way_and_the_operator_itself_is_the_nearest_of_its_kind():
    found = nearest(of(*DIAMOND))
    assert found.before(4, "Relu") == {2}
    assert found.before(4, "Sigmoid") == {1}
    assert found.before(3, "Mul") == {3}
    assert found.before(4, "Conv") == frozenset()


def test_several_at_one_distance_are_all_named_and_too_many_are_none():
    few = of(("Relu", "x", "a"), ("Relu", "x", "b"), ("Add", "a b", "y"))
    assert nearest(few).before(2, "Relu") == {0, 1}
    many = [("Relu", "x", f"a{i}") for i in range(9)]
    many.append(("Sum", " ".join(f"a{i}" for i in range(9)), "y"))
    assert nearest(of(*many)).before(9, "Relu") == frozenset()


def test_a_way_ends_at_a_layer_with_weights_and_at_what_the_other_graph_writes_too():
    graph = of(
        ("Relu", "x", "a"), ("MatMul", "a w", "b"), ("Tanh", "b", "y"),
        stored=[("w", np.ones((4, 4), np.float32))],
    )  # fmt: skip
    assert nearest(graph).before(2, "Relu") == frozenset()
    assert nearest(graph).before(2, "MatMul") == {1}
    assert nearest(graph, ["b"]).before(2, "MatMul") == frozenset()


def test_the_order_has_each_node_after_those_it_reads_however_the_file_lists_them():
    backwards = of(*DIAMOND[::-1])
    order = Wiring(backwards).order
    place = {at: i for i, at in enumerate(order)}
    assert sorted(order) == list(range(5))
    assert place[4] < place[2] < place[1] < place[0]


def test_the_closest_weights_are_those_that_no_margin_tells_apart():
    square = np.random.default_rng(1).normal(size=(3, 4, 4)).astype(np.float32)
    nodes = [("MatMul", "x u", "a"), ("MatMul", "a v", "b"), ("MatMul", "b u2", "y")]
    stored = [("u", square[0]), ("v", square[1]), ("u2", square[0] * 3)]
    weights = [node.weight for node in of(*nodes, stored=stored).nodes]
    samples = Samples(weights)
    assert samples.closest(weights[0]) == [0, 2]
    assert samples.closest(weights[1]) == [1]
    turned = of(("MatMul", "x t", "y"), stored=[("t", square[1].T.copy())]).nodes[0].weight
    assert samples.closest(turned) == [1]
    other = of(("MatMul", "x o", "y"), stored=[("o", square[2] * 0)]).nodes[0].weight
    assert samples.closest(other) == []
